#include "api/call.h"

/* The process answers: that is all this says. */
int api_live_get(struct call *c, struct exp_error *err)
{
	(void)err;
	reply_bytes(c, 200, "text/plain; charset=utf-8", "ok\n", 3);
	return 0;
}
