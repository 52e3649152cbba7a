#include <stdio.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/show.h"

struct options {
	struct remote_options remote;
	const char *id, *out;
	bool wait;
};

struct work {
	const struct options *options;
	struct buf receipt;
};

enum { TRIES = 100, PAUSE_MS = 200 };

static int get(struct remote *r, void *arg, struct exp_error *err)
{
	struct work *w = arg;
	char *request = remote_path("/v1/deletion-requests", w->options->id), *path = mem_format("%s/receipt", request);
	int tries = w->options->wait ? TRIES : 1, rc = EXP_ENOTFOUND;

	while (rc == EXP_ENOTFOUND && tries-- > 0) {
		rc = remote_get_bytes(r, path, &w->receipt, err);
		if (rc == EXP_ENOTFOUND && tries)
			nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000 * 1000 }, NULL);
	}
	mem_free(request);
	mem_free(path);
	return rc;
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct work w = { .options = o };
	int rc = remote_run(&o->remote, get, &w, err);

	if (!rc)
		rc = file_write_durable(o->out, w.receipt.data, w.receipt.size, err);
	if (!rc && c->json)
		command_print_json(
		    json_pack("{s:s, s:s, s:I}", "request", o->id, "out", o->out, "bytes", (json_int_t)w.receipt.size));
	else if (!rc)
		printf("receipt of %zu bytes written to %s; check it with `expunge audit verify %s --key VKEY`\n",
		       w.receipt.size, o->out, o->out);
	buf_fini_secret(&w.receipt);
	return rc;
}

#define AT(member) .offset = offsetof(struct options, member)
static const struct option_row rows[] = {
	{ .name = "ID", .kind = OPTION_TEXT, .required = true, AT(id), .help = "the request's id" },
	{ .name = "out",
	  .kind = OPTION_TEXT,
	  .required = true,
	  AT(out),
	  .value = "F.tlog-proof",
	  .help = "receives the receipt, readable by you only" },
	{ .name = "wait", .kind = OPTION_FLAG, AT(wait), .help = "try again for up to 20 seconds until it exists" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_request_receipt = {
	.group = "request",
	.name = "receipt",
	.summary = "fetch the receipt of a completed request",
	.text = "A receipt proves offline, for as long as the log's key is known, what was done. It carries the key "
		"that opens\n"
		"whose request it was: keep it as confidential as the request. It exists once the log has been signed "
		"after\n"
		"the request's completion, which takes a moment; until then the answer is that there is none yet.",
	.example = "  expunge request receipt 01900000-0000-7000-8000-000000000000 --out /tmp/w0042.tlog-proof",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};
