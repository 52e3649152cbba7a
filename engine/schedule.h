/*
 * schedule.h: how the learning rate (and, in one_cycle, the momentum) moves over a run, as torch.optim.lr_scheduler
 * does.
 *
 * With t = epochs or steps done (unit says which), base = the recipe's learning_rate, T = t_max:
 *
 *   constant                     base
 *   step       step_size, gamma  base * gamma^floor(t / step_size)                                            StepLR
 *   multistep  milestones, gamma base * gamma^(milestones <= t)                                          MultiStepLR
 *   cosine     t_max, eta_min    eta_min + (base - eta_min) (1 + cos(pi t / T)) / 2                CosineAnnealingLR
 *                                (Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts)
 *   linear     t_max, eta_min    base + (eta_min - base) min(t, T) / T                                       LinearLR
 *   one_cycle                    base is the top: from base / div_factor up to it in pct_start of the run, then down to
 *                                base / div_factor / final_div_factor; momentum (beta1 of Adam) goes from max_momentum
 *                                to base_momentum and back (Smith and Topin 2018)                          OneCycleLR
 *
 * t_max left out is the rest of the run after the warm-up, which stays right when rows leave. warmup: the rate rises on
 * a line from warmup_start_factor * base at t = 0 to base at t = warmup, where the schedule's own t starts from 0
 * (SequentialLR of LinearLR and the schedule). one_cycle warms up by itself.
 *
 *   {"kind": "step", "step_size": 30, "gamma": 0.1, "unit": "epochs", "warmup": 5, "warmup_start_factor": 0.01}
 *
 * Defaults: unit epochs (one_cycle: steps), gamma 0.1, eta_min 0, warmup 0, warmup_start_factor 1/3, pct_start 0.3,
 * div_factor 25, final_div_factor 1e4, anneal_strategy "cos", cycle_momentum true, base_momentum 0.85, max_momentum
 * 0.95. A field that another kind has is an error. Threads: any.
 */
#ifndef ENGINE_SCHEDULE_H
#define ENGINE_SCHEDULE_H

#include "base/json.h"

enum schedule_kind {
	SCHEDULE_CONSTANT,
	SCHEDULE_STEP,
	SCHEDULE_MULTISTEP,
	SCHEDULE_COSINE,
	SCHEDULE_LINEAR,
	SCHEDULE_ONE_CYCLE,
};
enum schedule_unit { SCHEDULE_EPOCHS, SCHEDULE_STEPS };
enum schedule_anneal { SCHEDULE_ANNEAL_COS, SCHEDULE_ANNEAL_LINEAR };
enum { SCHEDULE_MILESTONES = 32 };

/* All zero: the rate never changes. Lengths and milestones are in units. */
struct schedule {
	int kind;       /* enum schedule_kind */
	int unit;       /* enum schedule_unit */
	int64_t warmup; /* 0: none */
	double warmup_start_factor;
	int64_t step_size;
	double gamma;
	int64_t milestones[SCHEDULE_MILESTONES], milestone_count; /* strictly rising */
	int64_t t_max;                                            /* 0: the rest of the run */
	double eta_min;
	int anneal_strategy; /* enum schedule_anneal */
	bool cycle_momentum;
	double pct_start, div_factor, final_div_factor, base_momentum, max_momentum;
};

/* EXP_EFIELD names the field. Pointers start at base. */
EXP_NODISCARD int schedule_from_json(const json_t *json, const char *base, struct schedule *out, struct exp_error *err);
json_t *schedule_to_json(const struct schedule *s); /* new reference; every field of its kind */

/* What one run gives to its schedule. */
struct schedule_run {
	double learning_rate, momentum; /* the recipe's; momentum: beta1 of Adam */
	uint64_t steps_an_epoch, epochs;
};

struct schedule_point {
	double rate, momentum;
};

/* For the step after `done` steps. */
struct schedule_point schedule_at(const struct schedule *s, const struct schedule_run *run, uint64_t done);

#endif
