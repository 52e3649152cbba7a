#include "api/model_json.h"
#include "api/render.h"
#include "api/version_number.h"

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	struct stored_version version;
	int64_t number;
	int rc = version_number_parse(call_arg(c, 1), &number, err);

	if (!rc)
		rc = versions_get(db, call_arg(c, 0), number, &version, err);
	if (!rc)
		*out = model_json_version(&version);
	return rc;
}

int api_model_version_get(struct call *c, struct exp_error *err)
{
	return render_reply(c, build, err);
}
