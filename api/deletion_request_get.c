#include "api/deletion_request.h"
#include "api/render.h"
#include "api/watch.h"

struct look {
	bool closed;
};

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	struct look *look = c->state;

	return deletion_request_render(db, call_arg(c, 0), out, &look->closed, err);
}

int api_deletion_request_get(struct call *c, struct exp_error *err)
{
	struct look *look = c->state ? c->state : call_state_new(c, sizeof(*look), NULL);
	uint64_t generation = watch_begin(c);
	json_t *json;
	int rc = deletion_request_check_id(call_arg(c, 0), err);

	if (!rc)
		rc = render_read(c, build, &json, err);
	return rc ? rc : watch_reply(c, json, look->closed, generation, api_deletion_request_get);
}
