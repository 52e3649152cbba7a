#include "api/token.h"

#include "api/render.h"

json_t *token_render(const struct stored_token *t)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "id", t->id, "name", t->name, "role",
			 role_name(t->role), "created_at", render_time(t->created_at), "expires_at",
			 render_time(t->expires_at), "revoked_at", render_time(t->revoked_at), "last_used_at",
			 render_time(t->last_used_at));
}
