#include "engine/importance.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/safetensors.h"

int importance_compute(struct session *s, const struct params *p, const struct source *source,
		       const struct progress *progress, struct importance *out, struct exp_error *err)
{
	struct accumulation a = { s, p, source, SESSION_SQUARE_SUM, progress };
	struct params *sum;
	int rc = accumulate(&a, &sum, err);

	if (rc)
		return rc;
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
