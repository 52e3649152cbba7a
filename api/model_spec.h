/*
 * model_spec.h: a model that is to be registered, checked from end to end before anything is stored: the ONNX file, its
 * shapes against the dataset, the recipe, the policy and whether the held-out rows suffice for it.
 *
 *   {"name": "wages", "dataset": "cps", "onnx": "wages.onnx" | "uploaded": true, "recipe"?: {…}, "policy"?: {…},
 *    "sizes"?: {…}, "shapes"?: {…}, "frozen"?: […]}
 *
 * The last three say what the file leaves open (engine/graph_options.h).
 *
 * Ownership: model_spec_fini frees what checking allocated. Threads: any; blocks, so not an HTTP thread.
 */
#ifndef API_MODEL_SPEC_H
#define API_MODEL_SPEC_H

#include "api/call.h"
#include "base/buf.h"
#include "engine/graph_options.h"
#include "engine/recipe.h"
#include "erasure/policy.h"
#include "storage/db.h"

struct model_spec {
	char name[64], dataset[64];
	char *onnx; /* as given */
	bool is_uploaded;
	json_t *recipe_json, *policy_json; /* borrowed from the body */
	json_t *sizes_json, *shapes_json, *frozen_json;

	struct arena arena; /* of the options */
	struct graph_options options;
	struct buf file; /* the ONNX bytes */
	struct graph *graph;
	bool has_recipe;
	struct recipe recipe;
	struct policy policy;
};

/* What the body says by itself. EXP_EFIELD. */
EXP_NODISCARD int model_spec_parse(const json_t *body, struct model_spec *out, struct exp_error *err);

/* Reads the file and checks everything. EXP_EFIELD, EXP_ENOTFOUND (dataset), EXP_ESHAPE, EXP_EINVAL (policy),
 * EXP_EEXISTS, the errors of graph_load_file. */
EXP_NODISCARD int model_spec_check(const struct api *a, struct model_spec *s, struct exp_error *err);

void model_spec_fini(struct model_spec *s);

#endif
