#include "engine/importance.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/batch.h"
#include "engine/safetensors.h"

static bool is_cancelled(const struct progress *progress, uint64_t done, uint64_t total)
{
	return progress && progress->report(progress->arg, done, total);
}

static int add_rows(struct session *s, const struct params *p, struct batch *b, const struct progress *progress,
		    struct params *sum, struct exp_error *err)
{
	struct session_result result = { .out = sum->values };
	size_t rows = b->source->rows;
	int rc = 0;

	for (size_t first = 0; !rc && first < rows; first += b->n) {
		rc = batch_read(b, NULL, first, err);
		if (rc)
			return rc;
		rc = session_backward(s, p, b->inputs, b->labels, b->n, SESSION_SQUARE_SUM, &result);
		if (rc)
			return error_set(err, rc, "importance of rows %zu to %zu: %s", first, first + b->n - 1,
					 error_sentence(rc));
		if (is_cancelled(progress, first + b->n, rows))
			rc = error_set(err, EXP_ECANCELLED, "%s", error_sentence(EXP_ECANCELLED));
	}
	return rc;
}

int importance_compute(struct session *s, const struct params *p, const struct source *source,
		       const struct progress *progress, struct importance *out, struct exp_error *err)
{
	struct params *sum = NULL;
	struct batch b = { 0 };
	int rc = batch_init(&b, session_graph(s), source, session_batch(s), err);

	if (rc)
		return rc;
	rc = params_new(session_graph(s), &sum);
	if (rc)
		rc = error_set(err, rc, "no memory for an importance");
	if (!rc)
		rc = add_rows(s, p, &b, progress, sum, err);
	batch_fini(&b);
	if (rc) {
		params_free(sum);
		return rc;
	}
	out->sum = sum;
	out->rows = source->rows;
	return 0;
}

int importance_subtract(struct importance *a, const struct importance *b)
{
	if (a->sum->graph != b->sum->graph || b->rows > a->rows)
		return EXP_EINVAL;
	for (size_t i = 0; i < a->sum->count; i++) {
		float left = a->sum->values[i] - b->sum->values[i];

		a->sum->values[i] = left > 0 ? left : 0;
	}
	a->rows -= b->rows;
	return 0;
}

int importance_save(const struct importance *i, const char *path, struct exp_error *err)
{
	char *rows = mem_format("%llu", (unsigned long long)i->rows);
	json_t *metadata = json_pack("{s:s}", "rows", rows);
	int rc = safetensors_save(path, i->sum, metadata, err);

	json_decref(metadata);
	mem_free(rows);
	return rc;
}

/* Decimal digits only, no sign, no space, below 2^63. */
static int parse_rows(const json_t *metadata, uint64_t *rows, struct exp_error *err)
{
	const char *text = json_string_value(json_object_get(metadata, "rows"));
	size_t length = text ? strlen(text) : 0;

	if (!length || length > 18 || strspn(text, "0123456789") != length)
		return error_set(err, EXP_EFIELD, "the metadata field \"rows\" is missing or not a count");
	*rows = strtoull(text, NULL, 10);
	return 0;
}

static int check_sums(const struct importance *i, struct exp_error *err)
{
	for (size_t k = 0; k < i->sum->count; k++)
		if (i->sum->values[k] < 0)
			return error_set(err, EXP_ERANGE, "an importance is a sum of squares, but a value is negative");
	return 0;
}

int importance_load(struct graph *g, const char *path, struct importance *out, struct exp_error *err)
{
	struct importance loaded = { 0 };
	json_t *metadata = NULL;
	int rc = safetensors_load(g, path, &loaded.sum, &metadata, err);

	if (rc)
		return rc;
	rc = parse_rows(metadata, &loaded.rows, err);
	if (!rc)
		rc = check_sums(&loaded, err);
	json_decref(metadata);
	if (rc) {
		importance_fini(&loaded);
		return error_wrap(err, rc, "%s", path);
	}
	*out = loaded;
	return 0;
}

void importance_fini(struct importance *i)
{
	params_free(i->sum);
	memset(i, 0, sizeof(*i));
}
