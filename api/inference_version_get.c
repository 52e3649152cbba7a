#include "api/inference_reply.h"

int api_inference_version_get(struct call *c, struct exp_error *err)
{
	return inference_describe(c, err);
}
