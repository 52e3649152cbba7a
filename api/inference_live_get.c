#include "api/call.h"

int api_inference_live_get(struct call *c, struct exp_error *err)
{
	(void)err;
	reply_json(c, 200, json_pack("{s:b}", "live", true));
	return 0;
}
