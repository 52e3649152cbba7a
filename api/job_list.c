#include "api/job.h"
#include "api/render.h"

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	const char *state = call_query(c, "state");
	struct job_filter filter = { .model = call_query(c, "model") };
	struct stored_job_page page;
	enum job_state s;
	json_t *items;
	int rc;

	if (state && job_state_parse(state, &s))
		return error_set(err, EXP_EPARSE, "state is not one of those that a job can have");
	filter.states = state ? 1u << s : 0;
	rc = call_page(c, &filter.page_size, &filter.page_token, err);
	if (!rc)
		rc = jobs_list(db, &filter, &page, err);
	if (rc)
		return rc;
	items = json_array();
	for (size_t i = 0; i < page.count; i++)
		json_array_append_new(items, job_summary(&page.items[i]));
	*out = render_page(c, items, page.next);
	stored_job_page_fini(&page);
	return 0;
}

int api_job_list(struct call *c, struct exp_error *err)
{
	return render_reply(c, build, err);
}
