/*
 * layout.h: where blocks of memory lie when each is needed for a while only: blocks whose times do not overlap share.
 *
 * Times are positions in a sequence of steps; a block is alive from first to last, both included. Best fit in the order
 * of first; deterministic. O(n log n) for n blocks and few holes.
 * Threads: any.
 */
#ifndef ENGINE_LAYOUT_H
#define ENGINE_LAYOUT_H

#include <stddef.h>

#include "base/error.h"

struct layout_block {
	size_t size, first, last;
	size_t offset; /* set by layout_assign */
	size_t key;    /* the caller's */
};

/* Reorders blocks. *total: the size of the whole. EXP_EMEMORY, EXP_ELIMIT (more than limit). */
EXP_NODISCARD int layout_assign(struct layout_block *blocks, size_t count, size_t limit, size_t *total);

#endif
