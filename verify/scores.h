/*
 * scores.h: the score table: what every reference model said of every row, kept when the models themselves are gone.
 *
 * In a folder: "table" (rounds, folds, seed, row numbers, labels, fold of each row in each round, feature spreads) and
 * one "model-NNNN" for each finished reference (its behaviour and float32 [columns, STATISTICS]), each written by
 * rename, so that training resumes at the models whose file is missing. Reference weights are never written.
 *
 * A row's purge overwrites its scores, label and folds in place, in every file, fsyncs and reads back; its row number
 * stays, so that a purge can be repeated. Files are in the machine's byte order, with a mark that refuses another's.
 * Threads: a loaded table is read only.
 */
#ifndef VERIFY_SCORES_H
#define VERIFY_SCORES_H

#include <stdbool.h>

#include "verify/behaviour.h"
#include "verify/statistic.h"

struct scores {
	size_t rounds, folds, models; /* models = rounds * folds; model = round * folds + fold */
	size_t columns, row_floats;
	size_t neighbours;
	double neighbour_spread, finetune_epochs;
	uint64_t seed;
	size_t *rows;                /* [columns] row numbers, rising */
	int32_t *labels;             /* [columns] */
	uint8_t *fold;               /* [rounds, columns] of fold.h */
	float *feature_spread;       /* [row_floats] */
	float *values;               /* [models, columns, STATISTICS]; NaN where a row is purged or a model missing */
	struct behaviour *behaviour; /* [models] */
	bool *done;                  /* [models] */
};

/* A new table's folder; arrays of setup are borrowed; values, behaviour and done are not used. An existing table with
 * the same setup is kept (that is a resumed run); another one is EXP_ECONFLICT. */
EXP_NODISCARD int scores_create(const char *folder, const struct scores *setup, struct exp_error *err);

/* Overwrites and removes the table and its models; a missing folder is success. */
EXP_NODISCARD int scores_destroy(const char *folder, struct exp_error *err);

/* Everything that is there. EXP_ENOTFOUND, EXP_ECORRUPT (names the file), EXP_EMEMORY. */
EXP_NODISCARD int scores_load(const char *folder, struct scores *out, struct exp_error *err);
void scores_fini(struct scores *s);

/* True when every model is there. */
bool scores_complete(const struct scores *s);

/* values [columns, STATISTICS] of one finished model, durably. Threads: any, for different models. */
EXP_NODISCARD int scores_write_model(const char *folder, const struct scores *setup, size_t model,
				     const struct behaviour *behaviour, const float *values, struct exp_error *err);

/* Overwrites the rows in the folder's files. Rows that the table does not know are fine; idempotent; a missing folder
 * too. EXP_EVERIFY when reading back finds something else than was written. */
EXP_NODISCARD int scores_purge(const char *folder, struct row_list rows, struct exp_error *err);

/* The column of a row, SIZE_MAX when the table does not know it (added later, or purged). */
size_t scores_column(const struct scores *s, size_t row);

static inline const float *scores_at(const struct scores *s, size_t model, size_t column)
{
	return s->values + (model * s->columns + column) * STATISTICS;
}

/* True when model never saw the column's row. */
bool scores_is_out(const struct scores *s, size_t model, size_t column);

#endif
