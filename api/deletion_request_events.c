#include "api/deletion_request.h"
#include "api/render.h"
#include "storage/events.h"

enum { EVENTS_MAX = 1000 };

static json_t *render_event(const struct stored_event *e)
{
	return json_pack("{s:I, s:o, s:s, s:o, s:o}", "sequence", (json_int_t)e->sequence, "at", render_time(e->at),
			 "kind", e->kind, "job", render_text(e->job), "data", render_stored(e->data));
}

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	const char *id = call_arg(c, 0);
	struct stored_event_list list;
	int64_t change;
	json_t *items;
	int rc = requests_change(db, id, &change, err);

	if (!rc)
		rc = events_after(db, 0, NULL, id, EVENTS_MAX, &list, err);
	if (rc)
		return rc;
	items = json_array();
	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(items, render_event(&list.items[i]));
	stored_event_list_fini(&list);
	*out = json_pack("{s:o}", "items", items);
	return 0;
}

int api_deletion_request_events(struct call *c, struct exp_error *err)
{
	int rc = deletion_request_check_id(call_arg(c, 0), err);

	return rc ? rc : render_reply(c, build, err);
}
