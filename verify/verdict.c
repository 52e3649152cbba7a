#include "verify/verdict.h"

const char *const verdict_names[VERDICTS + 1] = {
	[VERDICT_NONE] = "none",
	[VERDICT_PASS_BY_CONSTRUCTION] = "pass/by_construction",
	[VERDICT_PASS_CONSISTENT] = "pass/consistent",
	[VERDICT_NO_EVIDENCE] = "inconclusive/no_evidence",
	[VERDICT_UNDERPOWERED] = "inconclusive/underpowered",
	[VERDICT_NOT_EXCHANGEABLE] = "inconclusive/not_exchangeable",
	[VERDICT_RESIDUAL] = "fail/residual",
	[VERDICT_OVER_FORGOTTEN] = "fail/over_forgotten",
	[VERDICT_UTILITY] = "fail/utility",
};

bool verdict_is_pass(enum verdict v)
{
	return v == VERDICT_PASS_BY_CONSTRUCTION || v == VERDICT_PASS_CONSISTENT;
}

bool verdict_is_fail(enum verdict v)
{
	return v == VERDICT_RESIDUAL || v == VERDICT_OVER_FORGOTTEN || v == VERDICT_UTILITY;
}

enum verdict verdict_approximate(const struct verdict_input *in)
{
	if (!in->utility->pass)
		return VERDICT_UTILITY;
	if (!in->exchangeable || !in->frame)
		return VERDICT_NOT_EXCHANGEABLE;
	if (in->after->residual)
		return VERDICT_RESIDUAL;
	if (in->after->over_forgotten)
		return VERDICT_OVER_FORGOTTEN;
	if (in->frame->refused || !(in->controls->power >= in->min_power))
		return VERDICT_UNDERPOWERED;
	if (!in->before->residual || in->after->p_hi < in->min_pass_p)
		return VERDICT_NO_EVIDENCE;
	return VERDICT_PASS_CONSISTENT;
}

enum verdict verdict_exact(const struct utility *utility)
{
	return utility->pass ? VERDICT_PASS_BY_CONSTRUCTION : VERDICT_UTILITY;
}
