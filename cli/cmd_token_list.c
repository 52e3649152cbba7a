#include "cli/show.h"
#include "cli/table.h"

struct options {
	struct remote_options remote;
};

static void print_tokens(const json_t *answer)
{
	static const char *const heads[] = { "ID", "NAME", "ROLE", "CREATED", "EXPIRES", "REVOKED", "LAST USED" };
	struct table t;
	json_t *token;
	size_t i;

	table_init(&t, "lllllll", heads);
	json_array_foreach(json_object_get(answer, "items"), i, token) {
		table_add(&t, remote_text(token, "id"));
		table_add(&t, remote_text(token, "name"));
		table_add(&t, remote_text(token, "role"));
		table_add(&t, remote_text(token, "created_at"));
		table_add(&t, remote_text(token, "expires_at"));
		table_add(&t, remote_text(token, "revoked_at"));
		table_add(&t, remote_text(token, "last_used_at"));
	}
	table_print(&t);
	table_fini(&t);
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	return show_path(c, &((const struct options *)options)->remote, "/v1/tokens", print_tokens, err);
}

static const struct option_row rows[] = { REMOTE_ROWS(struct options) };

const struct command cmd_token_list = {
	.group = "token",
	.name = "list",
	.summary = "list the tokens, without their secrets",
	.text = "Revoked tokens stay in the list, because requests name the token that submitted them. Needs an admin "
		"token.",
	.example = "  expunge token list --token-file /var/lib/expunge/admin.token",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};
