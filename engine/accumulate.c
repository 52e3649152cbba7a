#include "engine/accumulate.h"

#include "engine/batch.h"

static int add_rows(const struct accumulation *a, struct batch *b, struct params *sum, struct exp_error *err)
{
	struct session_result result = { .out = sum->values };
	size_t rows = a->source->rows;
	int rc;

	for (size_t first = 0; first < rows; first += b->n) {
		rc = batch_read(b, NULL, first, err);
		if (rc)
			return rc;
		rc = session_backward(a->session, a->at, b->inputs, b->labels, b->n, a->reduce, &result);
		if (rc)
			return error_set(err, rc, "gradients of rows %zu to %zu: %s", first, first + b->n - 1,
					 error_sentence(rc));
		if (a->progress && a->progress->report(a->progress->arg, first + b->n, rows))
			return error_set(err, EXP_ECANCELLED, "%s", error_sentence(EXP_ECANCELLED));
	}
	return 0;
}

int accumulate(const struct accumulation *a, struct params **out, struct exp_error *err)
{
	struct graph *graph = session_graph(a->session);
	struct params *sum = NULL;
	struct batch b = { 0 };
	int rc = batch_init(&b, graph, a->source, session_batch(a->session), err);

	if (rc)
		return rc;
	rc = params_new(graph, &sum);
	if (rc)
		rc = error_set(err, rc, "no memory for the gradients of %zu parameters", graph_parameter_floats(graph));
	else
		rc = add_rows(a, &b, sum, err);
	if (!rc)
		rc = params_check_finite(sum, err);
	batch_fini(&b);
	if (rc)
		params_free(sum);
	else
		*out = sum;
	return rc;
}
