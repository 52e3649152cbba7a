/*
 * indexing.h: which rows of a tensor an index tensor names, for GatherElements, GatherND, ScatterElements, ScatterND.
 *
 * Data are seen as [rows, width]: single elements for …Elements, slices for …ND. A *place* is one row that is taken or
 * written; the places have dimensions of their own, and a place's row is a base that follows from where the place
 * stands, plus what its indices say.
 *
 * Indices may come from the data. One that names no row, or a row of another sample, makes its place's row
 * INDEXING_NONE. Threads: constant once it is made.
 */
#ifndef ENGINE_INDEXING_H
#define ENGINE_INDEXING_H

#include "engine/spread.h"

#define INDEXING_NONE INT64_MIN

struct indexing {
	size_t places, rows, width;
	size_t rank, dims[GRAPH_MAX_DIMS]; /* of the places */
	size_t steps[GRAPH_MAX_DIMS];      /* rows to the base for a step along each */
	size_t tuple;                      /* indices for each place */
	size_t index_at[GRAPH_MAX_DIMS];   /* indices to the next tuple for a step along each; 0: the same */
	size_t sizes[GRAPH_MAX_DIMS];      /* of the data's dimensions that they index */
	size_t index_steps[GRAPH_MAX_DIMS];
	struct spread spread; /* …Elements: the indices, to one for each place */

	/* When the data's samples are indexed, index own of a tuple must name the place's own sample; else tuple. In a
	 * file that was made for one sample 0 means each. */
	size_t own, own_after, samples, inner;
	bool of_one;
};

/* Input i indexes one axis of data of shape data, which is not the one with the samples; places is its shape with all
 * samples. Data of size 1 where places are more serve them all. */
EXP_NODISCARD int indexing_elements(struct op_build *b, size_t i, const struct spread_place *places,
				    const struct shape *data, size_t axis, struct indexing *out, struct exp_error *err);

/* Input i holds tuples in its last dimension, which index dimensions first … of data; those in front of first are the
 * places' own. */
struct indexing_tuples {
	const struct shape *data;
	size_t first;
	const struct op_samples *own; /* of the data, when an indexed dimension holds them; else NULL */
	bool shared; /* the tuples are one sample's, for all; a dimension of 1 becomes that of samples */
	size_t axis; /* that dimension */
};

/* Whether the tuples of input i may serve all samples: the file was made for one. *axis: a dimension of 1. */
bool indexing_may_share(const struct op_build *b, size_t i, const struct op_samples *own, size_t *axis);

EXP_NODISCARD int indexing_tuples(struct op_build *b, size_t i, const struct indexing_tuples *how, struct indexing *out,
				  struct exp_error *err);

/* Indices that are known must all name a row. EXP_ESHAPE. */
EXP_NODISCARD int indexing_check(const struct op_build *b, size_t i, const struct indexing *x, struct exp_error *err);

/* rows [places] */
void indexing_rows(const struct indexing *x, const int64_t *indices, int64_t *rows);

/* What stands where nothing is named: NaN, of integers the least number, which is no index either, so that the caller's
 * check for finite results reports it. */
void indexing_fill_missing(enum tensor_type type, void *out, size_t count);

#endif
