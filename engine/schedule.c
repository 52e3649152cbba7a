#include "engine/schedule.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ---- JSON ---- */

static const char *const kinds[] = {
	[SCHEDULE_CONSTANT] = "constant", [SCHEDULE_STEP] = "step",     [SCHEDULE_MULTISTEP] = "multistep",
	[SCHEDULE_COSINE] = "cosine",     [SCHEDULE_LINEAR] = "linear", [SCHEDULE_ONE_CYCLE] = "one_cycle",
	[SCHEDULE_ONE_CYCLE + 1] = NULL,
};
static const char *const units[] = { [SCHEDULE_EPOCHS] = "epochs", [SCHEDULE_STEPS] = "steps", NULL };
static const char *const anneals[] = { [SCHEDULE_ANNEAL_COS] = "cos", [SCHEDULE_ANNEAL_LINEAR] = "linear", NULL };

/* A schedule as it is read. */
struct draft {
	struct schedule schedule; /* first, so that offsets agree */
	json_t *milestones;
};

/* A field and the kinds of schedule that have it. */
struct row {
	unsigned kinds;
	struct json_field field;
};

enum {
	STEP = 1 << SCHEDULE_STEP,
	MULTISTEP = 1 << SCHEDULE_MULTISTEP,
	CURVE = 1 << SCHEDULE_COSINE | 1 << SCHEDULE_LINEAR,
	CYCLE = 1 << SCHEDULE_ONE_CYCLE,
	WARMED = 1 << SCHEDULE_CONSTANT | STEP | MULTISTEP | CURVE,
	EVERY = WARMED | CYCLE,
	POINTER = 96,
	UNSAID = -1,
};

#define COUNT_MAX    1e12
#define JUST_BELOW_1 0.9999999999
#define AT(member)   .offset = offsetof(struct schedule, member)

