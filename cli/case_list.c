#include "cli/case_list.h"

#include <fnmatch.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define LIMIT ((size_t)1 << 20)

static const char blanks[] = " \t\r";

static const char *const kinds[] = {
	[CASE_OPERATOR] = "operator",
	[CASE_UNSUPPORTED] = "unsupported",
	[CASE_FAILED] = "failed",
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static struct case_row *add_row(struct case_list *list)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		struct case_row *rows = mem_alloc(room * sizeof(*rows));

		if (list->count)
			memcpy(rows, list->rows, list->count * sizeof(*rows));
		mem_free(list->rows);
		list->rows = rows;
		list->room = room;
	}
	return &list->rows[list->count++];
}

/* The next word of *text, NUL-terminated in place; *text moves behind it and the blanks that follow. */
static char *next_word(char **text)
{
	char *word = *text, *end = word + strcspn(word, blanks);

	*text = end + strspn(end, blanks);
	*end = '\0';
	return word;
}

static int read_line(struct case_list *list, char *line, size_t number, struct exp_error *err)
{
	char *rest = line + strspn(line, blanks), *kind, *what;
	size_t k = 0;

	if (!*rest || *rest == '#')
		return 0;
	kind = next_word(&rest);
	what = next_word(&rest);
	while (k < KINDS && strcmp(kinds[k], kind))
		k++;
	if (k == KINDS)
		return error_set(err, EXP_EPARSE,
				 "line %zu begins with \"%.40s\"; a row begins with operator, unsupported or failed",
				 number, kind);
	if (!*what || !*rest)
		return error_set(err, EXP_EPARSE, "line %zu needs a name and a reason", number);
	*add_row(list) = (struct case_row){
		.kind = (enum case_kind)k, .what = mem_strdup(what), .reason = mem_strdup(rest), .line = number
	};
	return 0;
}

int case_list_read(struct case_list *list, const char *path, struct exp_error *err)
{
	struct buf text = { 0 };
	size_t number = 0;
	char *line, *next;
	int rc = file_read(path, LIMIT, &text, err);

	for (line = text.data; !rc && line && *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		rc = read_line(list, line, ++number, err);
	}
	buf_fini(&text);
	return rc ? error_wrap(err, rc, "%s", path) : 0;
}

/* ---- checking ---- */

static const enum onnx_verdict verdicts[] = {
	[CASE_OPERATOR] = ONNX_UNSUPPORTED,
	[CASE_UNSUPPORTED] = ONNX_UNSUPPORTED,
	[CASE_FAILED] = ONNX_FAILED,
};

static bool list_operator(struct case_list *list, const char *op_type)
{
	bool found = false;

	for (size_t i = 0; i < list->count; i++) {
		struct case_row *row = &list->rows[i];

		if (row->kind != CASE_OPERATOR || strcmp(row->what, op_type))
			continue;
		row->cases++;
		found = true;
	}
	return found;
}

static size_t check_operators(struct case_list *list, const struct onnx_case *c, struct buf *out)
{
	size_t wrong = 0;

	for (size_t i = 0; i < c->operator_count; i++) {
		if (list_operator(list, c->operators[i]))
			continue;
		buf_format(out, "%s: the operator %s is not on the list\n", c->name, c->operators[i]);
		wrong++;
	}
	return wrong;
}

/* A case whose operators the engine knows. */
static size_t check_case(struct case_list *list, const struct onnx_case *c, struct buf *out)
{
	bool listed = false;
	size_t wrong = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct case_row *row = &list->rows[i];

		if (row->kind == CASE_OPERATOR || fnmatch(row->what, c->name, 0) != 0)
			continue;
		row->cases++;
		listed = true;
		if (verdicts[row->kind] == c->verdict)
			continue;
		buf_format(out, "%s: %s, but line %zu lists it as %s\n", c->name, onnx_verdict_name(c->verdict),
			   row->line, kinds[row->kind]);
		wrong++;
	}
	if (listed || c->verdict == ONNX_PASSED)
		return wrong;
	buf_format(out, "%s: %s and not on the list\n", c->name, onnx_verdict_name(c->verdict));
	return wrong + 1;
}

size_t case_list_check(struct case_list *list, const struct onnx_suite *suite, bool complete, struct buf *out)
{
	size_t wrong = 0;

	for (size_t i = 0; i < suite->count; i++) {
		const struct onnx_case *c = &suite->cases[i];

		wrong += c->operator_count ? check_operators(list, c, out) : check_case(list, c, out);
	}
	for (size_t i = 0; complete && i < list->count; i++) {
		if (list->rows[i].cases)
			continue;
		buf_format(out, "line %zu: %s %s speaks of no case\n", list->rows[i].line, kinds[list->rows[i].kind],
			   list->rows[i].what);
		wrong++;
	}
	return wrong;
}

void case_list_fini(struct case_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		mem_free(list->rows[i].what);
		mem_free(list->rows[i].reason);
	}
	mem_free(list->rows);
	*list = (struct case_list){ 0 };
}
