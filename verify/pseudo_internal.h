/*
 * pseudo_internal.h: drawing pseudo-subjects: distinct sets of held-out columns of the subject's size and class mix.
 */
#ifndef VERIFY_PSEUDO_INTERNAL_H
#define VERIFY_PSEUDO_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pseudo_draw {
	const int32_t *labels; /* by column */
	const size_t *subject; /* [rows] columns */
	size_t rows;
	const size_t *pool; /* [pool_count] columns of held-out rows */
	size_t pool_count;
	size_t wanted, needed; /* most sets; fewest that are of use */
	uint64_t seed;
};

struct pseudo_sets {
	size_t count;
	size_t disjoint; /* that the pool allows without a common row */
	size_t worth;    /* independent sets that these tell as much as */
	bool class_matched;
};

/*
 * Fills columns [wanted, rows], each set rising. Classes are matched where the pool allows the needed number of
 * disjoint sets of the subject's class mix; else sizes alone: matched sets from a handful of rows are one another's
 * copies.
 *
 * worth: sets that overlap are correlated, and a rank among copies is no evidence. They count for at most twice the
 * disjoint sets; on real people that holds the false alarm rate at alpha (counted at face value it was twice to four
 * times alpha for subjects of two to eight rows). EXP_EMEMORY.
 */
int pseudo_draw(const struct pseudo_draw *d, size_t *columns, struct pseudo_sets *out);

#endif
