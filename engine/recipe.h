/*
 * recipe.h: how a model is trained, as its owner writes it down (JSON), and the numbers that follow from it.
 *
 *   {"optimizer": "adamw", "learning_rate": 0.001, "epochs": 150, "batch": 32, "seed": 1, "weight_decay": 0.01,
 *    "momentum": 0.9, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "drop_last": true,
 *    "initialization": "pytorch_default"}
 *
 * optimizer: "sgd" (momentum as PyTorch's SGD) or "adamw" (Loshchilov and Hutter, ICLR 2019, as PyTorch's AdamW).
 * initialization: "pytorch_default" (Kaiming-uniform weights, fan-in-uniform biases, unit batch-norm scales) or "file"
 * (the weights of the ONNX file are the starting point: only lawful as a reference when they never saw the rows).
 * drop_last: an epoch leaves out the rows (other ones each time) that do not fill a batch, as PyTorch's DataLoader
 * does. Recommended where people are deleted: the number of rows changes, and sooner or later the last batch would hold
 * one row, whose step spoils what the epoch has learned. Required: optimizer, learning_rate, epochs, batch. Unknown
 * fields are errors. What is left out has PyTorch's default: weight_decay 0.01 for adamw and 0 for sgd, momentum 0,
 * beta1 0.9, beta2 0.999, epsilon 1e-8; seed 1, drop_last false, initialization pytorch_default. momentum means nothing
 * to adamw, the betas and epsilon nothing to sgd.
 */
#ifndef ENGINE_RECIPE_H
#define ENGINE_RECIPE_H

#include "base/json.h"

enum recipe_optimizer { RECIPE_SGD, RECIPE_ADAMW };
enum recipe_initialization { RECIPE_PYTORCH_DEFAULT, RECIPE_FILE };

struct recipe {
	int optimizer;      /* enum recipe_optimizer */
	int initialization; /* enum recipe_initialization */
	bool drop_last;
	double learning_rate, weight_decay, momentum, beta1, beta2, epsilon;
	int64_t epochs, batch, seed;
};

/* EXP_EFIELD names the field. Pointers start at base. */
EXP_NODISCARD int recipe_from_json(const json_t *json, const char *base, struct recipe *out, struct exp_error *err);
EXP_NODISCARD int recipe_load_file(const char *path, struct recipe *out, struct exp_error *err);
json_t *recipe_to_json(const struct recipe *r); /* new reference, every field present */

#endif
