#include "engine/importance.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "engine/safetensors.h"
#include "mlp_fixture.h"

static struct importance compute(struct mlp *m, size_t batch, const struct source *source)
{
	struct importance i;
	struct session *s;

	cr_assert_eq(session_new(m->graph, batch, &s, NULL), 0);
	cr_assert_eq(importance_compute(s, m->params, source, NULL, &i, NULL), 0);
	session_free(s);
	return i;
}

static void assert_close(const struct params *a, const struct params *b, float relative)
{
	float largest = 0;

	for (size_t i = 0; i < b->count; i++)
		largest = fmaxf(largest, b->values[i]);
	for (size_t i = 0; i < b->count; i++)
		cr_assert_float_eq(a->values[i], b->values[i], relative * largest, "%zu: %g, not %g", i,
				   (double)a->values[i], (double)b->values[i]);
}

Test(importance, is_what_pytorch_gives_row_by_row)
{
	struct params *golden = NULL;
	struct importance i;
	struct mlp m;

	mlp_open(&m, 1);
	cr_assert_eq(safetensors_load(m.graph, GOLDEN "/offline/mlp_square_sum.safetensors", &golden, NULL, NULL), 0);
	i = compute(&m, 8, &m.rows.source);
	cr_assert_eq(i.rows, MLP_ROWS);
	assert_close(i.sum, golden, 1e-5f);
	importance_fini(&i);
	params_free(golden);
	mlp_close(&m);
}

Test(importance, does_not_depend_on_batch_size_or_order)
{
	struct source_subset shuffled;
	struct importance base;
	size_t order[MLP_ROWS];
	struct rng rng;
	struct mlp m;

	mlp_open(&m, 1);
	rng_init(&rng, 1, "order");
	for (size_t i = 0; i < MLP_ROWS; i++)
		order[i] = i;
	rng_shuffle(&rng, order, MLP_ROWS);
	source_subset_init(&shuffled, &m.rows.source, order, MLP_ROWS);
	base = compute(&m, 1, &m.rows.source);
	for (size_t batch = 2; batch <= 64; batch *= 2) {
		struct importance other = compute(&m, batch, &shuffled.source);

		assert_close(other.sum, base.sum, 1e-6f);
		importance_fini(&other);
	}
	importance_fini(&base);
	mlp_close(&m);
}

Test(importance, subtracting_rows_leaves_those_of_the_rest)
{
	struct source_subset first, rest;
	struct importance all, some, others;
	size_t index[MLP_ROWS];
	struct mlp m;

	mlp_open(&m, 1);
	for (size_t i = 0; i < MLP_ROWS; i++)
		index[i] = i;
	source_subset_init(&first, &m.rows.source, index, 5);
	source_subset_init(&rest, &m.rows.source, index + 5, MLP_ROWS - 5);
	all = compute(&m, 8, &m.rows.source);
	some = compute(&m, 8, &first.source);
	others = compute(&m, 8, &rest.source);
	cr_assert_eq(importance_subtract(&all, &some), 0);
	cr_assert_eq(all.rows, MLP_ROWS - 5);
	assert_close(all.sum, others.sum, 1e-5f);
	cr_assert_eq(importance_subtract(&some, &others), EXP_EINVAL, "more rows than there are");
	memset(others.sum->values, 0x7f, others.sum->count * sizeof(float)); /* huge */
	others.rows = 1;
	cr_assert_eq(importance_subtract(&all, &others), 0);
	for (size_t i = 0; i < all.sum->count; i++)
		cr_assert_eq(all.sum->values[i], 0, "floored at zero");
	importance_fini(&all);
	importance_fini(&some);
	importance_fini(&others);
	mlp_close(&m);
}

Test(importance, survives_a_file_and_refuses_what_is_none)
{
	struct importance made, loaded;
	struct exp_error err = { 0 };
	struct mlp m;
	char *path;

	mlp_open(&m, 1);
	path = file_join(m.folder, "i.safetensors");
	made = compute(&m, 8, &m.rows.source);
	cr_assert_eq(importance_save(&made, path, NULL), 0);
	cr_assert_eq(importance_load(m.graph, path, &loaded, NULL), 0);
	cr_assert_eq(loaded.rows, made.rows);
	cr_assert_eq(memcmp(loaded.sum->values, made.sum->values, made.sum->count * sizeof(float)), 0);
	importance_fini(&loaded);

	made.sum->values[graph_parameter(m.graph, 0)->offset] = -1;
	cr_assert_eq(importance_save(&made, path, NULL), 0);
	cr_assert_eq(importance_load(m.graph, path, &loaded, &err), EXP_ERANGE);
	cr_assert(strstr(err.message, path) != NULL);
	cr_assert_eq(safetensors_save(path, m.params, NULL, NULL), 0);
	cr_assert_eq(importance_load(m.graph, path, &loaded, NULL), EXP_EFIELD, "no row count");
	importance_fini(&made);
	mem_free(path);
	mlp_close(&m);
}

static bool stop_at_second_batch(void *arg, uint64_t done, uint64_t total)
{
	cr_assert_eq(total, MLP_ROWS);
	*(uint64_t *)arg = done;
	return done >= 16;
}

Test(importance, can_be_cancelled_between_batches)
{
	uint64_t seen = 0;
	struct progress progress = { stop_at_second_batch, &seen };
	struct importance i = { 0 };
	struct mlp m;

	mlp_open(&m, 8);
	cr_assert_eq(importance_compute(m.session, m.params, &m.rows.source, &progress, &i, NULL), EXP_ECANCELLED);
	cr_assert_eq(seen, 16);
	cr_assert_null(i.sum);
	mlp_close(&m);
}
