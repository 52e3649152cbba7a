#include <stdio.h>

#include "base/mem.h"
#include "cli/command.h"
#include "cli/remote.h"

struct options {
	struct remote_options remote;
	const char *id;
};

static int revoke(struct remote *r, void *arg, struct exp_error *err)
{
	const struct options *o = arg;
	char *path = remote_path("/v1/tokens", o->id);
	struct remote_answer answer;
	int rc = remote_send(r, &(struct remote_call){ .method = "DELETE", .path = path }, &answer, err);

	if (!rc)
		json_decref(answer.json);
	mem_free(path);
	return rc;
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	int rc = remote_run(&o->remote, revoke, (void *)o, err);

	if (rc)
		return rc;
	if (c->json)
		command_print_json(json_pack("{s:s, s:b}", "id", o->id, "revoked", true));
	else
		printf("token %s is revoked\n", o->id);
	return 0;
}

static const struct option_row rows[] = {
	{ .name = "ID",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = offsetof(struct options, id),
	  .help = "the token's id as `expunge token list` shows it, never the token itself" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_token_revoke = {
	.group = "token",
	.name = "revoke",
	.summary = "make a token useless from now on",
	.text = "The next call with the token is refused. There is no way back; make a new one instead.",
	.example = "  expunge token revoke 0123456789abcdef --token-file /var/lib/expunge/admin.token",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};
