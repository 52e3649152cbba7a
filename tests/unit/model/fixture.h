/*
 * fixture.h: a data folder and a family of models that differ in their weights alone, for the tests of this folder.
 */
#ifndef MODEL_FIXTURE_H
#define MODEL_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "model/live.h"
#include "tests/unit/engine/golden_model.h"

struct fixture {
	char root[64];              /* a fresh folder, removed by fixture_fini; the data folder */
	struct golden_model golden; /* PyTorch's mlp_logits, and what PyTorch computed for it */
};

void fixture_init(struct fixture *f);
void fixture_fini(struct fixture *f);

/* The golden weights for variant 0, others for each other variant. */
struct params *fixture_params(const struct fixture *f, int variant);

/* An unpublished snapshot of these weights, under an invented digest. */
struct snapshot *fixture_snapshot(const struct fixture *f, const char *model, int variant);

/* What the engine itself gives for the golden rows at these weights: [rows, classes], free(). */
float *fixture_outputs(const struct fixture *f, int variant);

/* Files below the data folder that hold the bytes; all files when bytes is NULL. */
size_t fixture_files(const struct fixture *f, const void *bytes, size_t size);

#endif
