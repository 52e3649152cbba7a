#include "verify/subject_test.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "verify/fold.h"
#include "verify/pseudo_internal.h"

enum { MIN_REFERENCES = 3 };

/* Every statistic is in nats; references that agree to less than this tell nothing finer. */
static const double SPREAD_FLOOR = 1e-3;
static const size_t NO_MODEL = SIZE_MAX;

static double mean_of(const float *model, const size_t *columns, size_t rows, size_t statistic)
{
	double sum = 0;

	for (size_t i = 0; i < rows; i++)
		sum += (double)model[columns[i] * STATISTICS + statistic];
	return sum / (double)rows;
}

static const float *model_scores(const struct scores *s, size_t model)
{
	return scores_at(s, model, 0);
}

/* Mean and standard deviation of n values that lie stride apart, without value number except. */
static void spread_of(const double *values, size_t n, size_t stride, size_t except, double *mean, double *sd)
{
	double sum = 0, squares = 0, count = (double)(except < n ? n - 1 : n);

	for (size_t i = 0; i < n; i++)
		sum += i == except ? 0 : values[i * stride];
	*mean = sum / count;
	for (size_t i = 0; i < n; i++)
		squares += i == except ? 0 : (values[i * stride] - *mean) * (values[i * stride] - *mean);
	*sd = fmax(sqrt(squares / (count - 1)), SPREAD_FLOOR);
}

static double *out_mean(const struct subject_frame *f, size_t k, size_t set, size_t statistic)
{
	return f->out_means + (k * f->sets + set) * STATISTICS + statistic;
}

/* z of a set under the tested model, against the references but number except of them. */
static double z_of(const struct subject_frame *f, const float *tested, size_t set, size_t statistic, size_t except)
{
	double mean, sd;

	spread_of(out_mean(f, 0, set, statistic), f->out_models, f->sets * STATISTICS, except, &mean, &sd);
	return (mean_of(tested, f->columns + set * f->rows, f->rows, statistic) - mean) / sd;
}

struct extremes {
	double hi, lo;
};

static bool in_verdict(const struct subject_frame *f, size_t statistic)
{
	return f->limits.statistics >> statistic & 1;
}

static struct extremes extremes_of(const struct subject_frame *f, const float *tested, size_t set, size_t except)
{
	struct extremes e = { -INFINITY, -INFINITY };

	for (size_t s = 0; s < STATISTICS; s++) {
		double z;

		if (!in_verdict(f, s))
			continue;
		z = z_of(f, tested, set, s, except);
		e.hi = fmax(e.hi, z);
		e.lo = fmax(e.lo, -z);
	}
	return e;
}

struct tails {
	struct extremes subject;
	double p_hi, p_lo;
};

/* A share of overlapping sets, counted as if it were one of as many independent sets as they are worth. */
static double p_of(const struct subject_frame *f, size_t beyond)
{
	double worth = (double)f->worth;

	return (1 + worth * (double)beyond / (double)(f->sets - 1)) / (worth + 1);
}

static struct tails tails_of(const struct subject_frame *f, const float *tested, size_t except)
{
	struct tails t = { .subject = extremes_of(f, tested, 0, except) };
	size_t above = 0, below = 0;

	for (size_t set = 1; set < f->sets; set++) {
		struct extremes e = extremes_of(f, tested, set, except);

		above += e.hi >= t.subject.hi;
		below += e.lo >= t.subject.lo;
	}
	t.p_hi = p_of(f, above);
	t.p_lo = p_of(f, below);
	return t;
}

/* z of one row alone, under the references' scores of that row. */
static double row_z(const struct subject_frame *f, const float *tested, size_t column, size_t statistic)
{
	const struct scores *s = f->scores;
	double sum = 0, squares = 0, mean, sd, n = (double)f->out_models;

	for (size_t k = 0; k < f->out_models; k++)
		sum += (double)scores_at(s, f->out[k], column)[statistic];
	mean = sum / n;
	for (size_t k = 0; k < f->out_models; k++)
		squares += pow((double)scores_at(s, f->out[k], column)[statistic] - mean, 2);
	sd = fmax(sqrt(squares / (n - 1)), SPREAD_FLOOR);
	return ((double)tested[column * STATISTICS + statistic] - mean) / sd;
}

static double worst_row(const struct subject_frame *f, const float *tested)
{
	double worst = 0;

	for (size_t i = 0; i < f->rows; i++)
		for (size_t s = 0; s < STATISTICS; s++)
			if (in_verdict(f, s))
				worst = fmax(worst, fabs(row_z(f, tested, f->columns[i], s)));
	return worst;
}

void subject_test(const struct subject_frame *f, const float *tested, struct subject_result *out)
{
	struct subject_result r = { .p_hi = 1, .p_lo = 1 };
	struct tails t;

	if (f->refused) {
		*out = r;
		return;
	}
	t = tails_of(f, tested, NO_MODEL);
	for (size_t s = 0; s < STATISTICS; s++) {
		double sd;

		spread_of(out_mean(f, 0, 0, s), f->out_models, f->sets * STATISTICS, NO_MODEL, &r.reference[s], &sd);
		r.mean[s] = mean_of(tested, f->columns, f->rows, s);
		r.z[s] = (r.mean[s] - r.reference[s]) / sd;
	}
	r.z_hi = t.subject.hi;
	r.z_lo = t.subject.lo;
	r.p_hi = t.p_hi;
	r.p_lo = t.p_lo;
	r.worst_row = worst_row(f, tested);
	r.residual = r.p_hi <= f->limits.alpha;
	r.over_forgotten = r.p_lo <= f->limits.alpha;
	*out = r;
}

