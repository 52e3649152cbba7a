#include "engine/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "mlp_fixture.h"

static const struct recipe adamw = { .optimizer = RECIPE_ADAMW, .learning_rate = 0.01, .epochs = 3, .batch = 8 };

/* A run that has got somewhere: every float of it is different. */
struct stopped {
	struct mlp mlp;
	struct recipe recipe;
	struct optim optim;
	struct checkpoint checkpoint;
	char *path;
};

static void stop(struct stopped *s)
{
	*s = (struct stopped){ .recipe = adamw };
	mlp_open(&s->mlp, 1);
	cr_assert_eq(optim_init(&s->optim, &s->recipe, s->mlp.graph), 0);
	s->optim.steps = 1234567;
	for (size_t i = 0; i < s->optim.count; i++) {
		s->optim.first[i] = (float)i + 0.25f;
		s->optim.second[i] = -1 / ((float)i + 1);
	}
	s->checkpoint = (struct checkpoint){
		.recipe = &s->recipe, .seed = 9, .data = { 1, 2, 3 }, .params = s->mlp.params, .optim = &s->optim
	};
	s->path = file_join(s->mlp.folder, "run.checkpoint");
}

static void give_up(struct stopped *s)
{
	optim_fini(&s->optim);
	mlp_close(&s->mlp);
	mem_free(s->path);
}

/* Where a checkpoint is read to. */
struct target {
	struct params *params;
	struct optim optim;
	struct checkpoint checkpoint;
};

static void aim(struct target *t, const struct stopped *s)
{
	cr_assert_eq(params_new(s->mlp.graph, &t->params), 0);
	cr_assert_eq(optim_init(&t->optim, &s->recipe, s->mlp.graph), 0);
	t->checkpoint = s->checkpoint;
	t->checkpoint.params = t->params;
	t->checkpoint.optim = &t->optim;
}

static bool is_untouched(const struct target *t)
{
	float any = 0;

	for (size_t i = 0; i < t->optim.count; i++)
		any += fabsf(t->params->values[i]) + fabsf(t->optim.first[i]) + fabsf(t->optim.second[i]);
	return any == 0 && t->optim.steps == 0;
}

static void drop(struct target *t)
{
	params_free(t->params);
	optim_fini(&t->optim);
}

Test(checkpoint, comes_back_to_the_bit)
{
	static const int optimizers[] = { RECIPE_ADAMW, RECIPE_ADAM, RECIPE_SGD };
	size_t size = MLP_FLOATS * sizeof(float);

	for (size_t i = 0; i < sizeof(optimizers) / sizeof(optimizers[0]); i++) {
		struct stopped s;
		struct target t;

		stop(&s);
		optim_fini(&s.optim);
		s.recipe.optimizer = optimizers[i];
		cr_assert_eq(optim_init(&s.optim, &s.recipe, s.mlp.graph), 0);
		s.optim.steps = 77;
		for (size_t k = 0; s.optim.first && k < s.optim.count; k++)
			s.optim.first[k] = 3 - (float)k;
		cr_assert_eq(checkpoint_save(&s.checkpoint, s.path, NULL), 0);
		aim(&t, &s);
		cr_assert_eq(checkpoint_load(&t.checkpoint, s.path, NULL), 0);
		cr_assert_eq(memcmp(t.params->values, s.mlp.params->values, size), 0);
		cr_assert_eq(!t.optim.first, !s.optim.first);
		cr_assert(!s.optim.first || memcmp(t.optim.first, s.optim.first, size) == 0);
		cr_assert(!s.optim.second || memcmp(t.optim.second, s.optim.second, size) == 0);
		cr_assert_eq(t.optim.steps, 77);
		drop(&t);
		give_up(&s);
	}
}

/* Whoever has only the file can read it as what it is. */
Test(checkpoint, is_a_safetensors_file)
{
	struct buf file = { 0 };
	json_t *header, *first;
	struct stopped s;
	uint64_t length;

	stop(&s);
	cr_assert_eq(checkpoint_save(&s.checkpoint, s.path, NULL), 0);
	cr_assert_eq(file_read(s.path, 1 << 20, &file, NULL), 0);
	memcpy(&length, file.data, sizeof(length));
	cr_assert_eq(length % 8, 0);
	cr_assert_eq(file.size, 8 + length + 3 * sizeof(float) * MLP_FLOATS);
	cr_assert_eq(json_parse(file.data + 8, length, &header, NULL), 0);
	first = json_object_get(header, "first");
	cr_assert_str_eq(json_string_value(json_object_get(first, "dtype")), "F32");
	cr_assert_eq(json_integer_value(json_array_get(json_object_get(first, "shape"), 0)), MLP_FLOATS);
	cr_assert_eq(json_integer_value(json_array_get(json_object_get(first, "data_offsets"), 0)),
		     sizeof(float) * MLP_FLOATS);
	cr_assert_eq(memcmp(file.data + 8 + length + sizeof(float) * MLP_FLOATS, s.optim.first,
			    sizeof(float) * MLP_FLOATS),
		     0);
	json_decref(header);
	buf_fini(&file);
	give_up(&s);
}

