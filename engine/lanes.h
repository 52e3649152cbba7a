/*
 * lanes.h: a few threads that take the shards of a call, and the order in which the shards add to what they share.
 *
 * Shards are taken in rising order. Each passes the same turns; at a turn it waits until the shard before it has passed
 * it. So sums are formed in the shards' order, whatever the number of threads, and while one shard adds its part of one
 * weight the next is busy with another.
 * Ownership: lanes_free. Threads: one caller at a time.
 */
#ifndef ENGINE_LANES_H
#define ENGINE_LANES_H

#include <stddef.h>

#include "base/error.h"

struct lanes;

/* threads: the caller's own included; turns: of a shard. EXP_EMEMORY. */
EXP_NODISCARD int lanes_new(unsigned threads, size_t turns, struct lanes **out, struct exp_error *err);
void lanes_free(struct lanes *l);
unsigned lanes_threads(const struct lanes *l);

/* Calls run(arg, lane, shard) for every shard; lane < threads says which thread's memory to use. The caller works too.
 * Returns when all are done. */
void lanes_run(struct lanes *l, size_t shards, void (*run)(void *arg, unsigned lane, size_t shard), void *arg);

/* Within run: before and after shard adds at turn. */
void lanes_wait(struct lanes *l, size_t shard, size_t turn);
void lanes_pass(struct lanes *l, size_t shard, size_t turn);

#endif
