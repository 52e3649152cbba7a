/*
 * main.c: expunged. Reads the settings, does what the command line asks for.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/server.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/config.h"
#include "daemon/lifecycle.h"
#include "daemon/loop.h"

enum { EXIT_OK = 0, EXIT_TROUBLE = 1, EXIT_USAGE = 2 };

static int print(struct buf *text)
{
	fputs(text->data, stdout);
	buf_fini(text);
	return EXIT_OK;
}

static int help(const struct config *c)
{
	struct buf text = { 0 };

	(void)c;
	config_help(&text);
	return print(&text);
}

static int version(const struct config *c)
{
	(void)c;
	puts("expunged " EXPUNGE_VERSION);
	return EXIT_OK;
}

static int check(const struct config *c)
{
	(void)c;
	puts("the settings are valid");
	return EXIT_OK;
}

static int print_config(const struct config *c)
{
	struct buf text = { 0 };

	config_print(c, &text);
	return print(&text);
}

static int init(const struct config *c)
{
	struct exp_error err = { 0 };
	char *vkey = NULL;

	if (lifecycle_init(c, &vkey, &err)) {
		fprintf(stderr, "expunged: %s\n", err.message);
		return EXIT_TROUBLE;
	}
	printf("data folder    %s\nadmin token    %s/admin.token (readable by you only)\nlog key        %s\n"
	       "Give the log key to those who will verify receipts: a receipt does not carry it.\n",
	       c->data_folder, c->data_folder, vkey);
	mem_free(vkey);
	return EXIT_OK;
}

static int run(const struct config *c)
{
	struct exp_error err = { 0 };
	struct lifecycle l;
	int rc;

	if (lifecycle_start(&l, c, &err)) {
		log_error("start_failed", "message=\"%s\"", err.message);
		return EXIT_TROUBLE;
	}
	log_info("ready", "url=http://%s:%u version=" EXPUNGE_VERSION, c->listen_address, api_port(l.api));
	rc = loop_run_until_signal(&err);
	alarm((unsigned)c->stop_timeout_s); /* what is cut off then is taken up at the next start, as after a kill */
	lifecycle_stop(&l);
	log_info("stopped", "version=" EXPUNGE_VERSION);
	return rc ? EXIT_TROUBLE : EXIT_OK;
}

static int (*const actions[])(const struct config *c) = {
	[CONFIG_RUN] = run,   [CONFIG_INIT] = init,       [CONFIG_CHECK] = check, [CONFIG_PRINT] = print_config,
	[CONFIG_HELP] = help, [CONFIG_VERSION] = version,
};

/* Weights, keys and rows of people never end up in a core file. */
static void protect(void)
{
	struct rlimit none = { 0, 0 };

	umask(0077);
	setrlimit(RLIMIT_CORE, &none);
}

int main(int argc, char **argv)
{
	enum config_action action;
	struct exp_error err = { 0 };
	enum log_level level = LOG_INFO;
	struct config config;
	int status;

	protect();
	loop_ignore_signals();
	if (config_load(&config, &action, argc, argv, &err)) {
		fprintf(stderr, "expunged: %s\n", err.message);
		return EXIT_USAGE;
	}
	if (!log_parse_level(config.log_level, &level))
		log_set_level(level);
	status = crypto_init() ? EXIT_TROUBLE : actions[action](&config);
	config_fini(&config);
	return status;
}
