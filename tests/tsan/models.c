/*
 * models.c: readers that predict while versions are swapped, drained and looked at. Run under ThreadSanitizer; the exit
 * status is 1 when an answer was wrong, and the sanitizer's own when it saw a race.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "model/predict.h"

enum { READERS = 4, SWAPS = 60, FILE_LIMIT = 1 << 20, ROWS = 5 };

static struct models *models;
static struct graph *graph;
static atomic_bool stop;
static atomic_int wrong;

/* All weights of a version are the same number, so its answers are told from another's. */
static struct snapshot *make_version(int64_t version)
{
	struct snapshot_spec spec = { .model = "m", .graph = graph, .sessions = 2, .batch = 2 };
	char sha256[DIGEST_HEX] = { 0 };
	struct snapshot *s;

	memset(sha256, '0', DIGEST_HEX - 1);
	spec.sha256 = sha256;
	exp_require(params_new(graph, &spec.params) == 0);
	for (size_t i = 0; i < spec.params->count; i++)
		spec.params->values[i] = (float)version / 64;
	exp_require(snapshot_new(&spec, &s, NULL) == 0);
	return s;
}

static void read_often(void *arg)
{
	size_t in = graph_input_floats(graph), classes = graph_classes(graph);
	float *inputs = mem_alloc(ROWS * in * sizeof(*inputs)), *outputs = mem_alloc(ROWS * classes * sizeof(*outputs));
	int64_t newest = 0;

	(void)arg;
	while (!atomic_load(&stop)) {
		struct snapshot *s;

		exp_require(models_take(models, "m", 0, &s, NULL) == 0);
		exp_require(predict(s, inputs, ROWS, outputs, NULL) == 0);
		for (size_t i = 1; i < ROWS * classes; i++)
			if (outputs[i] != outputs[0])
				atomic_fetch_add(&wrong, 1);
		if (s->version < newest)
			atomic_fetch_add(&wrong, 1);
		newest = s->version;
		models_give(models, s);
	}
	mem_free(inputs);
	mem_free(outputs);
}

static void count_one(const struct snapshot *s, void *arg)
{
	*(size_t *)arg += s->version > 0;
}

static void swap_often(void)
{
	for (int64_t version = 2; version <= SWAPS; version++) {
		struct models_drained d = { 0 };
		size_t count = 0;

		models_swap(models, make_version(version), version);
		models_each(models, count_one, &count);
		exp_require(count == 1);
		exp_require(models_drain(models, "m", version - 1, 60000, &d, NULL) == 0);
		exp_require(d.drained);
	}
}

int main(int argc, char **argv)
{
	struct thread readers[READERS] = { 0 };
	struct exp_error err = { 0 };

	exp_require(argc == 2 && crypto_init() == 0);
	if (graph_load_file(argv[1], FILE_LIMIT, &graph, &err)) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	models = models_new("/nowhere");
	models_swap(models, make_version(1), 1);
	for (int i = 0; i < READERS; i++)
		exp_require(thread_start(&readers[i], "reader", read_often, NULL) == 0);
	swap_often();
	atomic_store(&stop, true);
	for (int i = 0; i < READERS; i++)
		thread_join(&readers[i]);
	models_free(models);
	graph_unref(graph);
	printf("%d wrong answers\n", atomic_load(&wrong));
	return atomic_load(&wrong) != 0;
}
