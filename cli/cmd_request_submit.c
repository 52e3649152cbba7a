#include <stdio.h>

#include "cli/claim.h"
#include "cli/request_view.h"
#include "cli/show.h"

struct options {
	struct remote_options remote;
	struct claim_options claim;
	const char *idempotency_key, *reference;
	bool wait;
};

struct work {
	const struct command_context *context;
	const struct options *options;
	json_t *body;
};

static void print_accepted(const json_t *request)
{
	printf("%s\n", remote_text(request, "id"));
	printf("accepted: %s, due %s (%s)\n", remote_text(request, "status"), remote_text(request, "due_at"),
	       remote_text(request, "regime"));
}

static int submit(struct remote *r, void *arg, struct exp_error *err)
{
	const struct work *w = arg;
	struct remote_call call = { .method = "POST",
				    .path = "/v1/deletion-requests",
				    .body = w->body,
				    .idempotency_key = w->options->idempotency_key };
	struct remote_answer answer;
	int rc = remote_send(r, &call, &answer, err);

	if (rc)
		return rc;
	if (!w->options->wait || !w->context->json)
		show_answer(w->context, answer.json, print_accepted);
	if (w->options->wait)
		rc = request_view_follow(w->context, r, remote_text(answer.json, "id"), err);
	json_decref(answer.json);
	return rc;
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct work w = { .context = c, .options = o };
	int rc = claim_read(&o->claim, &w.body, err);

	if (rc)
		return rc;
	if (o->reference)
		json_object_set_new(w.body, "request_id", json_string(o->reference));
	rc = remote_run(&o->remote, submit, &w, err);
	json_decref(w.body);
	return rc;
}

#define AT(member) .offset = offsetof(struct options, member)
static const struct option_row rows[] = {
	CLAIM_ROWS(struct options),
	{ .name = "regime",
	  .kind = OPTION_ENUM,
	  CLAIM_AT(struct options, regime),
	  .names = claim_regimes,
	  .help = "the law whose clock runs: one month (default) or 45 days" },
	{ .name = "received-at",
	  .kind = OPTION_TEXT,
	  CLAIM_AT(struct options, received_at),
	  .value = "TIME",
	  .help = "when the person asked, RFC 3339; default now" },
	{ .name = "reference",
	  .kind = OPTION_TEXT,
	  AT(reference),
	  .value = "TEXT",
	  .help = "your own number for it; nothing that names the person" },
	{ .name = "idempotency-key",
	  .kind = OPTION_TEXT,
	  AT(idempotency_key),
	  .value = "KEY",
	  .help = "the same key with the same person is the same request, for a day" },
	{ .name = "wait", .kind = OPTION_FLAG, AT(wait), .help = "follow it to its end, then show it" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_request_submit = {
	.group = "request",
	.name = "submit",
	.summary = "ask that a person be forgotten",
	.text = "Prints the id of the request as the first line. The answer comes after the request is durable: from "
		"then on\n"
		"nothing that happens to the daemon loses it. All identities given are of one person; submit another "
		"request\n"
		"for another person. With --wait the exit status is 0 only when the request ends as completed.\n"
		"\n"
		"Arguments are seen by everybody who may list processes on this machine, and kept by most shells. Use\n"
		"--identity-file to keep identities out of both; they are sent to the daemon and written nowhere.",
	.example = "  printf '%s\\n' worker:w0042 | expunge request submit --identity-file - --wait",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};
