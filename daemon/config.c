#include "daemon/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

enum kind { TEXT, INT, BOOL };

struct setting {
	const char *key, *initial, *unit, *help;
	enum kind kind;
	size_t offset;
	int64_t min, max;
};

static const struct setting settings[] = {
#define X(member, kind, key, default, min, max, unit, help)                                                            \
	{ key, default, unit, help, kind, offsetof(struct config, member), min, max },
#include "daemon/config.def"
#undef X
};

enum { SETTINGS = sizeof(settings) / sizeof(settings[0]), FILE_MAX = 1 << 20 };

static const struct {
	const char *flag, *help;
	enum config_action action;
} flags[] = {
	{ "--init", "create the data folder, write the first admin token into it (0600), print the log's key, exit",
	  CONFIG_INIT },
	{ "--check-config", "read the settings, say what is wrong, exit", CONFIG_CHECK },
	{ "--print-config", "print the settings in force as a file, exit", CONFIG_PRINT },
	{ "--version", "print the version, exit", CONFIG_VERSION },
	{ "--help", "print this, exit", CONFIG_HELP },
};

static void *member(struct config *c, const struct setting *s)
{
	return (char *)c + s->offset;
}

static const struct setting *find(const char *key, size_t length)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (strlen(settings[i].key) == length && !strncmp(settings[i].key, key, length))
			return &settings[i];
	return NULL;
}

static int set_int(struct config *c, const struct setting *s, const char *value, struct exp_error *err)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(value, &end, 10);
	if (errno || end == value || *end || number < s->min || number > s->max)
		return error_set(err, EXP_EINVAL, "%s must be a whole number from %lld to %lld (%s), not \"%s\"",
				 s->key, (long long)s->min, (long long)s->max, s->unit, value);
	*(int64_t *)member(c, s) = number;
	return 0;
}

static int set_bool(struct config *c, const struct setting *s, const char *value, struct exp_error *err)
{
	bool yes = !strcmp(value, "true");

	if (!yes && strcmp(value, "false"))
		return error_set(err, EXP_EINVAL, "%s must be true or false, not \"%s\"", s->key, value);
	*(bool *)member(c, s) = yes;
	return 0;
}

static int set(struct config *c, const struct setting *s, const char *value, struct exp_error *err)
{
	char **text = member(c, s);

	if (s->kind == INT)
		return set_int(c, s, value, err);
	if (s->kind == BOOL)
		return set_bool(c, s, value, err);
	mem_free(*text);
	*text = mem_strdup(value);
	return 0;
}

static void set_defaults(struct config *c)
{
	*c = (struct config){ 0 };
	for (size_t i = 0; i < SETTINGS; i++)
		if (set(c, &settings[i], settings[i].initial, NULL))
			abort();
}

static char *trim(char *text)
{
	size_t n;

	text += strspn(text, " \t");
	n = strlen(text);
	while (n && strchr(" \t\r", text[n - 1]))
		text[--n] = '\0';
	return text;
}

static int read_line(struct config *c, char *line, struct exp_error *err)
{
	const struct setting *s;
	char *equals, *key;

	line[strcspn(line, "#")] = '\0';
	line = trim(line);
	if (!*line)
		return 0;
	equals = strchr(line, '=');
	if (!equals)
		return error_set(err, EXP_EINVAL, "expected key = value");
	*equals = '\0';
	key = trim(line);
	s = find(key, strlen(key));
	if (!s)
		return error_set(err, EXP_EINVAL, "\"%s\" is not a setting; expunged --help lists them", key);
	return set(c, s, trim(equals + 1), err);
}

static int read_file(struct config *c, const char *path, struct exp_error *err)
{
	struct buf text = { 0 };
	char *rest, *line;
	int rc = file_read(path, FILE_MAX, &text, err), number = 0;

	rest = text.data;
	while (!rc && (line = strsep(&rest, "\n"))) {
		number++;
		rc = read_line(c, line, err);
		if (rc)
			error_wrap(err, rc, "%s:%d", path, number);
	}
	buf_fini(&text);
	return rc;
}

