#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/case_list.h"
#include "cli/command.h"
#include "cli/progress_line.h"
#include "cli/table.h"

struct options {
	struct option_list folders;
	const char *list, *filter;
};

/* What cases failed for, counted. */
struct reason {
	const char *text;
	size_t cases;
};

struct outcome {
	size_t counts[ONNX_UNSUPPORTED + 1];
	struct reason *reasons; /* of what is unsupported; the most frequent first */
	size_t reason_count;
	struct buf contradictions; /* between cases and list, a line each */
	size_t contradiction_count;
};

/* ---- work ---- */

static int run_cases(struct onnx_suite *suite, struct exp_error *err)
{
	struct progress_line line;
	int rc = 0;

	progress_line_start(&line, "testing");
	for (size_t i = 0; !rc && i < suite->count; i++) {
		line.progress.report(line.progress.arg, i, suite->count);
		rc = onnx_suite_run(suite, &suite->cases[i], err);
	}
	progress_line_end(&line);
	return rc;
}

/* What a message says without the place: "Cast: float16 is not supported" of "node 3 "a" (Cast): float16 …". */
static const char *reason_of(struct onnx_suite *suite, const struct onnx_case *c)
{
	const char *message = c->why.message, *open = strchr(message, '('), *close = strstr(message, "): ");
	const char *rest = strrchr(message, ':');
	char text[EXP_ERROR_MESSAGE];

	if (strncmp(message, "node ", 5) == 0 && open && close && open < close)
		snprintf(text, sizeof(text), "%.*s: %s", (int)(close - open - 1), open + 1, close + 3);
	else
		snprintf(text, sizeof(text), "%s", rest && rest[1] == ' ' ? rest + 2 : message);
	return arena_try_strdup(&suite->arena, text);
}

static bool count_reason(struct outcome *o, const char *text)
{
	if (!text)
		return false;
	for (size_t i = 0; i < o->reason_count; i++) {
		if (strcmp(o->reasons[i].text, text) == 0) {
			o->reasons[i].cases++;
			return true;
		}
	}
	o->reasons[o->reason_count++] = (struct reason){ text, 1 };
	return true;
}

static int compare_reasons(const void *a, const void *b)
{
	const struct reason *x = a, *y = b;

	if (x->cases != y->cases)
		return x->cases > y->cases ? -1 : 1;
	return strcmp(x->text, y->text);
}

static int count(struct onnx_suite *suite, struct outcome *o, struct exp_error *err)
{
	size_t room = 0;
	bool enough = true;

	for (size_t i = 0; i < suite->count; i++)
		room += 1 + suite->cases[i].operator_count;
	o->reasons = mem_try_alloc(room, sizeof(*o->reasons));
	for (size_t i = 0; o->reasons && i < suite->count; i++) {
		const struct onnx_case *c = &suite->cases[i];

		o->counts[c->verdict]++;
		for (size_t k = 0; k < c->operator_count; k++)
			enough = count_reason(o, c->operators[k]) && enough;
		if (c->verdict == ONNX_UNSUPPORTED && !c->operator_count)
			enough = count_reason(o, reason_of(suite, c)) && enough;
	}
	if (!o->reasons || !enough)
		return error_set(err, EXP_EMEMORY, "not enough memory to count the results");
	if (o->reason_count)
		qsort(o->reasons, o->reason_count, sizeof(*o->reasons), compare_reasons);
	return 0;
}

static int hold_to_list(const struct options *o, const struct onnx_suite *suite, struct outcome *out,
			struct exp_error *err)
{
	struct case_list list = { 0 };
	int rc = case_list_read(&list, o->list, err);

	if (!rc)
		out->contradiction_count = case_list_check(&list, suite, !o->filter, &out->contradictions);
	case_list_fini(&list);
	return rc;
}

/* ---- result ---- */

static void print_counts(const struct outcome *o)
{
	printf("passed %zu, failed %zu, unsupported %zu\n", o->counts[ONNX_PASSED], o->counts[ONNX_FAILED],
	       o->counts[ONNX_UNSUPPORTED]);
}

static void print_reasons(const struct outcome *o)
{
	static const char *const heads[] = { "cases", "unsupported" };
	struct table t;

	if (!o->reason_count)
		return;
	table_init(&t, "rl", heads);
	for (size_t i = 0; i < o->reason_count; i++) {
		table_format(&t, "%zu", o->reasons[i].cases);
		table_add(&t, o->reasons[i].text);
	}
	puts("");
	table_print(&t);
	table_fini(&t);
}

static void print_failures(const struct onnx_suite *suite, const struct outcome *o)
{
	static const char *const heads[] = { "failed", "deviation", "what and where" };
	struct table t;

	if (!o->counts[ONNX_FAILED])
		return;
	table_init(&t, "lrl", heads);
	for (size_t i = 0; i < suite->count; i++) {
		const struct onnx_case *c = &suite->cases[i];

		if (c->verdict != ONNX_FAILED)
			continue;
		table_add(&t, c->name);
		if (c->deviation > 0)
			table_format(&t, "%.3g", c->deviation);
		else
			table_add(&t, "-");
		table_add(&t, c->why.message);
	}
	puts("");
	table_print(&t);
	table_fini(&t);
}

