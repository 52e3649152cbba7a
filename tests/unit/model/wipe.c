/*
 * wipe.c: no weight of a drained version is handed back to the allocator as it was. Linked with --wrap=params_free,
 * which looks at each block before it goes.
 */
#include <criterion/criterion.h>

#include "model/live.h"
#include "tests/unit/model/fixture.h"

static size_t blocks_freed, blocks_with_weights;

void __real_params_free(struct params *p);
void __wrap_params_free(struct params *p);

void __wrap_params_free(struct params *p)
{
	size_t weights = 0;

	for (size_t i = 0; p && i < p->count; i++)
		weights += p->values[i] != 0;
	blocks_freed += p != NULL;
	blocks_with_weights += weights > 0;
	__real_params_free(p);
}

Test(wipe, drained_and_abandoned_weights_are_zeros)
{
	struct fixture f;
	struct models *models;
	struct models_drained d;
	struct snapshot *held;

	fixture_init(&f);
	models = models_new(f.root);
	snapshot_free(fixture_snapshot(&f, "a", 1));
	cr_assert_eq(blocks_freed, 1);
	models_swap(models, fixture_snapshot(&f, "a", 1), 1);
	models_swap(models, fixture_snapshot(&f, "a", 2), 2);
	cr_assert_eq(blocks_freed, 2, "nobody held version 1");
	cr_assert_eq(models_take(models, "a", 2, &held, NULL), 0);
	models_swap(models, fixture_snapshot(&f, "a", 3), 3);
	cr_assert_eq(blocks_freed, 2, "version 2 is held");
	models_give(models, held);
	cr_assert_eq(blocks_freed, 3, "the last reader wipes");
	cr_assert_eq(models_drain(models, "a", 2, 0, &d, NULL), 0);
	cr_assert(d.drained);
	models_free(models);
	cr_assert_eq(blocks_freed, 4);
	cr_assert_eq(blocks_with_weights, 0);
	fixture_fini(&f);
}
