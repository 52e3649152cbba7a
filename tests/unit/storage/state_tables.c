#include "storage/job_state.h"
#include "storage/request_state.h"

#include <criterion/criterion.h>
#include <string.h>

/* The moves as docs/architecture.md draws them, written down a second time. */
static const struct {
	const char *from, *to;
} job_moves[] = {
	{ "queued", "selecting" },     { "selecting", "unlearning" }, { "unlearning", "verifying" },
	{ "verifying", "unlearning" }, { "verifying", "staged" },     { "staged", "published" },
	{ "published", "draining" },   { "draining", "erasing" },     { "erasing", "done" },
	{ "selecting", "queued" },     { "unlearning", "queued" },    { "verifying", "queued" },
	{ "staged", "queued" },        { "queued", "failed" },        { "selecting", "failed" },
	{ "unlearning", "failed" },    { "verifying", "failed" },     { "staged", "failed" },
	{ "queued", "cancelled" },     { "selecting", "cancelled" },  { "unlearning", "cancelled" },
	{ "verifying", "cancelled" },  { "staged", "cancelled" },     { "selecting", "done" },
	{ "verifying", "done" },       { "selecting", "erasing" },
};

static bool drawn(enum job_state from, enum job_state to)
{
	for (size_t i = 0; i < sizeof(job_moves) / sizeof(job_moves[0]); i++)
		if (!strcmp(job_moves[i].from, job_state_name(from)) && !strcmp(job_moves[i].to, job_state_name(to)))
			return true;
	return false;
}

Test(state_tables, job_moves_are_the_drawn_ones)
{
	for (int from = 0; from < JOB_STATE_COUNT; from++)
		for (int to = 0; to < JOB_STATE_COUNT; to++)
			cr_assert_eq(job_state_may_move(from, to), drawn(from, to), "%s to %s", job_state_name(from),
				     job_state_name(to));
}

Test(state_tables, a_published_job_can_only_go_on)
{
	for (int to = 0; to < JOB_STATE_COUNT; to++) {
		cr_assert_eq(job_state_may_move(JOB_PUBLISHED, to), to == JOB_DRAINING);
		cr_assert_eq(job_state_may_move(JOB_DONE, to), false);
		cr_assert_eq(job_state_may_move(JOB_FAILED, to), false);
		cr_assert_eq(job_state_may_move(JOB_CANCELLED, to), false);
	}
}

Test(state_tables, terminal_states_are_those_without_a_move)
{
	for (int from = 0; from < JOB_STATE_COUNT; from++) {
		bool moves = false;

		for (int to = 0; to < JOB_STATE_COUNT; to++)
			moves |= job_state_may_move(from, to);
		cr_assert_eq(job_state_is_terminal(from), !moves);
		cr_assert(!(job_state_is_terminal(from) && job_state_holds_model(from)));
	}
	cr_assert(!job_state_holds_model(JOB_QUEUED) && job_state_holds_model(JOB_DRAINING));
	cr_assert(!job_state_holds_model(JOB_ERASING));
}

Test(state_tables, names_go_there_and_back)
{
	enum job_state state;
	enum job_kind kind;
	enum request_status status;
	enum request_outcome outcome;
	enum request_verdict verdict;
	enum regime regime;

	for (int i = 0; i < JOB_STATE_COUNT; i++)
		cr_assert(!job_state_parse(job_state_name(i), &state) && (int)state == i);
	for (int i = 0; i < JOB_KIND_COUNT; i++)
		cr_assert(!job_kind_parse(job_kind_name(i), &kind) && (int)kind == i);
	for (int i = 0; i < REQUEST_STATUS_COUNT; i++)
		cr_assert(!request_status_parse(request_status_name(i), &status) && (int)status == i);
	for (int i = 0; i < REQUEST_OUTCOME_COUNT; i++)
		cr_assert(!request_outcome_parse(request_outcome_name(i), &outcome) && (int)outcome == i);
	for (int i = 0; i < REQUEST_VERDICT_COUNT; i++)
		cr_assert(!request_verdict_parse(request_verdict_name(i), &verdict) && (int)verdict == i);
	for (int i = 0; i < REGIME_COUNT; i++)
		cr_assert(!regime_parse(regime_name(i), &regime) && (int)regime == i);
	cr_assert_eq(job_state_parse("Queued", &state), EXP_EINVAL);
	cr_assert_eq(job_state_parse(NULL, &state), EXP_EINVAL);
	cr_assert_eq(request_status_parse(NULL, &status), EXP_EINVAL);
	cr_assert_eq(request_verdict_parse("pass", &verdict), EXP_EINVAL);
	cr_assert_null(request_outcome_name(REQUEST_OUTCOME_UNSET));
}

Test(state_tables, a_mitigated_request_may_become_erased_and_nothing_else)
{
	cr_assert(request_outcome_may_move(REQUEST_OUTCOME_MITIGATED, REQUEST_OUTCOME_ERASED));
	cr_assert(!request_outcome_may_move(REQUEST_OUTCOME_ERASED, REQUEST_OUTCOME_MITIGATED));
	cr_assert(!request_outcome_may_move(REQUEST_OUTCOME_NOT_FOUND, REQUEST_OUTCOME_ERASED));
	cr_assert(request_status_may_move(REQUEST_COMPLETED, REQUEST_COMPLETED));
	cr_assert(!request_status_may_move(REQUEST_COMPLETED, REQUEST_RUNNING));
	cr_assert(request_status_is_closed(REQUEST_REJECTED) && !request_status_is_closed(REQUEST_ON_HOLD));
}