static bool find_flag(const char *argument, enum config_action *action)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (!strcmp(argument, flags[i].flag)) {
			*action = flags[i].action;
			return true;
		}
	}
	return false;
}

/* One "--key value" or "--key=value"; *i moves past what was used. */
static int read_argument(struct config *c, int argc, char **argv, int *i, struct exp_error *err)
{
	const char *argument = argv[*i], *value = strchr(argument, '=');
	size_t length = value ? (size_t)(value - argument) : strlen(argument);
	const struct setting *s = strncmp(argument, "--", 2) ? NULL : find(argument + 2, length - 2);
	bool is_file = length == 8 && !strncmp(argument, "--config", 8);

	if (!s && !is_file)
		return error_set(err, EXP_EINVAL, "\"%s\" is not an option; expunged --help lists them", argument);
	if (value)
		value++;
	else if (*i + 1 < argc)
		value = argv[++*i];
	else
		return error_set(err, EXP_EINVAL, "%s needs a value", argument);
	return is_file ? 0 : set(c, s, value, err);
}

static const char *config_path(int argc, char **argv)
{
	const char *path = NULL;

	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--config=", 9))
			path = argv[i] + 9;
		else if (!strcmp(argv[i], "--config") && i + 1 < argc)
			path = argv[i + 1];
	}
	return path;
}

static int check(const struct config *c, struct exp_error *err)
{
	enum log_level level;

	if (log_parse_level(c->log_level, &level))
		return error_set(err, EXP_EINVAL, "log-level must be error, warn, info or debug, not \"%s\"",
				 c->log_level);
	if (!*c->data_folder)
		return error_set(err, EXP_EINVAL, "data must name a folder");
	return 0;
}

int config_load(struct config *c, enum config_action *action, int argc, char **argv, struct exp_error *err)
{
	const char *path = config_path(argc, argv);
	int rc = 0;

	*action = CONFIG_RUN;
	set_defaults(c);
	if (path)
		rc = read_file(c, path, err);
	for (int i = 1; !rc && i < argc; i++)
		if (!find_flag(argv[i], action))
			rc = read_argument(c, argc, argv, &i, err);
	if (!rc)
		rc = check(c, err);
	if (rc)
		config_fini(c);
	return rc;
}

void config_print(const struct config *c, struct buf *out)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *s = &settings[i];
		const void *at = (const char *)c + s->offset;

		buf_format(out, "# %s%s%s%s\n%s = ", s->help, *s->unit ? " [" : "", s->unit, *s->unit ? "]" : "",
			   s->key);
		if (s->kind == INT)
			buf_format(out, "%lld\n\n", (long long)*(const int64_t *)at);
		else if (s->kind == BOOL)
			buf_format(out, "%s\n\n", *(const bool *)at ? "true" : "false");
		else
			buf_format(out, "%s\n\n", *(char *const *)at);
	}
}

void config_help(struct buf *out)
{
	buf_add_text(out, "expunged: serves models over HTTP and makes them forget people who ask for it\n\n"
			  "usage: expunged --data FOLDER --init      once, then\n"
			  "       expunged --data FOLDER [options]\n\n");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		buf_format(out, "  %-32s %s\n", flags[i].flag, flags[i].help);
	buf_format(out, "  %-32s %s\n\n", "--config FILE", "read settings from a file of lines \"key = value\"");
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *s = &settings[i];
		char *left = mem_format("--%s %s", s->key, *s->unit ? s->unit : "true|false");

		buf_format(out, "  %-32s %s (%s)\n", left, s->help, *s->initial ? s->initial : "none");
		mem_free(left);
	}
	buf_add_text(out,
		     "\nSIGTERM or SIGINT stops: no job is lost, a running one is taken up at the next start.\n"
		     "Example: expunged --data ./data --init && expunged --data ./data --import-root ./examples\n");
}

void config_fini(struct config *c)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (settings[i].kind == TEXT)
			mem_free(*(char **)member(c, &settings[i]));
	*c = (struct config){ 0 };
}
