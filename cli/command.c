#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/help.h"

#define X(symbol) extern const struct command symbol;
#include "cli/commands.def"
#undef X

static const struct command *const commands[] = {
#define X(symbol) &symbol,
#include "cli/commands.def"
#undef X
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

/* Options of every command. */
struct shared {
	bool json, help;
};

static const struct option_row shared_rows[] = {
	{ .name = "json", .kind = OPTION_FLAG, .offset = offsetof(struct shared, json) },
	{ .name = "help", .kind = OPTION_FLAG, .offset = offsetof(struct shared, help) },
};

const struct command *const *command_all(size_t *count)
{
	*count = COMMANDS;
	return commands;
}

void command_print_json(json_t *value)
{
	struct buf text = { 0 };

	json_write(value, true, &text);
	puts(text.data);
	buf_fini(&text);
	json_decref(value);
}

static void print(struct buf *text, FILE *stream)
{
	fputs(text->data, stream);
	buf_fini(text);
}

static void print_error(const struct exp_error *err, bool json)
{
	struct buf text = { 0 };
	json_t *object;

	if (!json) {
		fprintf(stderr, "expunge: %s\n", err->message);
		return;
	}
	object = json_pack("{s:s, s:s}", "error", error_slug(err->code), "detail", err->message);
	if (err->pointer[0])
		json_object_set_new(object, "pointer", json_string(err->pointer));
	json_write(object, false, &text);
	buf_add_text(&text, "\n");
	print(&text, stderr);
	json_decref(object);
}

static int usage_error(const struct command *c, const struct exp_error *err)
{
	struct buf text = { 0 };

	buf_format(&text, "expunge: %s\nSee `", err->message);
	if (c)
		help_write_name(c, &text);
	buf_format(&text, "%s --help`.\n", c ? "" : "expunge");
	print(&text, stderr);
	return EXIT_USAGE;
}

static bool has_argument(int argc, char *const *argv, const char *wanted)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], wanted))
			return true;
	return false;
}

static int finish(int rc, struct exp_error *err, bool json)
{
	if (rc && !err->code)
		error_set(err, rc, "%s", error_sentence(rc));
	if (rc)
		print_error(err, json);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "expunge: standard output cannot be written\n");
		return rc ? (int)exit_of_error(rc) : EXIT_TROUBLE;
	}
	return (int)exit_of_error(rc);
}

static int run_command(const struct command *c, int argc, char *const *argv)
{
	struct shared shared = { 0 };
	struct exp_error err = { 0 };
	struct buf text = { 0 };
	void *options;
	int rc;

	if (has_argument(argc, argv, "--help")) {
		help_write_command(c, &text);
		print(&text, stdout);
		return finish(0, &err, false);
	}
	options = mem_alloc(c->size);
	if (c->defaults)
		memcpy(options, c->defaults, c->size);
	rc = option_parse(argc, argv,
			  (const struct option_table[]){
			      { c->options, c->option_count, options },
			      { shared_rows, sizeof(shared_rows) / sizeof(shared_rows[0]), &shared } },
			  2, &err);
	if (rc) {
		mem_free(options);
		return usage_error(c, &err);
	}
	rc = c->run(&(struct command_context){ .json = shared.json }, options, &err);
	mem_free(options);
	return finish(rc, &err, shared.json);
}

/* The command that argv names, and how many words it took; NULL when there is none. */
static const struct command *find_command(int argc, char *const *argv, int *words)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *c = commands[i];
		int needed = c->group ? 2 : 1;

		if (argc < needed || (c->group && strcmp(c->group, argv[0])) || strcmp(c->name, argv[needed - 1]))
			continue;
		*words = needed;
		return c;
	}
	return NULL;
}

static const char *find_group(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i]->group && !strcmp(commands[i]->group, name))
			return commands[i]->group;
	return NULL;
}

/* No command: help when it is asked for, an error otherwise. */
static int explain(int argc, char *const *argv)
{
	const char *group = argc ? find_group(argv[0]) : NULL;
	struct buf text = { 0 };

	if (argc && !strcmp(argv[0], "--version")) {
		printf("expunge %s\n", EXPUNGE_VERSION);
		return finish(0, NULL, false);
	}
	if (!argc || has_argument(argc, argv, "--help") || (group && argc == 1)) {
		bool asked = has_argument(argc, argv, "--help");

		help_write_overview(group, &text);
		print(&text, asked ? stdout : stderr);
		return asked ? finish(0, NULL, false) : EXIT_USAGE;
	}
	fprintf(stderr, "expunge: there is no command \"%s%s%s\"\nSee `expunge --help`.\n", argv[0], group ? " " : "",
		group ? argv[1] : "");
	return EXIT_USAGE;
}

int command_main(int argc, char *const *argv)
{
	const struct command *c;
	int words = 0;

	if (argc > 0) {
		argc--;
		argv++;
	}
	c = find_command(argc, argv, &words);
	if (!c)
		return explain(argc, argv);
	return run_command(c, argc - words, argv + words);
}