/* Not durably: there are a thousand of them. */
static void put(const char *path, const void *bytes, size_t size)
{
	FILE *f = fopen(path, "wb");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(bytes, 1, size, f), size);
	cr_assert_eq(fclose(f), 0);
}

static void expect_refusal(const struct stopped *s, const struct buf *file, size_t size, const char *what, size_t at)
{
	struct exp_error err = { 0 };
	struct target t;
	int rc;

	put(s->path, file->data, size);
	aim(&t, s);
	rc = checkpoint_load(&t.checkpoint, s->path, &err);
	cr_assert(rc == EXP_EPARSE || rc == EXP_ECORRUPT, "%s at %zu: %d", what, at, rc);
	cr_assert(strstr(err.message, "run.checkpoint") != NULL, "%s", err.message);
	cr_assert(is_untouched(&t), "%s at %zu", what, at);
	drop(&t);
}

Test(checkpoint, no_damaged_byte_passes)
{
	struct buf file = { 0 };
	struct stopped s;

	stop(&s);
	cr_assert_eq(checkpoint_save(&s.checkpoint, s.path, NULL), 0);
	cr_assert_eq(file_read(s.path, 1 << 20, &file, NULL), 0);
	for (size_t i = 0; i < file.size; i += i < 1000 ? 1 : 37) {
		file.data[i] = (char)(file.data[i] ^ 1 << i % 8);
		expect_refusal(&s, &file, file.size, "a flipped bit", i);
		file.data[i] = (char)(file.data[i] ^ 1 << i % 8);
	}
	for (size_t size = 0; size < file.size; size += 11)
		expect_refusal(&s, &file, size, "cut", size);
	buf_add(&file, "\0\0\0\0", 4);
	expect_refusal(&s, &file, file.size, "something behind it", file.size);
	buf_fini(&file);
	give_up(&s);
}

static void expect_foreign(const struct stopped *s, const char *word)
{
	struct exp_error err = { 0 };
	struct target t;

	aim(&t, s);
	cr_assert_eq(checkpoint_load(&t.checkpoint, s->path, &err), EXP_ECONFLICT, "%s", word);
	cr_assert(strstr(err.message, word) != NULL, "%s: %s", word, err.message);
	cr_assert(is_untouched(&t));
	drop(&t);
}

Test(checkpoint, of_another_run_is_refused_by_name)
{
	struct stopped s;

	stop(&s);
	cr_assert_eq(checkpoint_save(&s.checkpoint, s.path, NULL), 0);
	s.recipe.schedule.warmup = 1;
	expect_foreign(&s, "another recipe");
	s.recipe = adamw;
	s.checkpoint.seed++;
	expect_foreign(&s, "another seed");
	s.checkpoint.seed--;
	s.checkpoint.data[31] = 1;
	expect_foreign(&s, "rows");
	give_up(&s);
}

static void read_into_other_model(const struct stopped *s, const char *model, struct exp_error *err)
{
	struct checkpoint c = s->checkpoint;
	struct optim optim;
	struct graph *g;
	int rc;

	cr_assert_eq(graph_load_file(model, 1 << 20, &g, NULL), 0);
	cr_assert_eq(params_new(g, &c.params), 0);
	cr_assert_eq(optim_init(&optim, &s->recipe, g), 0);
	c.optim = &optim;
	rc = checkpoint_load(&c, s->path, err);
	cr_assert_eq(rc, EXP_ECONFLICT, "%s: %s", model, err->message);
	params_free(c.params);
	optim_fini(&optim);
	graph_unref(g);
}

Test(checkpoint, of_another_model_is_refused)
{
	struct exp_error larger = { 0 }, smaller = { 0 };
	static const char zeros[100000];
	struct buf much = { 0 };
	struct stopped s;

	stop(&s);
	cr_assert_eq(checkpoint_save(&s.checkpoint, s.path, NULL), 0);
	read_into_other_model(&s, GOLDEN "/offline/cnn.onnx", &larger);
	read_into_other_model(&s, GOLDEN "/offline/norm.onnx", &smaller);
	cr_assert(strstr(larger.message, "another model") != NULL, "%s", larger.message);
	cr_assert(strstr(smaller.message, "another model") != NULL, "%s", smaller.message);
	buf_add(&much, zeros, sizeof(zeros));
	cr_assert_eq(file_write_durable(s.path, much.data, much.size, NULL), 0);
	expect_foreign(&s, "another model");
	buf_fini(&much);
	give_up(&s);
}

Test(checkpoint, says_what_is_not_there)
{
	struct exp_error err = { 0 };
	struct stopped s;
	struct target t;

	stop(&s);
	aim(&t, &s);
	cr_assert_eq(checkpoint_load(&t.checkpoint, s.path, &err), EXP_ENOTFOUND);
	cr_assert_eq(checkpoint_save(&s.checkpoint, "/nonexistent/run.checkpoint", &err), EXP_ENOTFOUND);
	mem_fail_at(1);
	cr_assert_eq(checkpoint_save(&s.checkpoint, s.path, &err), EXP_EMEMORY);
	mem_fail_at(0);
	cr_assert_not(file_exists(s.path));
	drop(&t);
	give_up(&s);
}
