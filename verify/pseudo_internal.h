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
	size_t count, disjoint;
	bool class_matched;
};

/* Fills columns [wanted, rows], each set rising. Matches classes when that gives at least the needed sets, else sizes
 * alone. EXP_EMEMORY. */
int pseudo_draw(const struct pseudo_draw *d, size_t *columns, struct pseudo_sets *out);

#endif