static const struct row rows[] = {
	{ EVERY, { "kind", JSON_FIELD_ENUM, true, AT(kind), .names = kinds } },
	{ EVERY, { "unit", JSON_FIELD_ENUM, false, AT(unit), .names = units } },
	{ WARMED, { "warmup", JSON_FIELD_INT, false, AT(warmup), .min = 0, .max = COUNT_MAX } },
	{ WARMED, { "warmup_start_factor", JSON_FIELD_NUMBER, false, AT(warmup_start_factor), .min = 0, .max = 1 } },
	{ STEP, { "step_size", JSON_FIELD_INT, false, AT(step_size), .min = 1, .max = COUNT_MAX } },
	{ MULTISTEP, { "milestones", JSON_FIELD_ARRAY, false, .offset = offsetof(struct draft, milestones) } },
	{ STEP | MULTISTEP, { "gamma", JSON_FIELD_NUMBER, false, AT(gamma), .min = 1e-12, .max = 1e3 } },
	{ CURVE, { "t_max", JSON_FIELD_INT, false, AT(t_max), .min = 1, .max = COUNT_MAX } },
	{ CURVE, { "eta_min", JSON_FIELD_NUMBER, false, AT(eta_min), .min = 0, .max = 1e3 } },
	{ CYCLE, { "pct_start", JSON_FIELD_NUMBER, false, AT(pct_start), .min = 1e-9, .max = JUST_BELOW_1 } },
	{ CYCLE, { "div_factor", JSON_FIELD_NUMBER, false, AT(div_factor), .min = 1, .max = 1e12 } },
	{ CYCLE, { "final_div_factor", JSON_FIELD_NUMBER, false, AT(final_div_factor), .min = 1, .max = 1e12 } },
	{ CYCLE, { "anneal_strategy", JSON_FIELD_ENUM, false, AT(anneal_strategy), .names = anneals } },
	{ CYCLE, { "cycle_momentum", JSON_FIELD_BOOL, false, AT(cycle_momentum) } },
	{ CYCLE, { "base_momentum", JSON_FIELD_NUMBER, false, AT(base_momentum), .min = 0, .max = JUST_BELOW_1 } },
	{ CYCLE, { "max_momentum", JSON_FIELD_NUMBER, false, AT(max_momentum), .min = 0, .max = JUST_BELOW_1 } },
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

#undef AT

static int fault(const char *base, const char *name, const char *what, struct exp_error *err)
{
	char pointer[POINTER];

	snprintf(pointer, sizeof(pointer), "%s/%s", base, name);
	return error_set_field(err, EXP_EFIELD, pointer, "%s %s", pointer, what);
}

static int read_milestones(const json_t *array, const char *base, struct schedule *s, struct exp_error *err)
{
	json_t *item;
	size_t i;

	if (json_array_size(array) == 0 || json_array_size(array) > SCHEDULE_MILESTONES)
		return fault(base, "milestones", "must have 1 to 32 numbers", err);
	json_array_foreach((json_t *)array, i, item) {
		char name[32];

		snprintf(name, sizeof(name), "milestones/%zu", i);
		if (!json_is_integer(item) || json_integer_value(item) < 1 ||
		    (double)json_integer_value(item) > COUNT_MAX)
			return fault(base, name, "must be an integer of at least 1", err);
		if (i && json_integer_value(item) <= s->milestones[i - 1])
			return fault(base, name, "must be larger than the milestone before it", err);
		s->milestones[i] = json_integer_value(item);
	}
	s->milestone_count = (int64_t)json_array_size(array);
	return 0;
}

/* What a kind must have, and what only other kinds have. */
static int check_kind(const json_t *json, const char *base, const struct schedule *s, struct exp_error *err)
{
	for (size_t i = 0; i < ROWS; i++) {
		const char *name = rows[i].field.name;
		char what[64];

		if (rows[i].kinds >> s->kind & 1 || !json_object_get(json, name))
			continue;
		snprintf(what, sizeof(what), "is not a field of a %s schedule", kinds[s->kind]);
		return fault(base, name, what, err);
	}
	if (s->kind == SCHEDULE_STEP && !s->step_size)
		return fault(base, "step_size", "is missing", err);
	if (s->kind == SCHEDULE_MULTISTEP && !json_object_get(json, "milestones"))
		return fault(base, "milestones", "is missing", err);
	if (s->base_momentum > s->max_momentum)
		return fault(base, "base_momentum", "must not be larger than max_momentum", err);
	return 0;
}

int schedule_from_json(const json_t *json, const char *base, struct schedule *out, struct exp_error *err)
{
	struct draft d = { .schedule = { .unit = UNSAID,
					 .gamma = 0.1,
					 .warmup_start_factor = 1.0 / 3,
					 .pct_start = 0.3,
					 .div_factor = 25,
					 .final_div_factor = 1e4,
					 .cycle_momentum = true,
					 .base_momentum = 0.85,
					 .max_momentum = 0.95 } };
	struct json_field fields[ROWS];
	int rc;

	for (size_t i = 0; i < ROWS; i++)
		fields[i] = rows[i].field;
	rc = json_fill(json, base, fields, ROWS, &d, err);
	if (!rc)
		rc = check_kind(json, base, &d.schedule, err);
	if (!rc && d.milestones)
		rc = read_milestones(d.milestones, base, &d.schedule, err);
	if (rc)
		return rc;
	if (d.schedule.unit == UNSAID)
		d.schedule.unit = d.schedule.kind == SCHEDULE_ONE_CYCLE ? SCHEDULE_STEPS : SCHEDULE_EPOCHS;
	*out = d.schedule;
	return 0;
}

static json_t *write_milestones(const struct schedule *s)
{
	json_t *array = json_array();

	for (int64_t i = 0; i < s->milestone_count; i++)
		json_array_append_new(array, json_integer((json_int_t)s->milestones[i]));
	return array;
}

static json_t *write_field(const struct schedule *s, const struct json_field *f)
{
	const char *at = (const char *)s + f->offset;

	switch (f->kind) {
	case JSON_FIELD_ENUM:
		return json_string(f->names[*(const int *)(const void *)at]);
	case JSON_FIELD_INT:
		return json_integer((json_int_t) * (const int64_t *)(const void *)at);
	case JSON_FIELD_BOOL:
		return json_boolean(*(const bool *)(const void *)at);
	case JSON_FIELD_ARRAY:
		return write_milestones(s);
	default:
		return json_real(*(const double *)(const void *)at);
	}
}

json_t *schedule_to_json(const struct schedule *s)
{
	json_t *json = json_object();

	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].kinds >> s->kind & 1)
			json_object_set_new(json, rows[i].field.name, write_field(s, &rows[i].field));
	if (!s->t_max)
		json_object_del(json, "t_max"); /* the rest of the run */
	return json;
}

