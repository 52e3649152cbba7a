#include "engine/gauss_newton.h"

#include <string.h>

#include "base/mem.h"
#include "engine/batch.h"

/* Buffers for one batch: [n, output floats]. */
struct product {
	const struct gauss_newton *g;
	struct batch batch;
	float *scores, *tangents;
	const float *v;
	float *out;
};

static int multiply_batch(struct product *p, struct exp_error *err)
{
	const struct graph *graph = session_graph(p->g->session);
	size_t positions = graph_positions(graph), classes = graph_classes(graph);
	struct loss loss = { .kind = LOSS_CROSS_ENTROPY, .labels = p->batch.labels };
	struct loss upstream = { .kind = LOSS_UPSTREAM, .targets = p->tangents, .logits = true };
	struct session_tangent forward = { .params = p->g->at,
					   .inputs = p->batch.inputs,
					   .n = p->batch.n,
					   .direction = p->v,
					   .logits = true,
					   .tangents = p->tangents,
					   .scores = p->scores };
	struct session_result result = { .out = p->out };
	struct session_call backward = { .params = p->g->at,
					 .inputs = p->batch.inputs,
					 .n = p->batch.n,
					 .loss = &upstream,
					 .reduce = SESSION_SUM,
					 .result = &result };
	struct loss_batch b = {
		.samples = p->batch.n, .positions = positions, .classes = classes, .scores = p->scores
	};
	int rc = loss_check(&loss, p->batch.n, positions, classes);

	if (rc)
		return error_set(err, rc, "%s", error_sentence(rc));
	rc = session_tangent(p->g->session, &forward, err);
	if (rc)
		return rc;
	loss_hessian_product(&loss, &b, p->tangents, p->tangents);
	return session_run(p->g->session, &backward, err);
}

static int multiply_rows(struct product *p, struct exp_error *err)
{
	size_t rows = p->g->source->rows;

	for (size_t first = 0; first < rows; first += p->batch.n) {
		int rc = batch_read(&p->batch, NULL, first, err);

		if (rc)
			return rc;
		rc = multiply_batch(p, err);
		if (rc)
			return error_wrap(err, rc, "rows %zu to %zu", first, first + p->batch.n - 1);
		if (p->g->progress && p->g->progress->report(p->g->progress->arg, first + p->batch.n, rows))
			return error_set(err, EXP_ECANCELLED, "%s", error_sentence(EXP_ECANCELLED));
	}
	return 0;
}

int gauss_newton_multiply(const struct gauss_newton *g, const float *v, float *out, struct exp_error *err)
{
	struct graph *graph = session_graph(g->session);
	struct product p = { .g = g, .v = v, .out = out };
	size_t floats = graph_output_floats(graph), count = graph_parameter_floats(graph);
	int rc = batch_init(&p.batch, graph, g->source, session_batch(g->session), err);

	if (rc)
		return rc;
	memset(out, 0, count * sizeof(*out));
	p.scores = mem_try_alloc(p.batch.capacity, floats * sizeof(float));
	p.tangents = mem_try_alloc(p.batch.capacity, floats * sizeof(float));
	rc = p.scores && p.tangents
		 ? multiply_rows(&p, err)
		 : error_set(err, EXP_EMEMORY, "no memory for the scores of %zu rows", p.batch.capacity);
	for (size_t i = 0; rc == 0 && i < count && g->source->rows; i++)
		out[i] /= (float)g->source->rows;
	mem_free(p.scores);
	mem_free(p.tangents);
	batch_fini(&p.batch);
	return rc;
}
