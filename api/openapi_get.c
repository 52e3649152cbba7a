#include "api/call.h"
#include "api/embedded.h"

int api_openapi_get(struct call *c, struct exp_error *err)
{
	(void)err;
	reply_bytes(c, 200, "application/json", api_files[0].bytes, api_files[0].size);
	return 0;
}
