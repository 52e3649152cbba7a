#include "cli/audit_check.h"
#include "cli/command.h"

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	return audit_check_run(options, c->json, err);
}

const struct command cmd_audit_verify = {
	.group = "audit",
	.name = "verify",
	.summary = "check a receipt or a whole log offline",
	.text = audit_check_text,
	.example = "  expunge audit verify ada.tlog-proof --key @log.vkey --identity email:ada@example.com\n"
		   "  expunge audit verify /srv/copy-of-log --key @log.vkey --checkpoint seen-last-year",
	.options = audit_check_options,
	.option_count = AUDIT_CHECK_OPTIONS,
	.size = sizeof(struct audit_check),
	.run = run,
};
