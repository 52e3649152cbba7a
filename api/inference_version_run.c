#include "api/inference_reply.h"

int api_inference_version_run(struct call *c, struct exp_error *err)
{
	return inference_run(c, err);
}
