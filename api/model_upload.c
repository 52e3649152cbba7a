#include <string.h>

#include "api/api_internal.h"
#include "api/upload.h"
#include "base/id.h"

static int work(struct call *c, struct exp_error *err)
{
	return upload_keep(c, "model", call_arg(c, 0), call_arg(c, 1), err);
}

static int answer(struct call *c, struct exp_error *err)
{
	(void)err;
	reply_json(c, 201,
		   json_pack("{s:s, s:s, s:I}", "model", call_arg(c, 0), "file", call_arg(c, 1), "bytes",
			     (json_int_t)c->received));
	return 0;
}

int api_model_upload(struct call *c, struct exp_error *err)
{
	if (!id_is_name(call_arg(c, 0)))
		return error_set(err, EXP_EINVAL, "a model's name has 1 to 63 letters, digits, '.', '_' or '-'");
	if (strcmp(call_arg(c, 1), "onnx"))
		return error_set(err, EXP_ENOTFOUND, "a model has one file: onnx");
	if (!c->received)
		return error_set(err, EXP_EINVAL, "the uploaded file is empty");
	return call_offload(c, work, answer);
}
