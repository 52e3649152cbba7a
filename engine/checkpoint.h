/*
 * checkpoint.h: a training run in a file, to be taken up again with the same bits as if it had never stopped.
 *
 * A safetensors file: F32 tensors "parameters" (statistics included), "first" and "second" (the optimiser's state,
 * where it has one), each one flat block in the graph's order; metadata say the format, the seed, the steps taken, and
 * SHA-256 digests of recipe, model (names and shapes of the parameters) and data (rows in their order), so that only
 * the run that wrote it takes it up, and of all of these and the tensors, so that damage is found. A checkpoint holds
 * weights and with them what they learned from people: whoever made it destroys it (file_destroy). Ownership: all
 * pointers are borrowed. Threads: any.
 */
#ifndef ENGINE_CHECKPOINT_H
#define ENGINE_CHECKPOINT_H

#include "base/digest.h"
#include "engine/optim.h"
#include "engine/params.h"

struct checkpoint {
	const struct recipe *recipe;
	uint64_t seed;
	uint8_t data[DIGEST_SIZE];
	struct params *params;
	struct optim *optim; /* its steps are the run's */
};

/* Written whole beside path, synchronised and renamed over it: a power cut leaves the old one or the new one.
 * EXP_EMEMORY (the file's size is needed once), EXP_ENOSPACE, EXP_EIO. */
EXP_NODISCARD int checkpoint_save(const struct checkpoint *c, const char *path, struct exp_error *err);

/* Fills c->params and c->optim. EXP_ENOTFOUND (no such file), EXP_EPARSE (not a checkpoint), EXP_ECORRUPT (its bytes do
 * not have their digest), EXP_ECONFLICT (of another recipe, seed, model or data; the sentence says which). On failure
 * nothing is changed. */
EXP_NODISCARD int checkpoint_load(const struct checkpoint *c, const char *path, struct exp_error *err);

#endif
