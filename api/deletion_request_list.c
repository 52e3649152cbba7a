#include "api/deletion_request.h"
#include "api/render.h"
#include "base/clock.h"

static int read_filter(struct call *c, struct request_filter *filter, struct exp_error *err)
{
	const char *status = call_query(c, "status"), *outcome = call_query(c, "outcome"),
		   *verdict = call_query(c, "verdict");
	const char *due = call_query(c, "due_before");
	enum request_outcome o;
	enum request_status s;
	enum request_verdict v;

	if (status && request_status_parse(status, &s))
		return error_set(err, EXP_EPARSE, "status is not one of those that a deletion request can have");
	if (outcome && request_outcome_parse(outcome, &o))
		return error_set(err, EXP_EPARSE, "outcome is not one of those that a deletion request can have");
	if (verdict && request_verdict_parse(verdict, &v))
		return error_set(err, EXP_EPARSE, "verdict is not one of those that a deletion request can have");
	if (due && clock_parse(due, &filter->due_before))
		return error_set(err, EXP_EPARSE, "due_before must be a time as in RFC 3339");
	filter->statuses = status ? 1u << s : 0;
	filter->outcomes = outcome ? 1u << o : 0;
	filter->verdicts = verdict ? 1u << v : 0;
	filter->model = call_query(c, "model");
	return call_page(c, &filter->page_size, &filter->page_token, err);
}

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	struct request_filter filter = { 0 };
	struct stored_request_page page;
	json_t *items;
	int rc = read_filter(c, &filter, err);

	if (!rc)
		rc = requests_list(db, &filter, &page, err);
	if (rc)
		return rc;
	items = json_array();
	for (size_t i = 0; i < page.count; i++)
		json_array_append_new(items, deletion_request_summary(&page.items[i]));
	*out = render_page(c, items, page.next);
	stored_request_page_fini(&page);
	return 0;
}

int api_deletion_request_list(struct call *c, struct exp_error *err)
{
	return render_reply(c, build, err);
}
