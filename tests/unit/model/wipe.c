/*
 * wipe.c: no weight of a drained version is handed back to the allocator as it was. Linked with --wrap=free, which
 * looks at each block before it goes, and --wrap=params_free, which counts.
 */
#include <criterion/criterion.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/predict.h"
#include "model/stage.h"
#include "tests/unit/model/fixture.h"

static size_t blocks_freed;

void __real_params_free(struct params *p);
void __wrap_params_free(struct params *p);

void __wrap_params_free(struct params *p)
{
	blocks_freed += p != NULL;
	__real_params_free(p);
}

static const void *secret;
static size_t secret_size, blocks_with_secret;

void __real_free(void *p);
void __wrap_free(void *p);

void __wrap_free(void *p)
{
	if (p && secret)
		blocks_with_secret += memmem(p, malloc_usable_size(p), secret, secret_size) != NULL;
	__real_free(p);
}

Test(wipe, weights_go_with_their_last_reader)
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
	fixture_fini(&f);
}

/* A snapshot from disk has a graph of its own, which keeps the bytes of the file. */
Test(wipe, nothing_that_is_freed_holds_a_weight)
{
	struct fixture f;
	struct models *models;
	struct snapshot *held;
	struct params *p;
	struct staged s;
	float weights[8], *outputs;
	char *seen;

	fixture_init(&f);
	models = models_new(f.root);
	p = fixture_params(&f, 1);
	cr_assert_eq(model_stage(&(struct stage_spec){ .data_folder = f.root, .model = "a", .params = p }, &s, NULL),
		     0);
	memcpy(weights, p->values, sizeof(weights));
	params_free(p);
	outputs = calloc(f.golden.rows * f.golden.classes, sizeof(*outputs));
	models_swap(models, s.snapshot, 1);
	cr_assert_eq(models_take(models, "a", 0, &held, NULL), 0);
	cr_assert_eq(predict(held, f.golden.inputs, f.golden.rows, outputs, NULL), 0);
	models_give(models, held);
	secret = weights;
	secret_size = sizeof(weights);
	models_swap(models, fixture_snapshot(&f, "a", 2), 2);
	cr_assert_eq(blocks_with_secret, 0);
	seen = mem_alloc(100);
	memcpy(seen + 9, weights, sizeof(weights));
	mem_free(seen);
	cr_assert_eq(blocks_with_secret, 1, "the look must be able to see");
	secret = NULL;
	models_free(models);
	free(outputs);
	fixture_fini(&f);
}
