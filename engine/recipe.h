/*
 * recipe.h: how a model is trained, as its owner writes it down (JSON), and the numbers that follow from it.
 *
 *   {"optimizer": "adamw", "learning_rate": 0.001, "epochs": 150, "batch": 32, "seed": 1, "weight_decay": 0.01,
 *    "momentum": 0.9, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "drop_last": true,
 *    "initialization": "pytorch_default", "decay": "weights", "clip_norm": 1, "label_smoothing": 0.1,
 *    "schedule": {"kind": "cosine", "unit": "steps", "eta_min": 0, "warmup": 500, "warmup_start_factor": 0}}
 *
 * optimizer: "sgd" (momentum as PyTorch's SGD; nesterov: its look-ahead), "adam" (Kingma and Ba, ICLR 2015; weight
 * decay is part of the gradient) or "adamw" (Loshchilov and Hutter, ICLR 2019; weight decay apart), all as in
 * torch.optim. decay: what weight decay covers: "all", as PyTorch does with model.parameters(), or "weights" (neither
 * biases nor the scales and shifts of normalisations, nor what has no role and fewer than two axes). clip_norm,
 * clip_value: a step's gradients (the mean over the batch) are scaled down to this global 2-norm, or clamped one by
 * one, as torch.nn.utils.clip_grad_norm_ and clip_grad_value_ do; one of the two. label_smoothing: as in
 * torch.nn.CrossEntropyLoss: so much of each label is spread evenly over all classes. schedule: see engine/schedule.h.
 * initialization: "pytorch_default" (Kaiming-uniform weights, fan-in-uniform biases, unit batch-norm scales) or "file"
 * (the weights of the ONNX file are the starting point: only lawful as a reference when they never saw the rows).
 * start: how single parameters start instead, by name (a glob; the first that matches counts), as
 *   [{"parameters": "*.embedding.weight", "normal": 0.02}, {"parameters": "scale", "constant": 1}]
 * with "normal" (its standard deviation), "uniform" (its bound) or "constant". Needed for parameters that no layer's
 * default covers: tables, tokens, factors.
 * drop_last: an epoch leaves out the rows (other ones each time) that do not fill a batch, as PyTorch's DataLoader
 * does. Recommended where people are deleted: the number of rows changes, and sooner or later the last batch would hold
 * one row, whose step spoils what the epoch has learned.
 *
 * Required: optimizer, learning_rate, epochs, batch. Unknown fields are errors. What is left out has PyTorch's default:
 * weight_decay 0.01 for adamw, else 0; momentum 0, nesterov false, beta1 0.9, beta2 0.999, epsilon 1e-8; seed 1,
 * drop_last false, initialization pytorch_default, decay all, no clipping, no smoothing, a constant schedule, no start.
 * momentum means nothing to adam and adamw, the betas and epsilon nothing to sgd.
 */
#ifndef ENGINE_RECIPE_H
#define ENGINE_RECIPE_H

#include "base/json.h"
#include "engine/schedule.h"

enum recipe_optimizer { RECIPE_SGD, RECIPE_ADAMW, RECIPE_ADAM };
enum recipe_initialization { RECIPE_PYTORCH_DEFAULT, RECIPE_FILE };
enum recipe_decay { RECIPE_DECAY_ALL, RECIPE_DECAY_WEIGHTS };

enum recipe_distribution { RECIPE_NORMAL, RECIPE_UNIFORM, RECIPE_VALUE };
enum { RECIPE_STARTS = 16 };

struct recipe_start {
	char parameters[64]; /* fnmatch */
	int distribution;    /* enum recipe_distribution */
	double size;         /* standard deviation, bound or value */
};

struct recipe {
	int optimizer;      /* enum recipe_optimizer */
	int initialization; /* enum recipe_initialization */
	int decay;          /* enum recipe_decay */
	bool drop_last, nesterov;
	double learning_rate, weight_decay, momentum, beta1, beta2, epsilon;
	double clip_norm, clip_value; /* 0: no clipping */
	double label_smoothing;
	int64_t epochs, batch, seed;
	struct schedule schedule;
	struct recipe_start starts[RECIPE_STARTS];
	int64_t start_count;
};

/* The rule for a parameter of that name; NULL: there is none. */
const struct recipe_start *recipe_find_start(const struct recipe *r, const char *parameter);

/* EXP_EFIELD names the field. Pointers start at base. */
EXP_NODISCARD int recipe_from_json(const json_t *json, const char *base, struct recipe *out, struct exp_error *err);
EXP_NODISCARD int recipe_load_file(const char *path, struct recipe *out, struct exp_error *err);

/* New reference. The fields from optimizer to initialization are always present; the later ones only where they differ
 * from their default, so that what is written of a recipe that does without them (and its digest) never changes. */
json_t *recipe_to_json(const struct recipe *r);

#endif
