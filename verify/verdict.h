/*
 * verdict.h: what verification says of an attempt for one request.
 */
#ifndef VERIFY_VERDICT_H
#define VERIFY_VERDICT_H

#include "verify/subject_test.h"
#include "verify/utility.h"

enum verdict {
	VERDICT_NONE,
	VERDICT_PASS_BY_CONSTRUCTION,
	VERDICT_PASS_CONSISTENT,
	VERDICT_NO_EVIDENCE,
	VERDICT_UNDERPOWERED,
	VERDICT_NOT_EXCHANGEABLE,
	VERDICT_RESIDUAL,
	VERDICT_OVER_FORGOTTEN,
	VERDICT_UTILITY,
	VERDICTS,
};

extern const char *const verdict_names[VERDICTS + 1]; /* "pass/consistent" …; NULL-terminated */

bool verdict_is_pass(enum verdict v);
bool verdict_is_fail(enum verdict v);

struct verdict_input {
	const struct utility *utility;
	bool exchangeable;
	const struct subject_frame *frame;           /* NULL: no references, then not_exchangeable */
	const struct subject_result *before, *after; /* before: the unchanged model in the same test */
	const struct subject_controls *controls;
	double min_power;
	double min_pass_p; /* p_hi below which an edit that is not flagged has moved too little to tell */
};

/*
 * Of an approximate attempt, in this order: utility fails; not exchangeable; residual; over-forgotten; refused or power
 * below min_power: underpowered; the unchanged model would not have been flagged either, or p_hi has left alpha but not
 * min_pass_p behind: no evidence; else consistent. A no-op equals the unchanged model, so it is residual or no
 * evidence, never a pass; and what hardly differs from a no-op does not pass for stepping over a line.
 */
enum verdict verdict_approximate(const struct verdict_input *in);

/* Of exact work: utility alone decides; tests stand beside it as diagnostics. */
enum verdict verdict_exact(const struct utility *utility);

#endif
