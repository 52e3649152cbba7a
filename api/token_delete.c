#include "api/api_internal.h"
#include "api/token.h"

static int run(struct txn *txn, void *call, struct exp_error *err)
{
	return tokens_revoke(txn, call_arg(call, 0), err);
}

static int answer(struct call *c, struct exp_error *err)
{
	(void)err;
	reply_empty(c, 204);
	return 0;
}

/* The row stays, revoked: requests name the token that submitted them. */
int api_token_delete(struct call *c, struct exp_error *err)
{
	(void)err;
	return call_write(c, run, answer);
}
