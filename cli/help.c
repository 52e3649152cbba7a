#include "cli/help.h"

#include <string.h>

enum { SUMMARY_COLUMN = 28, OPTION_COLUMN = 30, LINE = 100 };

void help_write_name(const struct command *c, struct buf *out)
{
	buf_format(out, "expunge %s%s%s", c->group ? c->group : "", c->group ? " " : "", c->name);
}

/* label, blanks up to column, text; on a line of its own when label is too long. */
static void add_row(struct buf *out, const char *label, int column, const char *text)
{
	int width = (int)strlen(label) + 2;

	if (width + 2 > column)
		buf_format(out, "  %s\n%*s%s\n", label, column, "", text);
	else
		buf_format(out, "  %-*s%s\n", column - 2, label, text);
}

void help_write_overview(const char *group, struct buf *out)
{
	size_t count;
	const struct command *const *all = command_all(&count);

	buf_add_text(out, "expunge makes a trained model forget a person, and keeps the evidence.\n\n"
			  "Usage: expunge COMMAND [ARGUMENTS]\n\nCommands:\n");
	for (size_t i = 0; i < count; i++) {
		struct buf name = { 0 };

		if (group && (!all[i]->group || strcmp(group, all[i]->group)))
			continue;
		buf_format(&name, "%s%s%s", all[i]->group ? all[i]->group : "", all[i]->group ? " " : "", all[i]->name);
		add_row(out, name.data, SUMMARY_COLUMN, all[i]->summary);
		buf_fini(&name);
	}
	buf_add_text(
	    out, "\n`expunge COMMAND --help` explains a command and shows an example. Every command takes --json.\n");
}

/* The row's form on the usage line, in brackets when it may be left out; wraps before LINE. */
static void add_usage_form(const struct option_row *row, size_t *line_start, struct buf *out)
{
	struct buf form = { 0 };

	option_write_form(row, &form);
	if (out->size - *line_start + form.size + 3 > LINE) {
		buf_add_text(out, "\n");
		*line_start = out->size;
		buf_add_text(out, "      ");
	}
	buf_format(out, row->required ? " %s" : " [%s]", form.data);
	buf_fini(&form);
}

static void add_usage(const struct command *c, struct buf *out)
{
	size_t line_start = out->size;

	buf_add_text(out, "Usage: ");
	help_write_name(c, out);
	for (size_t i = 0; i < c->option_count; i++)
		add_usage_form(&c->options[i], &line_start, out);
	add_usage_form(&(struct option_row){ .name = "json", .kind = OPTION_FLAG }, &line_start, out);
	buf_add_text(out, "\n");
}

static void add_options(const struct command *c, struct buf *out)
{
	for (size_t i = 0; i < c->option_count; i++) {
		struct buf form = { 0 };

		option_write_form(&c->options[i], &form);
		add_row(out, form.data, OPTION_COLUMN, c->options[i].help);
		buf_fini(&form);
	}
	add_row(out, "--json", OPTION_COLUMN, "print the result, or the error, as JSON");
	add_row(out, "--help", OPTION_COLUMN, "print this");
}

static void add_statuses(struct buf *out)
{
#define X(symbol, status, sentence) buf_format(out, "  %d  %s\n", status, sentence);
#include "cli/exit.def"
#undef X
}

void help_write_command(const struct command *c, struct buf *out)
{
	help_write_name(c, out);
	buf_format(out, ": %s\n\n", c->summary);
	add_usage(c, out);
	buf_format(out, "\n%s\n\nArguments:\n", c->text);
	add_options(c, out);
	buf_format(out, "\nExample:\n%s\n\nExit status:\n", c->example);
	add_statuses(out);
}
