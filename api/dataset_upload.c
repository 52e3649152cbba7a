#include <string.h>

#include "api/api_internal.h"
#include "api/upload.h"
#include "base/id.h"

static const char *const files[] = { "inputs", "labels", "rows", NULL };

static bool is_file(const char *name)
{
	for (size_t i = 0; files[i]; i++)
		if (!strcmp(files[i], name))
			return true;
	return false;
}

static int work(struct call *c, struct exp_error *err)
{
	return upload_keep(c, "dataset", call_arg(c, 0), call_arg(c, 1), err);
}

static int answer(struct call *c, struct exp_error *err)
{
	(void)err;
	reply_json(c, 201,
		   json_pack("{s:s, s:s, s:I}", "dataset", call_arg(c, 0), "file", call_arg(c, 1), "bytes",
			     (json_int_t)c->received));
	return 0;
}

int api_dataset_upload(struct call *c, struct exp_error *err)
{
	if (!id_is_name(call_arg(c, 0)))
		return error_set(err, EXP_EINVAL, "a dataset's name has 1 to 63 letters, digits, '.', '_' or '-'");
	if (!is_file(call_arg(c, 1)))
		return error_set(err, EXP_ENOTFOUND, "a dataset has the files inputs, labels and rows");
	if (!c->received)
		return error_set(err, EXP_EINVAL, "the uploaded file is empty");
	return call_offload(c, work, answer);
}
