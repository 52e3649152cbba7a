#include <string.h>

#include "api/api_internal.h"
#include "api/deletion_request.h"
#include "audit/audit.h"

enum { RETRY_AFTER_S = 5 };

struct receipt_text {
	struct buf text;
	bool is_missing; /* not sealed yet */
	struct exp_error why;
};

static void state_free(void *state)
{
	buf_fini_secret(&((struct receipt_text *)state)->text);
}

/* Needs the request's key, which the writer alone reads: hence not on an HTTP thread. */
static int work(struct call *c, struct exp_error *err)
{
	struct receipt_text *r = c->state;
	int rc = audit_receipt(c->api->options.audit, call_arg(c, 0), &r->text, err);

	if (rc != EXP_ENOTFOUND)
		return rc;
	r->is_missing = true;
	r->why = *err;
	return 0;
}

static int answer(struct call *c, struct exp_error *err)
{
	const struct receipt_text *r = c->state;

	if (r->is_missing) {
		*err = r->why;
		reply_header(c, "Retry-After", "%d", RETRY_AFTER_S);
		return EXP_ENOTFOUND;
	}
	reply_header(c, "Content-Disposition", "attachment; filename=\"%s.tlog-proof\"", call_arg(c, 0));
	reply_bytes(c, 200, "application/vnd.expunge.tlog-proof", r->text.data, r->text.size);
	return 0;
}

int api_deletion_request_receipt(struct call *c, struct exp_error *err)
{
	int rc = deletion_request_check_id(call_arg(c, 0), err);

	if (rc)
		return rc;
	call_state_new(c, sizeof(struct receipt_text), state_free);
	return call_offload(c, work, answer);
}
