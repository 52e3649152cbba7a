#include "unlearn/retrain.h"

#include "engine/train.h"

static int run(const struct method_input *in, struct params *p, struct method_report *report, struct exp_error *err)
{
	int rc = train_initialize(in->recipe, in->seed, in->initial, p, err);

	if (!rc)
		rc = train_run(in->session, in->recipe, in->seed, in->retain, p, in->progress, err);
	if (!rc)
		report->edited = p->count;
	return rc;
}

const struct method retrain_method = {
	.name = "retrain",
	.version = 1,
	.class = METHOD_EXACT,
	.needs = METHOD_NEEDS_RETAIN | METHOD_NEEDS_RECIPE,
	.run = run,
};
