#include "cli/option.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { TABLES_MAX = 4, ROWS_MAX = 32 };

/* A walk over the command line; given marks rows that had a value. */
struct parse {
	int argc, at;
	char *const *argv;
	const struct option_table *tables;
	size_t table_count;
	bool given[TABLES_MAX][ROWS_MAX];
	bool options_ended;
};

/* One row that the walk stands at. */
struct match {
	const struct option_row *row;
	void *target;
	bool *given;
};

bool option_is_positional(const struct option_row *row)
{
	return row->name[0] >= 'A' && row->name[0] <= 'Z';
}

static struct match match_at(struct parse *p, size_t table, size_t row)
{
	const struct option_table *t = &p->tables[table];

	return (struct match){ &t->rows[row], (char *)t->out + t->rows[row].offset, &p->given[table][row] };
}

static bool find_option(struct parse *p, const char *name, size_t length, struct match *out)
{
	for (size_t t = 0; t < p->table_count; t++) {
		for (size_t r = 0; r < p->tables[t].count; r++) {
			const struct option_row *row = &p->tables[t].rows[r];

			if (option_is_positional(row) || strlen(row->name) != length ||
			    strncmp(row->name, name, length))
				continue;
			*out = match_at(p, t, r);
			return true;
		}
	}
	return false;
}

/* The first positional that has no value yet; a list takes all that come. */
static bool find_positional(struct parse *p, struct match *out)
{
	for (size_t t = 0; t < p->table_count; t++) {
		for (size_t r = 0; r < p->tables[t].count; r++) {
			const struct option_row *row = &p->tables[t].rows[r];

			if (!option_is_positional(row) || (p->given[t][r] && row->kind != OPTION_LIST))
				continue;
			*out = match_at(p, t, r);
			return true;
		}
	}
	return false;
}

static int bad_value(const struct option_row *row, const char *value, const char *wanted, struct exp_error *err)
{
	return error_set(err, EXP_EINVAL, "%s%s: \"%.60s\" is not %s", option_is_positional(row) ? "" : "--", row->name,
			 value, wanted);
}

static int check_bounds(const struct option_row *row, double value, struct exp_error *err)
{
	if ((row->min == 0 && row->max == 0) || (value >= row->min && value <= row->max))
		return 0;
	return error_set(err, EXP_EINVAL, "--%s must lie between %.15g and %.15g", row->name, row->min, row->max);
}

static int set_int(const struct match *m, const char *value, struct exp_error *err)
{
	long long number;
	char *end;

	errno = 0;
	number = strtoll(value, &end, 10);
	if (end == value || *end || errno)
		return bad_value(m->row, value, "a whole number", err);
	if (check_bounds(m->row, (double)number, err))
		return EXP_EINVAL;
	*(int64_t *)m->target = number;
	return 0;
}

static int set_number(const struct match *m, const char *value, struct exp_error *err)
{
	double number;
	char *end;

	number = strtod(value, &end);
	if (end == value || *end || !isfinite(number))
		return bad_value(m->row, value, "a number", err);
	if (check_bounds(m->row, number, err))
		return EXP_EINVAL;
	*(double *)m->target = number;
	return 0;
}

static int set_enum(const struct match *m, const char *value, struct exp_error *err)
{
	struct buf allowed = { 0 };
	int rc;

	for (int i = 0; m->row->names[i]; i++) {
		if (!strcmp(value, m->row->names[i])) {
			*(int *)m->target = i;
			return 0;
		}
	}
	for (int i = 0; m->row->names[i]; i++)
		buf_format(&allowed, "%s%s", i ? ", " : "one of ", m->row->names[i]);
	rc = bad_value(m->row, value, allowed.data, err);
	buf_fini(&allowed);
	return rc;
}

static int set_list(const struct match *m, const char *value, struct exp_error *err)
{
	struct option_list *list = m->target;

	if (list->count == OPTION_LIST_MAX)
		return error_set(err, EXP_EINVAL, "%s may be given %d times at most", m->row->name, OPTION_LIST_MAX);
	list->items[list->count++] = value;
	return 0;
}

