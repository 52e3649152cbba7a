/*
 * scores_internal.h: the layout of a score table's files, for scores.c and scores_purge.c.
 *
 *   table       struct scores_header, uint64 rows [columns], int32 labels [columns], uint8 fold [rounds, columns],
 *               float32 feature spread [row_floats]
 *   model-NNNN  struct scores_model_header, float32 [columns, STATISTICS]
 */
#ifndef VERIFY_SCORES_INTERNAL_H
#define VERIFY_SCORES_INTERNAL_H

#include "base/digest.h"
#include "verify/scores.h"

/* The last two bytes tell the byte order: another machine's float arrays would be read wrongly. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SCORES_MAGIC       "EXPST1le"
#define SCORES_MODEL_MAGIC "EXPSM1le"
#else
#define SCORES_MAGIC       "EXPST1be"
#define SCORES_MODEL_MAGIC "EXPSM1be"
#endif

struct scores_header {
	char magic[8];
	uint64_t statistics, rounds, folds, columns, row_floats, neighbours, seed;
	double neighbour_spread, finetune_epochs;
};

struct scores_model_header {
	char magic[8];
	uint64_t model;
	uint8_t table[DIGEST_SIZE]; /* of the table that it belongs to */
	struct behaviour behaviour;
};

char *scores_table_path(const char *folder); /* mem_free */
char *scores_model_path(const char *folder, size_t model);
size_t scores_offset_labels(const struct scores *s);
size_t scores_offset_fold(const struct scores *s);

/* The table without its models. */
EXP_NODISCARD int scores_load_table(const char *folder, struct scores *out, struct exp_error *err);

/* The column of a row, purged or not; SIZE_MAX when there is none. */
size_t scores_find_row(const struct scores *s, size_t row);

#endif
