#include "api/call.h"

int api_inference_server_get(struct call *c, struct exp_error *err)
{
	(void)err;
	reply_json(c, 200, json_pack("{s:s, s:s, s:[]}", "name", "expunge", "version", EXPUNGE_VERSION, "extensions"));
	return 0;
}
