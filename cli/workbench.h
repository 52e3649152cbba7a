/*
 * workbench.h: what the offline commands work on: a model's file, rows from npy files, and a session over both.
 *
 * Messages name the file at fault and the row or node within it. Ownership: workbench_close gives everything back, also
 * after a failed open. Threads: one.
 */
#ifndef CLI_WORKBENCH_H
#define CLI_WORKBENCH_H

#include "base/digest.h"
#include "cli/model_options.h"
#include "engine/npy.h"
#include "engine/session.h"

/* The options that say what to open; a member of the command's own struct, so that the rows below find it. */
struct workbench_options {
	const char *model;         /* path of an ONNX file */
	const char *inputs;        /* path of an npy file, or NAME=path; NULL: no rows */
	const char *labels;        /* path of an npy file, or NULL */
	double scale;              /* factor of every input value; 0: 1/255 for uint8, 1 for float32 and float64 */
	int64_t batch;             /* rows at a time; 0: WORKBENCH_BATCH */
	struct model_options open; /* what the model's file leaves open */
};

enum { WORKBENCH_BATCH = 256 };

#define WORKBENCH_AT(type, member) .offset = offsetof(type, bench) + offsetof(struct workbench_options, member)

#define WORKBENCH_MODEL(type)                                                                                          \
	{                                                                                                              \
		.name = "FILE", .kind = OPTION_TEXT, .required = true, WORKBENCH_AT(type, model),                      \
		.help = "the model, an ONNX file"                                                                      \
	}
#define WORKBENCH_INPUTS(type)                                                                                         \
	{                                                                                                              \
		.name = "inputs", .kind = OPTION_TEXT, .required = true, WORKBENCH_AT(type, inputs),                   \
		.value = "[NAME=]X.npy", .help = "rows of float32, float64 or uint8, [rows, ...]"                      \
	}
#define WORKBENCH_LABELS(type)                                                                                         \
	{                                                                                                              \
		.name = "labels", .kind = OPTION_TEXT, .required = true, WORKBENCH_AT(type, labels), .value = "Y.npy", \
		.help = "one whole number a row, the class, counting from 0"                                           \
	}
#define WORKBENCH_SCALE(type)                                                                                          \
	{                                                                                                              \
		.name = "scale", .kind = OPTION_NUMBER, WORKBENCH_AT(type, scale), .value = "S", .min = 1e-12,         \
		.max = 1e12, .help = "multiplies every input; default 1/255 for uint8, else 1"                         \
	}
#define WORKBENCH_ROWS_AT_ONCE(type)                                                                                   \
	{                                                                                                              \
		.name = "batch", .kind = OPTION_INT, WORKBENCH_AT(type, batch), .value = "N", .min = 1, .max = 65536,  \
		.help = "rows computed at a time; default 256"                                                         \
	}
#define WORKBENCH_OPEN(type) MODEL_OPTIONS_ROWS(type, bench.open)

struct workbench {
	struct graph *graph;
	struct params *params; /* the file's own weights */
	struct session *session;
	struct npy inputs, labels;
	struct npy_source source;
};

/* EXP_EINVAL when out is the model, the inputs or the labels: the result would be written over them. */
EXP_NODISCARD int workbench_check_out(const struct workbench_options *o, const char *out, struct exp_error *err);

/* Loads the model, maps the rows (when there are any) and checks them against the model, makes a session. */
EXP_NODISCARD int workbench_open(struct workbench *w, const struct workbench_options *o, struct exp_error *err);

/* Opens other rows than the workbench's own with the same checks: for commands that take two sets. */
EXP_NODISCARD int workbench_open_rows(const struct graph *g, const struct workbench_options *o, struct npy *inputs,
				      struct npy *labels, struct npy_source *source, struct exp_error *err);

void workbench_close(struct workbench *w);

struct workbench_score {
	double accuracy;  /* share of labels that are the most likely class */
	double mean_loss; /* cross-entropy, nats: the mean over the rows */
};

/* Over the workbench's rows, at p. */
EXP_NODISCARD int workbench_score_rows(struct workbench *w, const struct params *p, struct workbench_score *out,
				       struct exp_error *err);

/* Writes the model's file with the values of p durably; digest: of the new file, as hexadecimal. */
EXP_NODISCARD int workbench_save_model(const struct graph *g, const struct params *p, const char *path,
				       char digest[DIGEST_HEX], struct exp_error *err);

#endif
