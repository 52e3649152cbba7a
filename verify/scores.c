#include "verify/scores.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "verify/fold.h"
#include "verify/scores_internal.h"

static const size_t TABLE_LIMIT = (size_t)1 << 36;

static struct scores_header header_of(const struct scores *s)
{
	struct scores_header h = {
		.magic = SCORES_MAGIC,
		.statistics = STATISTICS,
		.rounds = s->rounds,
		.folds = s->folds,
		.columns = s->columns,
		.row_floats = s->row_floats,
		.neighbours = s->neighbours,
		.seed = s->seed,
		.neighbour_spread = s->neighbour_spread,
		.finetune_epochs = s->finetune_epochs,
	};

	return h;
}

/* Of what a purge leaves alone: ties a model's file to its table. */
static void identify(const struct scores *s, uint8_t id[DIGEST_SIZE])
{
	struct scores_header h = header_of(s);
	struct digest d;

	digest_init(&d);
	digest_add(&d, &h, sizeof(h));
	digest_add(&d, s->rows, s->columns * sizeof(*s->rows));
	digest_final(&d, id);
}

char *scores_table_path(const char *folder)
{
	return file_join(folder, "table");
}

char *scores_model_path(const char *folder, size_t model)
{
	return mem_format("%s/model-%04zu", folder, model);
}

size_t scores_offset_labels(const struct scores *s)
{
	return sizeof(struct scores_header) + s->columns * sizeof(uint64_t);
}

size_t scores_offset_fold(const struct scores *s)
{
	return scores_offset_labels(s) + s->columns * sizeof(int32_t);
}

static size_t table_size(const struct scores *s)
{
	return scores_offset_fold(s) + s->rounds * s->columns + s->row_floats * sizeof(float);
}

static size_t model_size(const struct scores *s)
{
	return sizeof(struct scores_model_header) + s->columns * STATISTICS * sizeof(float);
}

static int write_table(const char *path, const struct scores *s, struct exp_error *err)
{
	struct scores_header h = header_of(s);
	struct buf b = { 0 };
	int rc;

	buf_add(&b, &h, sizeof(h));
	for (size_t i = 0; i < s->columns; i++) {
		uint64_t row = s->rows[i];

		buf_add(&b, &row, sizeof(row));
	}
	buf_add(&b, s->labels, s->columns * sizeof(*s->labels));
	buf_add(&b, s->fold, s->rounds * s->columns);
	buf_add(&b, s->feature_spread, s->row_floats * sizeof(float));
	rc = file_write_durable(path, b.data, b.size, err);
	buf_fini(&b);
	return rc;
}

static bool is_sane(const struct scores_header *h, size_t size)
{
	return memcmp(h->magic, SCORES_MAGIC, sizeof(h->magic)) == 0 && h->statistics == STATISTICS && h->rounds > 0 &&
	       h->rounds < 10000 && h->folds >= 2 && h->folds <= FOLD_MAX && h->columns <= size &&
	       h->row_floats <= size;
}

static bool allocate(struct scores *s)
{
	s->rows = mem_try_alloc(s->columns, sizeof(*s->rows));
	s->labels = mem_try_alloc(s->columns, sizeof(*s->labels));
	s->fold = mem_try_alloc(s->columns, s->rounds);
	s->feature_spread = mem_try_alloc(s->row_floats, sizeof(float));
	s->behaviour = mem_try_alloc(s->models, sizeof(*s->behaviour));
	s->done = mem_try_alloc(s->models, sizeof(*s->done));
	return s->rows && s->labels && s->fold && s->feature_spread && s->behaviour && s->done;
}

static void unpack_table(struct scores *s, const char *data)
{
	for (size_t i = 0; i < s->columns; i++) {
		uint64_t row;

		memcpy(&row, data + sizeof(struct scores_header) + i * sizeof(row), sizeof(row));
		s->rows[i] = row;
	}
	memcpy(s->labels, data + scores_offset_labels(s), s->columns * sizeof(*s->labels));
	memcpy(s->fold, data + scores_offset_fold(s), s->rounds * s->columns);
	memcpy(s->feature_spread, data + scores_offset_fold(s) + s->rounds * s->columns, s->row_floats * sizeof(float));
}

static int parse_table(const char *path, const struct buf *b, struct scores *out, struct exp_error *err)
{
	struct scores s = { 0 };
	struct scores_header h;

	if (b->size < sizeof(h))
		return error_set(err, EXP_ECORRUPT, "%s is too short to be a score table", path);
	memcpy(&h, b->data, sizeof(h));
	if (!is_sane(&h, b->size))
		return error_set(err, EXP_ECORRUPT, "%s is not a score table of this version and machine", path);
	s.rounds = h.rounds;
	s.folds = h.folds;
	s.models = h.rounds * h.folds;
	s.columns = h.columns;
	s.row_floats = h.row_floats;
	s.neighbours = h.neighbours;
	s.neighbour_spread = h.neighbour_spread;
	s.finetune_epochs = h.finetune_epochs;
	s.seed = h.seed;
	if (b->size != table_size(&s))
		return error_set(err, EXP_ECORRUPT, "%s has %zu bytes instead of %zu", path, b->size, table_size(&s));
	if (!allocate(&s)) {
		scores_fini(&s);
		return error_set(err, EXP_EMEMORY, "no memory for the score table %s", path);
	}
	unpack_table(&s, b->data);
	*out = s;
	return 0;
}

int scores_load_table(const char *folder, struct scores *out, struct exp_error *err)
{
	char *path = scores_table_path(folder);
	struct buf b = { 0 };
	int rc = file_read(path, TABLE_LIMIT, &b, err);

	if (!rc)
		rc = parse_table(path, &b, out, err);
	buf_fini(&b);
	mem_free(path);
	return rc;
}

