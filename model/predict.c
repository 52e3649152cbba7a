#include "model/predict.h"

#include <math.h>

#include "base/clock.h"
#include "model/sessions.h"

int predict(struct snapshot *s, const float *inputs, size_t n, float *outputs, struct exp_error *err)
{
	size_t classes = graph_output_floats(s->graph);
	int rc = sessions_forward(s->sessions, s->params, inputs, n, outputs, err);

	if (rc)
		return rc;
	atomic_store(&s->last_served_ms, clock_now_ms());
	for (size_t i = 0; i < n * classes; i++)
		if (!isfinite(outputs[i]))
			return error_set(err, EXP_ENONFINITE, "the model's output for row %zu is not finite",
					 i / classes);
	return 0;
}