/* How many of the subject's rows the model never saw. */
static size_t rows_out(const struct subject_frame *f, size_t model)
{
	size_t n = 0;

	for (size_t i = 0; i < f->rows; i++)
		n += scores_is_out(f->scores, model, f->columns[i]);
	return n;
}

void subject_controls(const struct subject_frame *f, struct subject_controls *out)
{
	struct subject_controls c = { .out_models = f->out_models };
	size_t detected = 0, alarms = 0;

	if (f->refused) {
		*out = c;
		return;
	}
	for (size_t m = 0; m < f->scores->models; m++) {
		if (!f->scores->done[m] || rows_out(f, m) > 0)
			continue;
		detected += tails_of(f, model_scores(f->scores, m), NO_MODEL).p_hi <= f->limits.alpha;
		c.in_models++;
	}
	for (size_t k = 0; k < f->out_models; k++)
		alarms += tails_of(f, model_scores(f->scores, f->out[k]), k).p_hi <= f->limits.alpha;
	c.power = c.in_models ? (double)detected / (double)c.in_models : 0;
	c.false_alarm = (double)alarms / (double)c.out_models;
	*out = c;
}

__attribute__((format(printf, 2, 3))) static int refuse(struct subject_frame *f, const char *format, ...)
{
	va_list args;

	f->refused = true;
	va_start(args, format);
	vsnprintf(f->reason, sizeof(f->reason), format, args);
	va_end(args);
	return 0;
}

static size_t known_columns(const struct scores *s, struct row_list rows, bool heldout, size_t *columns)
{
	size_t n = 0;

	for (size_t i = 0; i < rows.count; i++) {
		size_t column = scores_column(s, rows.index[i]);

		if (column != SIZE_MAX && (s->fold[column] == FOLD_HELDOUT) == heldout)
			columns[n++] = column;
	}
	return n;
}

static void find_out_models(struct subject_frame *f)
{
	for (size_t m = 0; m < f->scores->models; m++)
		if (f->scores->done[m] && rows_out(f, m) == f->rows)
			f->out[f->out_models++] = m;
}

static int draw_sets(struct subject_frame *f, const size_t *pool, size_t pool_count, uint64_t seed)
{
	struct pseudo_draw draw = {
		.labels = f->scores->labels,
		.subject = f->columns,
		.rows = f->rows,
		.pool = pool,
		.pool_count = pool_count,
		.wanted = f->limits.pseudo_subjects,
		.needed = (size_t)ceil(1 / f->limits.alpha - 1 - 1e-9),
		.seed = seed,
	};
	struct pseudo_sets sets;
	int rc = pseudo_draw(&draw, f->columns + f->rows, &sets);

	if (rc)
		return rc;
	f->sets = 1 + sets.count;
	f->class_matched = sets.class_matched;
	f->disjoint = sets.disjoint;
	f->worth = sets.worth;
	if (sets.worth < draw.needed)
		return refuse(f, "the held-out rows give %zu independent pseudo-subjects; alpha needs %zu", sets.worth,
			      draw.needed);
	return 0;
}

static int keep_out_means(struct subject_frame *f)
{
	f->out_means = mem_try_alloc(f->out_models * f->sets, STATISTICS * sizeof(double));
	if (!f->out_means)
		return EXP_EMEMORY;
	for (size_t k = 0; k < f->out_models; k++)
		for (size_t set = 0; set < f->sets; set++)
			for (size_t s = 0; s < STATISTICS; s++)
				*out_mean(f, k, set, s) =
				    mean_of(model_scores(f->scores, f->out[k]), f->columns + set * f->rows, f->rows, s);
	return 0;
}

/* What a frame needs, in the order in which it can be said why it is refused. */
static int fill_frame(struct subject_frame *f, const struct subject_rows *rows, size_t *pool, uint64_t seed)
{
	size_t pool_count;
	int rc;

	f->rows = known_columns(f->scores, rows->subject, false, f->columns);
	if (f->rows == 0)
		return refuse(f, "the score table knows none of the subject's rows");
	find_out_models(f);
	if (f->out_models < MIN_REFERENCES)
		return refuse(f, "only %zu references never saw all of the rows; %zu are needed", f->out_models,
			      (size_t)MIN_REFERENCES);
	if (rows->heldout_subjects < f->limits.min_heldout)
		return refuse(f, "%zu held-out subjects; the policy wants %zu", rows->heldout_subjects,
			      f->limits.min_heldout);
	pool_count = known_columns(f->scores, rows->pool, true, pool);
	rc = draw_sets(f, pool, pool_count, seed);
	if (rc || f->refused)
		return rc;
	return keep_out_means(f);
}

int subject_frame_init(struct subject_frame *f, const struct scores *scores, const struct subject_rows *rows,
		       const struct subject_limits *limits, uint64_t seed, struct exp_error *err)
{
	struct subject_frame made = { .scores = scores, .limits = *limits, .sets = 1 };
	size_t *pool = mem_try_alloc(rows->pool.count + 1, sizeof(*pool)), places;
	int rc = EXP_EMEMORY;

	if (mem_size(limits->pseudo_subjects + 1, rows->subject.count, &places))
		made.columns = mem_try_alloc(places, sizeof(*made.columns));
	made.out = mem_try_alloc(scores->models, sizeof(*made.out));
	if (pool && made.columns && made.out)
		rc = fill_frame(&made, rows, pool, seed);
	mem_free(pool);
	if (rc) {
		subject_frame_fini(&made);
		return error_set(err, rc, "no memory to test a subject of %zu rows", rows->subject.count);
	}
	*f = made;
	return 0;
}

void subject_frame_fini(struct subject_frame *f)
{
	mem_free(f->columns);
	mem_free(f->out);
	mem_free(f->out_means);
	*f = (struct subject_frame){ 0 };
}