/* ---- the curve ---- */

static double anneal(int strategy, double from, double to, double part)
{
	return strategy == SCHEDULE_ANNEAL_LINEAR ? from + (to - from) * part
						  : to + (from - to) / 2 * (1 + cos(M_PI * part));
}

/* The turn and the end of a cycle lie one before pct_start and the whole of its length, as in PyTorch. */
static struct schedule_point one_cycle(const struct schedule *s, const struct schedule_run *run, double t, double total)
{
	double low = run->learning_rate / s->div_factor, turn = s->pct_start * total - 1, end = total - 1;
	double rate, momentum, part;

	if (t <= turn) {
		part = turn > 0 ? t / turn : 1;
		rate = anneal(s->anneal_strategy, low, run->learning_rate, part);
		momentum = anneal(s->anneal_strategy, s->max_momentum, s->base_momentum, part);
	} else {
		part = (t - turn) / (end - turn);
		rate = anneal(s->anneal_strategy, run->learning_rate, low / s->final_div_factor, part);
		momentum = anneal(s->anneal_strategy, s->base_momentum, s->max_momentum, part);
	}
	return (struct schedule_point){ rate, s->cycle_momentum ? momentum : run->momentum };
}

static double drops(const struct schedule *s, int64_t t)
{
	int64_t passed = 0;

	while (passed < s->milestone_count && s->milestones[passed] <= t)
		passed++;
	return pow(s->gamma, (double)passed);
}

/* After the warm-up: t from 0, of rest units at most. */
static double rate_at(const struct schedule *s, double base, int64_t t, int64_t rest)
{
	int64_t t_max = s->t_max ? s->t_max : rest > 1 ? rest : 1;

	switch (s->kind) {
	case SCHEDULE_STEP:
		return base * pow(s->gamma, (double)(t / s->step_size));
	case SCHEDULE_MULTISTEP:
		return base * drops(s, t);
	case SCHEDULE_COSINE:
		return anneal(SCHEDULE_ANNEAL_COS, base, s->eta_min, (double)t / (double)t_max);
	case SCHEDULE_LINEAR:
		return anneal(SCHEDULE_ANNEAL_LINEAR, base, s->eta_min, fmin((double)t / (double)t_max, 1));
	default:
		return base;
	}
}

struct schedule_point schedule_at(const struct schedule *s, const struct schedule_run *run, uint64_t done)
{
	bool by_epoch = s->unit == SCHEDULE_EPOCHS;
	int64_t t = (int64_t)(by_epoch ? done / run->steps_an_epoch : done);
	int64_t total = (int64_t)(by_epoch ? run->epochs : run->epochs * run->steps_an_epoch);
	double base = run->learning_rate, start = s->warmup_start_factor;

	if (s->kind == SCHEDULE_ONE_CYCLE)
		return one_cycle(s, run, (double)t, (double)total);
	if (t < s->warmup)
		base *= start + (1 - start) * (double)t / (double)s->warmup;
	else
		base = rate_at(s, base, t - s->warmup, total - s->warmup);
	return (struct schedule_point){ base, run->momentum };
}
