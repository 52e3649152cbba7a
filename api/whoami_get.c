#include "api/render.h"
#include "api/token.h"

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	struct stored_token token;
	json_t *scopes = json_array();
	int rc = tokens_get(db, c->who.id, &token, err);

	if (rc) {
		json_decref(scopes);
		return rc;
	}
	for (int s = SCOPE_ANY + 1; s < SCOPES; s++)
		if (scope_allows((enum scope)s, c->who.role))
			json_array_append_new(scopes, json_string(scope_name((enum scope)s)));
	*out = token_render(&token);
	json_object_set_new(*out, "scopes", scopes);
	return 0;
}

int api_whoami_get(struct call *c, struct exp_error *err)
{
	json_t *json;
	int rc = render_read(c, build, &json, err);

	if (!rc)
		reply_json(c, 200, json);
	return rc;
}
