#include "api/render.h"
#include "api/token.h"

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	struct stored_token_list list;
	json_t *items;
	int rc = tokens_list(db, &list, err);

	(void)c;
	if (rc)
		return rc;
	items = json_array();
	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(items, token_render(&list.items[i]));
	stored_token_list_fini(&list);
	*out = json_pack("{s:o}", "items", items);
	return 0;
}

int api_token_list(struct call *c, struct exp_error *err)
{
	return render_reply(c, build, err);
}
