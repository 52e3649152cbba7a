/*
 * people_fixture.h: the wages of 534 real people (examples/cps-wages-1985) as a population, and its network, trained
 * here for a shorter time than in the example: enough to know its people by heart.
 */
#ifndef TESTS_VERIFY_PEOPLE_FIXTURE_H
#define TESTS_VERIFY_PEOPLE_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "engine/npy.h"
#include "engine/train.h"
#include "verify/score.h"

enum { PEOPLE_TRAIN = 236, PEOPLE_HELDOUT = 118 };

struct people {
	struct graph *graph;
	struct params *initial, *served;
	struct session *session;
	struct npy inputs, labels;
	struct npy_source source;
	struct recipe recipe;
	size_t train[PEOPLE_TRAIN], heldout[PEOPLE_HELDOUT];
	int32_t train_units[PEOPLE_TRAIN], heldout_units[PEOPLE_HELDOUT];
	struct population population;
	char folder[40]; /* an empty folder for this test's files */
};

/*
 * Of each nine rows four train and two are held out, because the file is sorted by occupation; for the same reason the
 * rows_each training rows that make one person are taken from all over it.
 */
static inline void people_rows(struct people *p, size_t rows_each)
{
	for (size_t i = 0; i < PEOPLE_TRAIN; i++) {
		p->train[i] = 9 * (i / 4) + 2 * (i % 4);
		p->train_units[i] = (int32_t)(i % (PEOPLE_TRAIN / rows_each));
	}
	for (size_t i = 0; i < PEOPLE_HELDOUT; i++) {
		p->heldout[i] = 9 * (i / 2) + 1 + 4 * (i % 2);
		p->heldout_units[i] = (int32_t)i;
	}
	p->population = (struct population){ .source = &p->source.source,
					     .train = { p->train, PEOPLE_TRAIN },
					     .heldout = { p->heldout, PEOPLE_HELDOUT },
					     .train_units = p->train_units,
					     .heldout_units = p->heldout_units };
}

static inline void people_open(struct people *p, size_t rows_each)
{
	struct source_subset train;
	struct exp_error err = { 0 };

	*p = (struct people){ .folder = "/tmp/expunge-people-XXXXXX",
			      .recipe = { .optimizer = RECIPE_ADAMW,
					  .learning_rate = 0.004,
					  .weight_decay = 0.01,
					  .beta1 = 0.9,
					  .beta2 = 0.999,
					  .epsilon = 1e-8,
					  .epochs = 50,
					  .batch = 48,
					  .seed = 1 } };
	cr_assert_eq(crypto_init(), 0);
	cr_assert_not_null(mkdtemp(p->folder));
	cr_assert_eq(npy_open(EXAMPLES "/cps-wages-1985/inputs.npy", &p->inputs, &err), 0, "%s", err.message);
	cr_assert_eq(npy_open(EXAMPLES "/cps-wages-1985/labels.npy", &p->labels, &err), 0, "%s", err.message);
	cr_assert_eq(npy_source_init(&p->source, &p->inputs, &p->labels, 1, 0, &err), 0, "%s", err.message);
	cr_assert_eq(graph_load_file(EXAMPLES "/cps-wages-1985/model.onnx", 1 << 24, &p->graph, &err), 0, "%s",
		     err.message);
	cr_assert_eq(graph_initial_params(p->graph, &p->initial), 0);
	cr_assert_eq(params_clone(p->initial, &p->served), 0);
	cr_assert_eq(session_new(p->graph, score_batch(&p->recipe), &p->session, NULL), 0);
	people_rows(p, rows_each);
	source_subset_init(&train, &p->source.source, p->train, PEOPLE_TRAIN);
	cr_assert_eq(train_initialize(&p->recipe, 1, p->initial, p->served, NULL), 0);
	cr_assert_eq(train_run(p->session, &p->recipe, 1, &train.source, p->served, NULL, NULL), 0);
}

static inline void people_close(struct people *p)
{
	char *command = mem_format("rm -rf %s", p->folder);

	cr_assert_eq(system(command), 0);
	mem_free(command);
	session_free(p->session);
	params_free(p->initial);
	params_free(p->served);
	npy_close(&p->inputs);
	npy_close(&p->labels);
	graph_unref(p->graph);
}

#endif
