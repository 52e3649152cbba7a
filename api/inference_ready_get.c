#include "api/api_internal.h"

int api_inference_ready_get(struct call *c, struct exp_error *err)
{
	bool ready = api_is_ready(c->api);

	(void)err;
	reply_json(c, ready ? 200 : 503, json_pack("{s:b, s:b}", "live", true, "ready", ready));
	return 0;
}