static json_t *case_to_json(const struct onnx_case *c)
{
	json_t *object = json_pack("{s:s, s:s}", "name", c->name, "verdict", onnx_verdict_name(c->verdict));
	json_t *operators;

	if (c->verdict == ONNX_PASSED)
		return object;
	json_object_set_new(object, "reason", json_string(c->why.message));
	operators = json_array();
	for (size_t i = 0; i < c->operator_count; i++)
		json_array_append_new(operators, json_string(c->operators[i]));
	json_object_set_new(object, "unsupported_operators", operators);
	/* JSON has no infinity: a finite number stood where another was not. */
	if (c->deviation > 0 && isfinite(c->deviation))
		json_object_set_new(object, "deviation", json_real(c->deviation));
	return object;
}

static json_t *to_json(const struct onnx_suite *suite, const struct outcome *o)
{
	json_t *cases = json_array(), *reasons = json_array(), *lines = json_array();
	const char *text = o->contradictions.data;

	for (size_t i = 0; i < suite->count; i++)
		json_array_append_new(cases, case_to_json(&suite->cases[i]));
	for (size_t i = 0; i < o->reason_count; i++)
		json_array_append_new(reasons, json_pack("{s:s, s:I}", "reason", o->reasons[i].text, "cases",
							 (json_int_t)o->reasons[i].cases));
	while (text && *text) {
		size_t size = strcspn(text, "\n");

		json_array_append_new(lines, json_stringn(text, size));
		text += size + (text[size] == '\n');
	}
	return json_pack("{s:I, s:I, s:I, s:o, s:o, s:o}", "passed", (json_int_t)o->counts[ONNX_PASSED], "failed",
			 (json_int_t)o->counts[ONNX_FAILED], "unsupported", (json_int_t)o->counts[ONNX_UNSUPPORTED],
			 "unsupported_reasons", reasons, "contradictions", lines, "cases", cases);
}

static void print_text(const struct onnx_suite *suite, const struct outcome *o)
{
	print_counts(o);
	print_reasons(o);
	print_failures(suite, o);
	if (o->contradiction_count)
		printf("\nnot as listed\n%s", o->contradictions.data);
}

static int judge(const struct options *o, const struct outcome *out, struct exp_error *err)
{
	if (out->contradiction_count)
		return error_set(err, EXP_EVERIFY, "%zu cases or rows are not as %s says", out->contradiction_count,
				 o->list);
	if (!o->list && out->counts[ONNX_FAILED])
		return error_set(err, EXP_EVERIFY, "%zu cases failed", out->counts[ONNX_FAILED]);
	return 0;
}

static int test_all(const struct command_context *c, const struct options *o, struct onnx_suite *suite,
		    struct outcome *out, struct exp_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < o->folders.count; i++)
		rc = onnx_suite_find(suite, o->folders.items[i], o->filter, err);
	if (!rc && !suite->count)
		rc = error_set(err, EXP_ENOTFOUND, "no case is called %s", o->filter);
	if (!rc)
		rc = run_cases(suite, err);
	if (!rc)
		rc = count(suite, out, err);
	if (!rc && o->list)
		rc = hold_to_list(o, suite, out, err);
	if (rc)
		return rc;
	if (c->json)
		command_print_json(to_json(suite, out));
	else
		print_text(suite, out);
	return judge(o, out, err);
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	struct onnx_suite suite = { 0 };
	struct outcome out = { 0 };
	int rc = test_all(c, options, &suite, &out, err);

	mem_free(out.reasons);
	buf_fini(&out.contradictions);
	onnx_suite_fini(&suite);
	return rc;
}

static const struct option_row rows[] = {
	{ .name = "DIR",
	  .kind = OPTION_LIST,
	  .required = true,
	  .offset = offsetof(struct options, folders),
	  .help = "a test case, or a folder of them at any depth" },
	{ .name = "list",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct options, list),
	  .value = "FILE",
	  .help = "cases that are known not to pass, with reasons; anything else is an error" },
	{ .name = "filter",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct options, filter),
	  .value = "GLOB",
	  .help = "run only the cases whose name matches, for example \"node/test_conv*\"" },
};

const struct command cmd_onnx_test = {
	.group = "onnx",
	.name = "test",
	.summary = "run ONNX's own operator tests",
	.text =
	    "A test case is a folder with model.onnx and test_data_set_0, which holds input_0.pb ... and output_0.pb\n"
	    "...; Debian's package libonnx-testdata has over a thousand. A case passes when every output agrees:\n"
	    "|found - expected| <= 1e-7 + 1e-3 |expected|, integers and booleans exactly. What the engine does not\n"
	    "know is counted as unsupported, by operator or reason. A case is called by its folder below DIR.\n"
	    "The rows of a list are \"operator NAME REASON\", \"unsupported GLOB REASON\" and \"failed GLOB REASON\".\n"
	    "Without a list a failed case makes the exit status 1; with one, any case or row that is not as listed.",
	.example = "  expunge onnx test /usr/share/libonnx-testdata/data --filter 'node/test_gemm*'",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};