/* A purged column says nothing of the folds that it had; everything else must be equal. */
static bool same_setup(const struct scores *a, const struct scores *b)
{
	struct scores_header x = header_of(a), y = header_of(b);

	if (memcmp(&x, &y, sizeof(x)) != 0 || memcmp(a->rows, b->rows, a->columns * sizeof(*a->rows)) != 0 ||
	    memcmp(a->feature_spread, b->feature_spread, a->row_floats * sizeof(float)) != 0)
		return false;
	for (size_t c = 0; c < a->columns; c++)
		for (size_t r = 0; r < a->rounds; r++)
			if (a->fold[c] != FOLD_PURGED && a->fold[r * a->columns + c] != b->fold[r * a->columns + c])
				return false;
	return true;
}

int scores_create(const char *folder, const struct scores *setup, struct exp_error *err)
{
	char *path = scores_table_path(folder);
	struct scores old = { 0 };
	int rc = file_make_folder(folder, err);

	if (!rc && !file_exists(path)) {
		rc = write_table(path, setup, err);
	} else if (!rc) {
		rc = scores_load_table(folder, &old, err);
		if (!rc && !same_setup(&old, setup))
			rc = error_set(err, EXP_ECONFLICT, "%s belongs to other rows or another policy", path);
		scores_fini(&old);
	}
	mem_free(path);
	return rc;
}

int scores_write_model(const char *folder, const struct scores *setup, size_t model, const struct behaviour *behaviour,
		       const float *values, struct exp_error *err)
{
	struct scores_model_header h = { .magic = SCORES_MODEL_MAGIC, .model = model, .behaviour = *behaviour };
	char *path = scores_model_path(folder, model);
	struct buf b = { 0 };
	int rc;

	identify(setup, h.table);
	buf_add(&b, &h, sizeof(h));
	buf_add(&b, values, setup->columns * STATISTICS * sizeof(float));
	rc = file_write_durable(path, b.data, b.size, err);
	buf_fini(&b);
	mem_free(path);
	return rc;
}

static int parse_model(const char *path, const struct buf *b, size_t model, struct scores *s, struct exp_error *err)
{
	struct scores_model_header h;
	uint8_t id[DIGEST_SIZE];

	if (b->size != model_size(s))
		return error_set(err, EXP_ECORRUPT, "%s has %zu bytes instead of %zu", path, b->size, model_size(s));
	memcpy(&h, b->data, sizeof(h));
	identify(s, id);
	if (memcmp(h.magic, SCORES_MODEL_MAGIC, sizeof(h.magic)) != 0 || h.model != model ||
	    memcmp(h.table, id, sizeof(id)) != 0)
		return error_set(err, EXP_ECORRUPT, "%s does not belong to the table beside it", path);
	memcpy(s->values + model * s->columns * STATISTICS, b->data + sizeof(h), b->size - sizeof(h));
	s->behaviour[model] = h.behaviour;
	s->done[model] = true;
	return 0;
}

static int load_model(const char *folder, size_t model, struct scores *s, struct exp_error *err)
{
	char *path = scores_model_path(folder, model);
	struct buf b = { 0 };
	int rc = 0;

	if (file_exists(path)) {
		rc = file_read(path, model_size(s), &b, err);
		if (!rc)
			rc = parse_model(path, &b, model, s, err);
	}
	buf_fini(&b);
	mem_free(path);
	return rc;
}

static int load_models(const char *folder, struct scores *s, struct exp_error *err)
{
	size_t count;
	int rc = 0;

	if (mem_size(s->models, s->columns, &count) && mem_size(count, STATISTICS, &count))
		s->values = mem_try_alloc(count, sizeof(float));
	if (!s->values)
		return error_set(err, EXP_EMEMORY, "no memory for the scores of %zu models", s->models);
	for (size_t i = 0; i < count; i++)
		s->values[i] = NAN;
	for (size_t m = 0; !rc && m < s->models; m++)
		rc = load_model(folder, m, s, err);
	return rc;
}

int scores_load(const char *folder, struct scores *out, struct exp_error *err)
{
	struct scores s = { 0 };
	int rc = scores_load_table(folder, &s, err);

	if (!rc)
		rc = load_models(folder, &s, err);
	if (rc)
		scores_fini(&s);
	else
		*out = s;
	return rc;
}

void scores_fini(struct scores *s)
{
	mem_free(s->rows);
	mem_free(s->labels);
	mem_free(s->fold);
	mem_free(s->feature_spread);
	mem_free(s->values);
	mem_free(s->behaviour);
	mem_free(s->done);
	*s = (struct scores){ 0 };
}

bool scores_complete(const struct scores *s)
{
	for (size_t m = 0; m < s->models; m++)
		if (!s->done[m])
			return false;
	return s->models > 0;
}

size_t scores_find_row(const struct scores *s, size_t row)
{
	size_t low = 0, high = s->columns;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->rows[middle] < row)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->columns && s->rows[low] == row ? low : SIZE_MAX;
}

size_t scores_column(const struct scores *s, size_t row)
{
	size_t column = scores_find_row(s, row);

	return column != SIZE_MAX && s->fold[column] != FOLD_PURGED ? column : SIZE_MAX;
}

bool scores_is_out(const struct scores *s, size_t model, size_t column)
{
	uint8_t fold = s->fold[(model / s->folds) * s->columns + column];

	return fold == FOLD_HELDOUT || fold == model % s->folds;
}
