/*
 * safetensors.h: named tensors in one file: 8-byte little-endian header length, JSON header, raw data (Hugging Face's
 * safetensors).
 *
 * PyTorch users load the result with safetensors.torch.load_file. Only F32 is written; F32 is read.
 */
#ifndef ENGINE_SAFETENSORS_H
#define ENGINE_SAFETENSORS_H

#include "base/json.h"
#include "engine/params.h"

/* One tensor a parameter under its initializer's name. metadata: a JSON object of strings, or NULL; borrowed. Written
 * durably. */
EXP_NODISCARD int safetensors_save(const char *path, const struct params *p, const json_t *metadata,
				   struct exp_error *err);

/* Every parameter of g must be there with its shape, and nothing else: EXP_ESHAPE and EXP_EFIELD name the tensor,
 * EXP_EUNSUPPORTED one that is not F32, EXP_ENONFINITE one with a NaN or an infinity, EXP_EPARSE a broken file.
 * *metadata (may be NULL) receives a new reference, an empty object when the file has none. */
EXP_NODISCARD int safetensors_load(struct graph *g, const char *path, struct params **out, json_t **metadata,
				   struct exp_error *err);

#endif
