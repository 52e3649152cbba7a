#include "api/inference_reply.h"

int api_inference_model_ready_get(struct call *c, struct exp_error *err)
{
	return inference_tell_ready(c, err);
}
