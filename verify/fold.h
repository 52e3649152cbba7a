/*
 * fold.h: which reference models leave out which rows.
 *
 * R rounds of F folds: each round deals all subjects into F folds of nearly equal rows, and model (round, fold) trains
 * on the rest, so every subject is out of exactly R of the R * F models and in all others. A row without a subject is a
 * subject of its own. Dealing: units in seeded random order, then largest first, each to the lightest fold so far.
 */
#ifndef VERIFY_FOLD_H
#define VERIFY_FOLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
	FOLD_MAX = 100,
	FOLD_PURGED = 253,  /* the row is gone from a score table */
	FOLD_HELDOUT = 254, /* out of every model */
};

/* One round's deal. */
struct fold_deal {
	const int32_t *units; /* [rows] as in struct population */
	size_t rows, folds, round;
	uint64_t seed;
};

/* of [rows] receives 0 … folds-1. EXP_EINVAL: folds below 2 or above FOLD_MAX, fewer subjects than folds. EXP_EMEMORY.
 */
EXP_NODISCARD int fold_deal(const struct fold_deal *deal, uint8_t *of, struct exp_error *err);

#endif
