#include "api/dataset_json.h"
#include "api/render.h"

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	return dataset_json_render(db, call_arg(c, 0), out, err);
}

int api_dataset_get(struct call *c, struct exp_error *err)
{
	return render_reply(c, build, err);
}
