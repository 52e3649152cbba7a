#include <stdio.h>

#include "cli/command.h"
#include "cli/workbench.h"

struct options {
	struct workbench_options bench;
};

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct workbench_score score;
	struct workbench w;
	int rc = workbench_open(&w, &o->bench, err);

	if (!rc)
		rc = workbench_score_rows(&w, w.params, &score, err);
	if (!rc && c->json)
		command_print_json(json_pack("{s:I, s:f, s:f, s:f}", "rows", (json_int_t)w.source.source.rows, "scale",
					     (double)w.source.scale, "accuracy", score.accuracy, "mean_loss",
					     score.mean_loss));
	else if (!rc)
		printf("%zu rows of %s (scale %.6g): accuracy %.4f, mean loss %.4f nats\n", w.source.source.rows,
		       npy_type_name(w.inputs.type), (double)w.source.scale, score.accuracy, score.mean_loss);
	workbench_close(&w);
	return rc;
}

static const struct option_row rows[] = {
	WORKBENCH_MODEL(struct options), WORKBENCH_INPUTS(struct options),       WORKBENCH_LABELS(struct options),
	WORKBENCH_SCALE(struct options), WORKBENCH_ROWS_AT_ONCE(struct options), WORKBENCH_OPEN(struct options),
};

const struct command cmd_onnx_score = {
	.group = "onnx",
	.name = "score",
	.summary = "measure a model's accuracy and loss on labelled rows",
	.text =
	    "Accuracy is the share of rows whose most likely class is the label; the loss is the mean cross-entropy.",
	.example = "  expunge onnx score examples/digits/model.onnx --inputs examples/digits/inputs.npy \\\n"
		   "      --labels examples/digits/labels.npy",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};