static int set_value(const struct match *m, const char *value, struct exp_error *err)
{
	if (*m->given && m->row->kind != OPTION_LIST)
		return error_set(err, EXP_EINVAL, "--%s is given twice", m->row->name);
	*m->given = true;
	switch (m->row->kind) {
	case OPTION_FLAG:
		*(bool *)m->target = true;
		return 0;
	case OPTION_TEXT:
		*(const char **)m->target = value;
		return 0;
	case OPTION_INT:
		return set_int(m, value, err);
	case OPTION_NUMBER:
		return set_number(m, value, err);
	case OPTION_ENUM:
		return set_enum(m, value, err);
	case OPTION_LIST:
		return set_list(m, value, err);
	}
	return EXP_EINTERNAL;
}

/* argument: without its dashes. */
static int parse_option(struct parse *p, const char *argument, struct exp_error *err)
{
	const char *equals = strchr(argument, '=');
	size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
	struct match m;

	if (!find_option(p, argument, length, &m))
		return error_set(err, EXP_EINVAL, "there is no option --%.*s", (int)length, argument);
	if (m.row->kind == OPTION_FLAG)
		return equals ? error_set(err, EXP_EINVAL, "--%s takes no value", m.row->name)
			      : set_value(&m, NULL, err);
	if (equals)
		return set_value(&m, equals + 1, err);
	if (p->at == p->argc)
		return error_set(err, EXP_EINVAL, "--%s needs a value", m.row->name);
	return set_value(&m, p->argv[p->at++], err);
}

static int parse_argument(struct parse *p, struct exp_error *err)
{
	const char *argument = p->argv[p->at++];
	struct match m;

	if (!p->options_ended && !strcmp(argument, "--")) {
		p->options_ended = true;
		return 0;
	}
	if (!p->options_ended && !strncmp(argument, "--", 2))
		return parse_option(p, argument + 2, err);
	if (!p->options_ended && argument[0] == '-' && argument[1])
		return error_set(err, EXP_EINVAL, "there is no option %s; options have two dashes", argument);
	if (!find_positional(p, &m))
		return error_set(err, EXP_EINVAL, "\"%.60s\" is one argument too many", argument);
	return set_value(&m, argument, err);
}

static int check_required(const struct parse *p, struct exp_error *err)
{
	for (size_t t = 0; t < p->table_count; t++) {
		for (size_t r = 0; r < p->tables[t].count; r++) {
			const struct option_row *row = &p->tables[t].rows[r];

			if (row->required && !p->given[t][r])
				return error_set(err, EXP_EINVAL, "%s%s is missing",
						 option_is_positional(row) ? "" : "--", row->name);
		}
	}
	return 0;
}

int option_parse(int argc, char *const *argv, const struct option_table *tables, size_t table_count,
		 struct exp_error *err)
{
	struct parse p = { .argc = argc, .argv = argv, .tables = tables, .table_count = table_count };
	int rc = 0;

	exp_require(table_count <= TABLES_MAX);
	for (size_t t = 0; t < table_count; t++)
		exp_require(tables[t].count <= ROWS_MAX);
	while (!rc && p.at < argc)
		rc = parse_argument(&p, err);
	return rc ? rc : check_required(&p, err);
}

void option_write_form(const struct option_row *row, struct buf *out)
{
	buf_format(out, "%s%s", option_is_positional(row) ? "" : "--", row->name);
	if (option_is_positional(row) && row->kind == OPTION_LIST)
		buf_add_text(out, "...");
	if (option_is_positional(row) || row->kind == OPTION_FLAG)
		return;
	if (row->kind != OPTION_ENUM)
		buf_format(out, " %s", row->value);
	for (int i = 0; row->kind == OPTION_ENUM && row->names[i]; i++)
		buf_format(out, "%s%s", i ? "|" : " ", row->names[i]);
}
