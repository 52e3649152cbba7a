#include "engine/evaluate.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/batch.h"

static int32_t argmax(const float *values, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		if (values[i] > values[best])
			best = i;
	return (int32_t)best;
}

/* One batch: log-probabilities, and squared gradient norms when they are wanted. */
static int score(struct session *s, const struct params *p, const struct batch *b, float *log_probs, double *norms)
{
	struct session_result result = { .dots = norms, .log_probs = log_probs };

	if (norms)
		return session_backward(s, p, b->inputs, b->labels, b->n, SESSION_NORM, &result);
	return session_log_probs(s, p, b->inputs, b->n, log_probs);
}

/* The mean over what is labelled. */
static int loss_of(const float *log_probs, const int32_t *labels, size_t positions, size_t classes, float *out)
{
	size_t labelled = 0;
	double sum = 0.0;

	for (size_t t = 0; t < positions; t++) {
		if (positions > 1 && labels[t] == LOSS_NO_LABEL)
			continue;
		if (labels[t] < 0 || (size_t)labels[t] >= classes)
			return EXP_ERANGE;
		sum -= (double)log_probs[t * classes + (size_t)labels[t]];
		labelled++;
	}
	*out = labelled ? (float)(sum / (double)labelled) : 0.0f;
	return 0;
}

static int keep(const struct evaluation *out, const struct batch *b, const float *log_probs, const struct graph *g,
		size_t first)
{
	size_t classes = graph_classes(g), positions = graph_positions(g), floats = positions * classes;

	for (size_t i = 0; i < b->n; i++) {
		int rc = 0;

		for (size_t t = 0; out->predictions && t < positions; t++)
			out->predictions[(first + i) * positions + t] =
			    argmax(log_probs + i * floats + t * classes, classes);
		if (out->losses)
			rc = loss_of(log_probs + i * floats, b->labels + i * positions, positions, classes,
				     &out->losses[first + i]);
		if (rc)
			return rc;
	}
	if (out->labels)
		memcpy(out->labels + first * positions, b->labels, b->n * positions * sizeof(*b->labels));
	if (out->log_probs)
		memcpy(out->log_probs + first * floats, log_probs, b->n * floats * sizeof(float));
	return 0;
}

static int evaluate_batches(struct session *s, const struct params *p, struct batch *b, struct evaluation *out,
			    float *log_probs, struct exp_error *err)
{
	int rc;

	for (size_t first = 0; first < b->source->rows; first += b->n) {
		rc = batch_read(b, NULL, first, err);
		if (rc)
			return rc;
		rc = score(s, p, b, log_probs, out->gradient_norms ? out->gradient_norms + first : NULL);
		if (!rc)
			rc = keep(out, b, log_probs, session_graph(s), first);
		if (rc)
			return error_set(err, rc, "evaluation of rows %zu to %zu: %s", first, first + b->n - 1,
					 error_sentence(rc));
	}
	return 0;
}

int evaluate(struct session *s, const struct params *p, const struct source *source, struct evaluation *out,
	     struct exp_error *err)
{
	size_t floats;
	float *log_probs = NULL;
	struct batch b = { 0 };
	int rc = batch_init(&b, session_graph(s), source, session_batch(s), err);

	if (rc)
		return rc;
	if (mem_size(b.capacity, graph_output_floats(session_graph(s)), &floats))
		log_probs = mem_try_alloc(floats, sizeof(*log_probs));
	if (log_probs)
		rc = evaluate_batches(s, p, &b, out, log_probs, err);
	else
		rc = error_set(err, EXP_EMEMORY, "no memory for the scores of %zu rows", b.capacity);
	mem_free(log_probs);
	batch_fini(&b);
	return rc;
}

int evaluate_accuracy(struct session *s, const struct params *p, const struct source *source, double *accuracy,
		      struct exp_error *err)
{
	size_t positions = graph_positions(session_graph(s)), right = 0, labelled = 0;
	int32_t *predictions = mem_try_alloc(source->rows, positions * sizeof(*predictions));
	int32_t *labels = mem_try_alloc(source->rows, positions * sizeof(*labels));
	struct evaluation e = { .predictions = predictions, .labels = labels };
	int rc;

	if (predictions && labels)
		rc = evaluate(s, p, source, &e, err);
	else
		rc = error_set(err, EXP_EMEMORY, "no memory for the predictions of %zu rows", source->rows);
	for (size_t i = 0; !rc && i < source->rows * positions; i++) {
		labelled += labels[i] != LOSS_NO_LABEL;
		right += predictions[i] == labels[i];
	}
	if (!rc)
		*accuracy = labelled ? (double)right / (double)labelled : NAN;
	mem_free(predictions);
	mem_free(labels);
	return rc;
}
