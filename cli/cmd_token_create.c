#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/remote.h"

struct options {
	struct remote_options remote;
	int role;
	const char *name, *expires_at, *out;
};

struct work {
	const struct command_context *context;
	const struct options *options;
};

static const char *const roles[] = { "submitter", "ml_engineer", "auditor", "admin", NULL };

/* Into the file the token goes alone, readable by its owner only; the answer that is printed no longer holds it. */
static int keep_token(json_t *answer, const char *path, struct exp_error *err)
{
	char *line = mem_format("%s\n", remote_text(answer, "token"));
	int rc = file_write_durable(path, line, strlen(line), err);

	mem_free_secret(line, strlen(line));
	if (!rc)
		json_object_del(answer, "token");
	return rc;
}

static void print_result(const struct work *w, json_t *answer)
{
	const struct options *o = w->options;

	if (w->context->json) {
		command_print_json(json_incref(answer));
		return;
	}
	printf("token %s \"%s\" for the role %s, expires %s\n", remote_text(answer, "id"), remote_text(answer, "name"),
	       remote_text(answer, "role"), o->expires_at ? remote_text(answer, "expires_at") : "never");
	if (o->out)
		printf("written to %s, readable by you only\n", o->out);
	else
		printf("%s\nIt is shown this once; the daemon keeps only its digest.\n", remote_text(answer, "token"));
}

static int create(struct remote *r, void *arg, struct exp_error *err)
{
	const struct work *w = arg;
	const struct options *o = w->options;
	json_t *body = json_pack("{s:s, s:s, s:s*}", "name", o->name ? o->name : roles[o->role], "role", roles[o->role],
				 "expires_at", o->expires_at);
	json_t *answer = NULL;
	int rc = remote_post(r, "/v1/tokens", body, &answer, err);

	json_decref(body);
	if (!rc && o->out)
		rc = keep_token(answer, o->out, err);
	if (!rc)
		print_result(w, answer);
	json_decref(answer);
	return rc;
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	struct work w = { c, options };

	return remote_run(&w.options->remote, create, &w, err);
}

#define AT(member) .offset = offsetof(struct options, member)
static const struct option_row rows[] = {
	{ .name = "role",
	  .kind = OPTION_ENUM,
	  .required = true,
	  AT(role),
	  .names = roles,
	  .help = "what the bearer may do" },
	{ .name = "name", .kind = OPTION_TEXT, AT(name), .value = "NAME", .help = "for the list; default the role" },
	{ .name = "expires-at",
	  .kind = OPTION_TEXT,
	  AT(expires_at),
	  .value = "TIME",
	  .help = "RFC 3339, for example 2027-01-31T00:00:00Z; default never" },
	{ .name = "out",
	  .kind = OPTION_TEXT,
	  AT(out),
	  .value = "FILE",
	  .help = "receives the token (0600) instead of the screen" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_token_create = {
	.group = "token",
	.name = "create",
	.summary = "make a bearer token for a role",
	.text =
	    "A submitter files and follows deletion requests; an ml_engineer registers datasets and models and sees\n"
	    "jobs; an auditor reads everything but changes nothing; an admin may do all of it and makes tokens.\n"
	    "Everybody may run inference. The first admin token is written by `expunged --init`.",
	.example = "  expunge token create --role submitter --name portal --out /tmp/portal.token \\\n"
		   "      --token-file /var/lib/expunge/admin.token",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};
