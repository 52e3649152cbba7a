#include "daemon/config.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static int load(struct config *c, enum config_action *action, struct exp_error *err, int argc, ...)
{
	char program[] = "expunged", *argv[16] = { program };
	va_list args;

	va_start(args, argc);
	for (int i = 0; i < argc; i++)
		argv[i + 1] = va_arg(args, char *);
	va_end(args);
	return config_load(c, action, argc + 1, argv, err);
}

static void write_file(char *path, const char *text)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

Test(config, has_defaults_and_reads_arguments)
{
	enum config_action action;
	struct config c;

	cr_assert_eq(load(&c, &action, NULL, 5, "--data", "/tmp/x", "--port=0", "--open-inference=true", "--init"), 0);
	cr_assert_eq(action, CONFIG_INIT);
	cr_assert_str_eq(c.data_folder, "/tmp/x");
	cr_assert_str_eq(c.listen_address, "127.0.0.1");
	cr_assert_eq(c.port, 0);
	cr_assert(c.open_inference);
	config_fini(&c);
}

Test(config, arguments_win_over_the_file)
{
	char path[] = "/tmp/expunge-config-XXXXXX";
	enum config_action action;
	struct config c;

	write_file(path, "# a comment\nport = 1234   # another\nworkers=3\n\n");
	cr_assert_eq(load(&c, &action, NULL, 4, "--port", "99", "--config", path), 0);
	cr_assert_eq(c.port, 99);
	cr_assert_eq(c.worker_threads, 3);
	config_fini(&c);
	unlink(path);
}

Test(config, names_what_is_wrong_and_where)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "port = 1\nprot = 2\n", ":2: \"prot\" is not a setting" },
		{ "port\n", ":1: expected key = value" },
		{ "port = 70000\n", "port must be a whole number from 0 to 65535" },
		{ "open-inference = yes\n", "must be true or false" },
		{ "log-level = loud\n", "log-level must be" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[] = "/tmp/expunge-config-XXXXXX";
		struct exp_error err = { 0 };
		enum config_action action;
		struct config c;

		write_file(path, cases[i].text);
		cr_assert_eq(load(&c, &action, &err, 2, "--config", path), EXP_EINVAL);
		cr_assert(strstr(err.message, cases[i].says), "%s", err.message);
		unlink(path);
	}
}

Test(config, refuses_unknown_options_and_missing_values)
{
	struct exp_error err = { 0 };
	enum config_action action;
	struct config c;

	cr_assert_eq(load(&c, &action, &err, 1, "--nonsense"), EXP_EINVAL);
	cr_assert_eq(load(&c, &action, &err, 1, "--port"), EXP_EINVAL);
	cr_assert_eq(load(&c, &action, &err, 1, "stray"), EXP_EINVAL);
}

Test(config, prints_what_it_reads_back)
{
	char path[] = "/tmp/expunge-config-XXXXXX";
	struct buf first = { 0 }, second = { 0 };
	enum config_action action;
	struct config c;

	cr_assert_eq(load(&c, &action, NULL, 2, "--lease", "77"), 0);
	config_print(&c, &first);
	config_fini(&c);
	write_file(path, first.data);
	cr_assert_eq(load(&c, &action, NULL, 2, "--config", path), 0);
	config_print(&c, &second);
	cr_assert_str_eq(first.data, second.data);
	cr_assert_eq(c.lease_s, 77);
	config_fini(&c);
	buf_fini(&first);
	buf_fini(&second);
	unlink(path);
}
