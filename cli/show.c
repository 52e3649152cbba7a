#include "cli/show.h"

#include "base/mem.h"

struct look {
	const char *path;
	json_t *answer;
};

static int get(struct remote *r, void *arg, struct exp_error *err)
{
	struct look *look = arg;

	return remote_get(r, look->path, &look->answer, err);
}

void show_answer(const struct command_context *c, const json_t *answer, void (*print)(const json_t *answer))
{
	if (c->json)
		command_print_json(json_incref((json_t *)answer));
	else
		print(answer);
}

int show_path(const struct command_context *c, const struct remote_options *o, const char *path,
	      void (*print)(const json_t *answer), struct exp_error *err)
{
	struct look look = { .path = path };
	int rc = remote_run(o, get, &look, err);

	if (rc)
		return rc;
	show_answer(c, look.answer, print);
	json_decref(look.answer);
	return 0;
}

int show_part(const struct command_context *c, const struct remote_options *o, const char *base, const char *part,
	      void (*print)(const json_t *answer), struct exp_error *err)
{
	char *path = remote_path(base, part);
	int rc = show_path(c, o, path, print, err);

	mem_free(path);
	return rc;
}
