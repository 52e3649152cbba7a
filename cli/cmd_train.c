#include <stdio.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/progress_line.h"
#include "cli/workbench.h"
#include "engine/train.h"

enum { RECIPES_SEED = -1 };

struct options {
	struct workbench_options bench;
	const char *recipe, *out, *checkpoint;
	int64_t seed, every;
};

struct result {
	int64_t epochs, seed;
	double seconds;
	struct workbench_score score;
	char digest[DIGEST_HEX];
};

static int fit(struct workbench *w, const struct recipe *r, const struct options *o, uint64_t seed, struct params *p,
	       struct exp_error *err)
{
	struct progress_line line;
	struct train_job job = { .session = w->session,
				 .recipe = r,
				 .seed = seed,
				 .source = &w->source.source,
				 .progress = &line.progress,
				 .checkpoint = o->checkpoint,
				 .every = (uint64_t)o->every };
	int rc = train_initialize(r, seed, w->params, p, err);

	if (rc)
		return rc;
	progress_line_start(&line, "training");
	rc = train_run_job(&job, p, err);
	progress_line_end(&line);
	return rc;
}

static int train(struct workbench *w, const struct recipe *r, const struct options *o, struct result *result,
		 struct exp_error *err)
{
	int64_t start = clock_monotonic_ms();
	struct params *p = NULL;
	int rc = params_new(w->graph, &p);

	if (rc)
		return error_set(err, rc, "no memory for the parameters");
	result->epochs = r->epochs;
	result->seed = o->seed == RECIPES_SEED ? r->seed : o->seed;
	rc = fit(w, r, o, (uint64_t)result->seed, p, err);
	result->seconds = (double)(clock_monotonic_ms() - start) / 1000;
	if (!rc)
		rc = workbench_score_rows(w, p, &result->score, err);
	if (!rc)
		rc = workbench_save_model(w->graph, p, o->out, result->digest, err);
	params_free(p);
	return rc;
}

static void print_result(const struct command_context *c, const struct workbench *w, const struct options *o,
			 const struct result *r)
{
	size_t rows = w->source.source.rows;
	double scale = (double)w->source.scale;

	if (c->json)
		command_print_json(json_pack("{s:I, s:f, s:I, s:I, s:f, s:f, s:f, s:s, s:s}", "rows", (json_int_t)rows,
					     "scale", scale, "epochs", (json_int_t)r->epochs, "seed",
					     (json_int_t)r->seed, "seconds", r->seconds, "accuracy", r->score.accuracy,
					     "mean_loss", r->score.mean_loss, "out", o->out, "sha256", r->digest));
	else
		printf("%lld epochs over %zu rows of %s (scale %.6g), seed %lld, %.1f s: accuracy %.4f, mean loss %.4f "
		       "nats\n"
		       "written to %s, SHA-256 %s\n",
		       (long long)r->epochs, rows, npy_type_name(w->inputs.type), scale, (long long)r->seed, r->seconds,
		       r->score.accuracy, r->score.mean_loss, o->out, r->digest);
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	struct options o = *(const struct options *)options;
	struct result result = { 0 };
	struct recipe recipe;
	struct workbench w;
	int rc = recipe_load_file(o.recipe, &recipe, err);

	if (rc)
		return rc;
	o.bench.batch = recipe.batch;
	rc = workbench_open(&w, &o.bench, err);
	if (!rc)
		rc = train(&w, &recipe, &o, &result, err);
	if (!rc)
		print_result(c, &w, &o, &result);
	workbench_close(&w);
	return rc;
}

static const struct option_row rows[] = {
	WORKBENCH_MODEL(struct options),
	WORKBENCH_INPUTS(struct options),
	WORKBENCH_LABELS(struct options),
	{ .name = "recipe",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = offsetof(struct options, recipe),
	  .value = "R.json",
	  .help = "optimizer, learning_rate, epochs, batch, ..." },
	{ .name = "out",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = offsetof(struct options, out),
	  .value = "NEW.onnx",
	  .help = "receives the trained model" },
	{ .name = "seed",
	  .kind = OPTION_INT,
	  .offset = offsetof(struct options, seed),
	  .value = "N",
	  .min = 0,
	  .max = 9007199254740992.0,
	  .help = "in place of the recipe's seed" },
	{ .name = "checkpoint",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct options, checkpoint),
	  .value = "F.safetensors",
	  .help = "keeps the state of the run, which goes on from it when it is there; destroyed at the end" },
	{ .name = "every",
	  .kind = OPTION_INT,
	  .offset = offsetof(struct options, every),
	  .value = "STEPS",
	  .min = 1,
	  .max = 1e12,
	  .help = "from one checkpoint to the next; default 1000" },
	WORKBENCH_SCALE(struct options),
	WORKBENCH_OPEN(struct options),
};

const struct command cmd_train = {
	.name = "train",
	.summary = "train a model by a recipe, with fresh weights",
	.text =
	    "Fills the model with new weights as the recipe says (PyTorch's defaults, or the file's own with\n"
	    "\"initialization\": \"file\"), trains it on all rows and writes an ONNX file in which nothing but the\n"
	    "weights differs. The same recipe, rows and seed give the same bits, also when a run with a checkpoint is\n"
	    "stopped and started again with the same command.",
	.example = "  cd examples/digits\n"
		   "  expunge train model.onnx --inputs inputs.npy --labels labels.npy --recipe recipe.json --out "
		   "/tmp/new.onnx",
	COMMAND_OPTIONS(rows, struct options),
	.defaults = &(const struct options){ .seed = RECIPES_SEED, .every = 1000 },
	.run = run,
};
