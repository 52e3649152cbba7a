#include "api/dataset_json.h"
#include "api/render.h"

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	struct stored_dataset_list list;
	json_t *items;
	int rc = datasets_list(db, &list, err);

	(void)c;
	if (rc)
		return rc;
	items = json_array();
	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(items, dataset_json_summary(&list.items[i]));
	stored_dataset_list_fini(&list);
	*out = json_pack("{s:o}", "items", items);
	return 0;
}

int api_dataset_list(struct call *c, struct exp_error *err)
{
	return render_reply(c, build, err);
}
