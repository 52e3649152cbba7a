#include "cli/evidence_view.h"

#include <stdio.h>
#include <string.h>

#include "cli/remote.h"
#include "cli/table.h"
#include "cli/verdict_text.h"

enum { HEAD_MAX = 64, FIXED_COLUMNS = 3, COLUMNS_MAX = FIXED_COLUMNS + EVIDENCE_ATTEMPTS };

/* The evidence that says most of how the test was made: the first that has one. */
static const json_t *frame_of(const struct evidence_view *v)
{
	for (size_t i = 0; i < v->count; i++)
		if (json_object_get(v->columns[i].evidence, "after"))
			return v->columns[i].evidence;
	return NULL;
}

static void add_number(struct table *t, const json_t *value, const char *format)
{
	char text[32];

	if (!json_is_number(value)) {
		table_add(t, "-");
		return;
	}
	if (!strcmp(format, "%"))
		snprintf(text, sizeof(text), "%.1f %%", 100 * json_number_value(value));
	else if (!strcmp(format, "z"))
		snprintf(text, sizeof(text), "%+.2f", json_number_value(value));
	else
		snprintf(text, sizeof(text), "%.3f", json_number_value(value));
	table_add(t, text);
}

static const json_t *statistic_of(const json_t *result, const char *statistic, const char *field)
{
	return json_object_get(json_object_get(json_object_get(result, "by_statistic"), statistic), field);
}

static void add_statistic(const struct evidence_view *v, const json_t *frame, const char *name, struct table *t)
{
	const json_t *before = json_object_get(frame, "before");
	bool is_searched = !strcmp(name, remote_text(frame, "search_statistic"));

	table_format(t, "%s%s", name, is_searched ? " *" : "");
	add_number(t, statistic_of(before, name, "references"), "z");
	add_number(t, statistic_of(before, name, "value"), "z");
	for (size_t i = 0; i < v->count; i++)
		add_number(t, statistic_of(json_object_get(v->columns[i].evidence, "after"), name, "value"), "z");
}

static void add_statistics(const struct evidence_view *v, const json_t *frame, struct table *t)
{
	const json_t *all = json_object_get(json_object_get(frame, "before"), "by_statistic");
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)all, name, value)
		add_statistic(v, frame, name, t);
}

/* A number of each test's result. */
static void add_result(const struct evidence_view *v, const json_t *frame, const char *label, const char *field,
		       const char *format, struct table *t)
{
	table_add(t, label);
	table_add(t, "-");
	add_number(t, json_object_get(json_object_get(frame, "before"), field), format);
	for (size_t i = 0; i < v->count; i++)
		add_number(t, json_object_get(json_object_get(v->columns[i].evidence, "after"), field), format);
}

static const char *flag_of(const json_t *result)
{
	if (!result)
		return "-";
	if (json_is_true(json_object_get(result, "residual")))
		return "remembered";
	return json_is_true(json_object_get(result, "over_forgotten")) ? "over-forgotten" : "no";
}

static void add_flags(const struct evidence_view *v, const json_t *frame, struct table *t)
{
	table_add(t, "flagged by the test");
	table_add(t, "-");
	table_add(t, flag_of(json_object_get(frame, "before")));
	for (size_t i = 0; i < v->count; i++)
		table_add(t, flag_of(json_object_get(v->columns[i].evidence, "after")));
}

static void add_verdicts(const struct evidence_view *v, struct table *t)
{
	table_add(t, "verdict");
	table_add(t, "-");
	table_add(t, "-");
	for (size_t i = 0; i < v->count; i++)
		table_add(t, v->columns[i].verdict);
}

static const json_t *utility_of(const json_t *evidence, const char *when, const char *field)
{
	return json_object_get(json_object_get(json_object_get(evidence, "utility"), when), field);
}

static void add_utility(const struct evidence_view *v, const char *label, const char *field, struct table *t)
{
	table_add(t, label);
	table_add(t, "-");
	add_number(t, utility_of(v->columns[0].evidence, "before", field), "%");
	for (size_t i = 0; i < v->count; i++)
		add_number(t, utility_of(v->columns[i].evidence, "after", field), "%");
}

static void add_seconds(const struct evidence_view *v, struct table *t)
{
	table_add(t, "seconds: edit + verify");
	table_add(t, "-");
	table_add(t, "-");
	for (size_t i = 0; i < v->count; i++) {
		const struct evidence_column *c = &v->columns[i];

		if (c->seconds < 0)
			table_add(t, "-");
		else
			table_format(t, "%.2f + %.2f", c->seconds, c->verify_seconds);
	}
}

