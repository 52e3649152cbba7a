#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/progress_line.h"
#include "cli/workbench.h"
#include "unlearn/method.h"

struct options {
	struct workbench_options bench;
	const char *importance, *method, *out;
	double alpha, lambda; /* NaN: not given */
	int64_t seed;
};

struct result {
	const struct method *method;
	double parameters[METHOD_MAX_PARAMETERS];
	struct method_report report;
	uint64_t importance_rows;
	struct workbench_score before, after;
	double seconds;
	char digest[DIGEST_HEX];
};

/* What the method's own table says about alpha and lambda decides; only given numbers are handed on. */
static int read_parameters(const struct options *o, const struct method *m, double *values, struct exp_error *err)
{
	json_t *given = json_object();
	int rc;

	if (!isnan(o->alpha))
		json_object_set_new(given, "alpha", json_real(o->alpha));
	if (!isnan(o->lambda))
		json_object_set_new(given, "lambda", json_real(o->lambda));
	rc = method_parse(m, given, "", values, err);
	json_decref(given);
	return rc;
}

static int find_method(const struct options *o, struct result *r, struct exp_error *err)
{
	r->method = method_find(o->method);
	if (!r->method)
		return error_set(err, EXP_EINVAL, "there is no method \"%.60s\"", o->method);
	return read_parameters(o, r->method, r->parameters, err);
}

static int edit(struct workbench *w, const struct importance *all, const struct options *o, struct result *r,
		struct params *p, struct exp_error *err)
{
	int64_t start = clock_monotonic_ms();
	struct progress_line line;
	struct method_input in = { .session = w->session,
				   .forget = &w->source.source,
				   .importance = all,
				   .original = w->params,
				   .seed = (uint64_t)o->seed,
				   .progress = &line.progress };
	int rc;

	for (size_t i = 0; i < METHOD_MAX_PARAMETERS; i++)
		in.parameters[i] = r->parameters[i];
	progress_line_start(&line, "forgetting");
	rc = method_run(r->method, &in, p, &r->report, err);
	progress_line_end(&line);
	r->seconds = (double)(clock_monotonic_ms() - start) / 1000;
	return rc;
}

static int edit_and_score(struct workbench *w, const struct importance *all, const struct options *o, struct result *r,
			  struct exp_error *err)
{
	struct params *p;
	int rc = params_clone(w->params, &p);

	if (rc)
		return error_set(err, rc, "no memory for a copy of the parameters");
	rc = workbench_score_rows(w, w->params, &r->before, err);
	if (!rc)
		rc = edit(w, all, o, r, p, err);
	if (!rc)
		rc = workbench_score_rows(w, p, &r->after, err);
	if (!rc)
		rc = workbench_save_model(w->graph, p, o->out, r->digest, err);
	params_free(p);
	return rc;
}

static json_t *score_to_json(const struct workbench_score *s)
{
	return json_pack("{s:f, s:f}", "accuracy", s->accuracy, "mean_loss", s->mean_loss);
}

static void print_json(const struct workbench *w, const struct options *o, const struct result *r)
{
	json_t *object = json_object();

	json_object_set_new(object, "method", json_string(r->method->name));
	json_object_set_new(object, "parameters", method_parameters_json(r->method, r->parameters));
	json_object_set_new(object, "forget_rows", json_integer((json_int_t)w->source.source.rows));
	json_object_set_new(object, "importance_rows", json_integer((json_int_t)r->importance_rows));
	json_object_set_new(object, "scale", json_real((double)w->source.scale));
	json_object_set_new(object, "edited", json_integer((json_int_t)r->report.edited));
	json_object_set_new(object, "parameter_count", json_integer((json_int_t)r->report.parameters));
	json_object_set_new(object, "before", score_to_json(&r->before));
	json_object_set_new(object, "after", score_to_json(&r->after));
	json_object_set_new(object, "seconds", json_real(r->seconds));
	json_object_set_new(object, "out", json_string(o->out));
	json_object_set_new(object, "sha256", json_string(r->digest));
	command_print_json(object);
}

static void print_text(const struct workbench *w, const struct options *o, const struct result *r)
{
	printf("%s: %zu of %llu rows forgotten in %.2f s, %llu of %llu parameters edited\n", r->method->name,
	       w->source.source.rows, (unsigned long long)r->importance_rows, r->seconds,
	       (unsigned long long)r->report.edited, (unsigned long long)r->report.parameters);
	if (!r->report.edited)
		printf("nothing was edited: the parameters leave the model as it is\n");
	printf("these rows before: accuracy %.4f, mean loss %.4f nats\n", r->before.accuracy, r->before.mean_loss);
	printf("             after: accuracy %.4f, mean loss %.4f nats\n", r->after.accuracy, r->after.mean_loss);
	printf("written to %s, SHA-256 %s\n", o->out, r->digest);
}

