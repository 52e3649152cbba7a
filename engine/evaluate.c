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

static int keep(const struct evaluation *out, const struct batch *b, const float *log_probs, size_t classes,
		size_t first)
{
	for (size_t i = 0; i < b->n; i++) {
		int32_t label = b->labels[i];

		if (out->predictions)
			out->predictions[first + i] = argmax(log_probs + i * classes, classes);
		if (out->labels)
			out->labels[first + i] = label;
		if (!out->losses)
			continue;
		if (label < 0 || (size_t)label >= classes)
			return EXP_ERANGE;
		out->losses[first + i] = -log_probs[i * classes + (size_t)label];
	}
	if (out->log_probs)
		memcpy(out->log_probs + first * classes, log_probs, b->n * classes * sizeof(float));
	return 0;
}

static int evaluate_batches(struct session *s, const struct params *p, struct batch *b, struct evaluation *out,
			    float *log_probs, struct exp_error *err)
{
	size_t classes = graph_classes(session_graph(s));
	int rc;

	for (size_t first = 0; first < b->source->rows; first += b->n) {
		rc = batch_read(b, NULL, first, err);
		if (rc)
			return rc;
		rc = score(s, p, b, log_probs, out->gradient_norms ? out->gradient_norms + first : NULL);
		if (!rc)
			rc = keep(out, b, log_probs, classes, first);
		if (rc)
			return error_set(err, rc, "evaluation of rows %zu to %zu: %s", first, first + b->n - 1,
					 error_sentence(rc));
	}
	return 0;
}

int evaluate(struct session *s, const struct params *p, const struct source *source, struct evaluation *out,
	     struct exp_error *err)
{
	size_t classes = graph_classes(session_graph(s)), floats;
	float *log_probs = NULL;
	struct batch b = { 0 };
	int rc = batch_init(&b, session_graph(s), source, session_batch(s), err);

	if (rc)
		return rc;
	if (mem_size(b.capacity, classes, &floats))
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
	int32_t *predictions = mem_try_alloc(source->rows, sizeof(*predictions));
	int32_t *labels = mem_try_alloc(source->rows, sizeof(*labels));
	struct evaluation e = { .predictions = predictions, .labels = labels };
	size_t right = 0;
	int rc;

	if (predictions && labels)
		rc = evaluate(s, p, source, &e, err);
	else
		rc = error_set(err, EXP_EMEMORY, "no memory for the predictions of %zu rows", source->rows);
	for (size_t i = 0; !rc && i < source->rows; i++)
		right += predictions[i] == labels[i];
	if (!rc)
		*accuracy = source->rows ? (double)right / (double)source->rows : NAN;
	mem_free(predictions);
	mem_free(labels);
	return rc;
}