/* alignment: room for all columns; must outlive the table. */
static void start_table(const struct evidence_view *v, char *alignment, struct table *t)
{
	char names[EVIDENCE_ATTEMPTS][HEAD_MAX];
	const char *heads[COLUMNS_MAX] = { "", "never saw them", "unchanged" };

	for (size_t i = 0; i < v->count; i++) {
		snprintf(names[i], HEAD_MAX, "%s%s", v->columns[i].method,
			 v->columns[i].is_accepted ? "" : " (discarded)");
		heads[FIXED_COLUMNS + i] = names[i];
	}
	snprintf(alignment, COLUMNS_MAX + 1, "l%.*s", (int)(FIXED_COLUMNS - 1 + v->count), "rrrrrrrrrr");
	table_init(t, alignment, heads);
}

static void print_table(const struct evidence_view *v, const json_t *frame)
{
	char alignment[COLUMNS_MAX + 1];
	struct buf text = { 0 };
	struct table t;

	start_table(v, alignment, &t);
	if (frame) {
		add_statistics(v, frame, &t);
		add_result(v, frame, "largest z", "z", "z", &t);
		add_result(v, frame, "p, still remembered", "p_residual", "p", &t);
		add_result(v, frame, "p, over-forgotten", "p_over_forgotten", "p", &t);
		add_flags(v, frame, &t);
	}
	add_verdicts(v, &t);
	add_utility(v, "accuracy, rows that stay", "accuracy", &t);
	add_utility(v, "accuracy, held-out rows", "heldout_accuracy", &t);
	add_seconds(v, &t);
	table_write(&t, 2, &text);
	fputs(text.data, stdout);
	table_fini(&t);
	buf_fini(&text);
}

static long long count_of(const json_t *object, const char *name)
{
	return (long long)json_integer_value(json_object_get(object, name));
}

static double number_of(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

/* How to read the table: what was compared, what the test can see, when it flags. */
static void print_test(const json_t *frame)
{
	const json_t *before = json_object_get(frame, "before");

	printf(
	    "  The first four lines are means over the person's rows; the higher, the more like rows that a model was "
	    "trained on.\n");
	printf("  %lld row%s; %lld reference models that never saw the person; %lld sets of held-out rows (%lld "
	       "without a\n"
	       "  common row%s) give the p-values; flagged at p <= %.4f a side. * was searched on and is not in the "
	       "verdict.\n",
	       count_of(frame, "rows"), count_of(frame, "rows") == 1 ? "" : "s", count_of(frame, "references"),
	       count_of(frame, "pseudo_subjects"), count_of(frame, "pseudo_subjects_disjoint"),
	       json_is_true(json_object_get(frame, "class_matched")) ? ", same class mix" : "",
	       number_of(frame, "alpha"));
	printf("  power %.2f: so many of the models that did see the person are flagged; false alarms %.2f.\n"
	       "  The unchanged model is%s flagged in the same test.\n",
	       number_of(frame, "power"), number_of(frame, "false_alarm"), strcmp(flag_of(before), "no") ? "" : " not");
}

static void print_row_level(const struct evidence_view *v)
{
	const json_t *last = json_object_get(v->columns[v->count - 1].evidence, "row_level");
	const json_t *before = json_object_get(last, "before"), *after = json_object_get(last, "after");

	if (last)
		printf("  row-level AUC %.2f (%.2f to %.2f) before, %.2f (%.2f to %.2f) after; 0.5 is chance\n",
		       number_of(before, "auc"), number_of(before, "low"), number_of(before, "high"),
		       number_of(after, "auc"), number_of(after, "low"), number_of(after, "high"));
}

static void print_columns(const struct evidence_view *v)
{
	for (size_t i = 0; i < v->count; i++) {
		const struct evidence_column *c = &v->columns[i];
		const char *refused = json_string_value(json_object_get(c->evidence, "refused"));

		printf("  %s: %s; %s\n", c->method, c->verdict, verdict_sentence(c->verdict));
		if (refused)
			printf("    the test was not made: %s\n", refused);
		if (!c->is_accepted && c->reason[0])
			printf("    discarded: %s\n", c->reason);
	}
}

void evidence_view_print(const struct evidence_view *v)
{
	const json_t *frame = frame_of(v);

	if (!v->count)
		return;
	print_table(v, frame);
	if (frame)
		print_test(frame);
	print_row_level(v);
	print_columns(v);
}