static int forget(struct workbench *w, const struct options *o, struct result *r, struct exp_error *err)
{
	struct importance all;
	int rc = importance_load(w->graph, o->importance, &all, err);

	if (rc)
		return rc;
	r->importance_rows = all.rows;
	if (all.rows < w->source.source.rows)
		rc = error_set(err, EXP_EINVAL,
			       "%s: made from %llu rows, but %zu are to be forgotten; it must cover all training rows",
			       o->importance, (unsigned long long)all.rows, w->source.source.rows);
	else
		rc = edit_and_score(w, &all, o, r, err);
	importance_fini(&all);
	return rc;
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct result r = { 0 };
	struct workbench w;
	int rc = find_method(o, &r, err);

	if (rc)
		return rc;
	rc = workbench_open(&w, &o->bench, err);
	if (!rc)
		rc = forget(&w, o, &r, err);
	if (!rc && c->json)
		print_json(&w, o, &r);
	else if (!rc)
		print_text(&w, o, &r);
	workbench_close(&w);
	return rc;
}

#define AT(member) .offset = offsetof(struct options, member)
static const struct option_row rows[] = {
	WORKBENCH_MODEL(struct options),
	{ .name = "forget-inputs",
	  .kind = OPTION_TEXT,
	  .required = true,
	  WORKBENCH_AT(struct options, inputs),
	  .value = "[NAME=]X.npy",
	  .help = "the rows to forget: float32, float64 or uint8" },
	{ .name = "forget-labels",
	  .kind = OPTION_TEXT,
	  .required = true,
	  WORKBENCH_AT(struct options, labels),
	  .value = "Y.npy",
	  .help = "their classes, counting from 0" },
	{ .name = "importance",
	  .kind = OPTION_TEXT,
	  .required = true,
	  AT(importance),
	  .value = "I.safetensors",
	  .help = "over all training rows: `onnx grad --reduce square_sum`" },
	{ .name = "method", .kind = OPTION_TEXT, .required = true, AT(method), .value = "NAME", .help = "ssd" },
	{ .name = "alpha",
	  .kind = OPTION_NUMBER,
	  AT(alpha),
	  .value = "A",
	  .help = "dampen weights whose importance ratio exceeds it" },
	{ .name = "lambda",
	  .kind = OPTION_NUMBER,
	  AT(lambda),
	  .value = "L",
	  .help = "multiply them by lambda / ratio, at most 1; default 1" },
	{ .name = "out",
	  .kind = OPTION_TEXT,
	  .required = true,
	  AT(out),
	  .value = "NEW.onnx",
	  .help = "receives the edited model" },
	{ .name = "seed",
	  .kind = OPTION_INT,
	  AT(seed),
	  .value = "N",
	  .min = 0,
	  .max = 9007199254740992.0,
	  .help = "for methods that draw random numbers" },
	WORKBENCH_SCALE(struct options),
	WORKBENCH_ROWS_AT_ONCE(struct options),
	WORKBENCH_OPEN(struct options),
};

const struct command cmd_forget = {
	.name = "forget",
	.summary = "edit a model's weights so that it forgets rows",
	.text =
	    "Selective synaptic dampening (ssd) compares how much each weight matters for the rows to forget with how\n"
	    "much it matters for all training rows, both per row. A weight whose ratio exceeds alpha is multiplied by\n"
	    "lambda / ratio. The ratio cannot exceed rows / forget rows, so an alpha above that changes nothing.\n"
	    "The result is an approximation: nothing is claimed about it that is not measured.",
	.example = "  cd examples/digits\n"
		   "  expunge onnx grad model.onnx --inputs inputs.npy --labels labels.npy --reduce square_sum --out "
		   "/tmp/all.safetensors\n"
		   "  expunge forget model.onnx --forget-inputs x.npy --forget-labels y.npy --importance "
		   "/tmp/all.safetensors \\\n"
		   "      --method ssd --alpha 10 --lambda 1 --out /tmp/new.onnx",
	COMMAND_OPTIONS(rows, struct options),
	.defaults = &(const struct options){ .alpha = NAN, .lambda = NAN },
	.run = run,
};
