/*
 * plan_cache.h: the plans of one graph for the numbers of samples that occur: the eight that were used last.
 *
 * Ownership: plan_cache_fini. Threads: one at a time; the plans may be shared.
 */
#ifndef ENGINE_PLAN_CACHE_H
#define ENGINE_PLAN_CACHE_H

#include "engine/plan.h"

enum { PLAN_CACHE_SIZE = 8 };

struct plan_cache {
	const struct graph *graph;
	const size_t *taps; /* values; borrowed */
	size_t tap_count;
	struct {
		struct plan plan;
		size_t samples;
		enum plan_kind kind;
		bool training;
		uint64_t used; /* 0: empty */
	} entries[PLAN_CACHE_SIZE];
	uint64_t calls;
};

/* *out is the cache's; it stays valid while fewer than PLAN_CACHE_SIZE - 1 others are asked for. Errors of plan_init.
 */
EXP_NODISCARD int plan_cache_get(struct plan_cache *c, size_t samples, enum plan_kind kind, bool training,
				 const struct plan **out, struct exp_error *err);
void plan_cache_fini(struct plan_cache *c);

#endif
