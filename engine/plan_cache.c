#include "engine/plan_cache.h"

int plan_cache_get(struct plan_cache *c, size_t samples, enum plan_kind kind, bool training, const struct plan **out,
		   struct exp_error *err)
{
	struct plan_options options = { samples, kind, training, c->taps, c->tap_count };
	size_t oldest = 0;
	int rc;

	c->calls++;
	for (size_t i = 0; i < PLAN_CACHE_SIZE; i++) {
		if (c->entries[i].used && c->entries[i].samples == samples && c->entries[i].kind == kind &&
		    c->entries[i].training == training) {
			c->entries[i].used = c->calls;
			*out = &c->entries[i].plan;
			return 0;
		}
		if (c->entries[i].used < c->entries[oldest].used)
			oldest = i;
	}
	if (c->entries[oldest].used)
		plan_fini(&c->entries[oldest].plan);
	c->entries[oldest].used = 0;
	rc = plan_init(&c->entries[oldest].plan, c->graph, &options, err);
	if (rc)
		return rc;
	c->entries[oldest].samples = samples;
	c->entries[oldest].kind = kind;
	c->entries[oldest].training = training;
	c->entries[oldest].used = c->calls;
	*out = &c->entries[oldest].plan;
	return 0;
}

void plan_cache_fini(struct plan_cache *c)
{
	for (size_t i = 0; i < PLAN_CACHE_SIZE; i++)
		if (c->entries[i].used)
			plan_fini(&c->entries[i].plan);
	*c = (struct plan_cache){ 0 };
}
