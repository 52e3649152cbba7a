/*
 * The subject test on simulated scores: exact where nothing was learned, sharp where something was.
 *
 * Row i under model k scores a_i + b_k + noise, plus an effect where the model saw the row: rows are hard or easy,
 * models confident or not, as in life. Tested models are drawn likewise.
 */
#include "verify/subject_test.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/rng.h"
#include "verify/fold.h"

enum { TRAIN = 60, HELDOUT = 150, COLUMNS = TRAIN + HELDOUT, ROUNDS = 16, FOLDS = 10, MODELS = ROUNDS * FOLDS };

struct fixture {
	struct scores scores;
	size_t rows[COLUMNS], heldout[HELDOUT];
	int32_t labels[COLUMNS], units[TRAIN];
	uint8_t fold[ROUNDS * COLUMNS];
	bool done[MODELS];
	double hardness[COLUMNS];
	struct rng rng;
};

static float draw(struct fixture *f, size_t column, double model, double effect)
{
	return (float)(f->hardness[column] + model + effect + rng_normal(&f->rng));
}

static void deal_folds(struct fixture *f, size_t rows_per_subject)
{
	uint8_t of[TRAIN];

	memset(f->fold, FOLD_HELDOUT, sizeof(f->fold));
	for (size_t i = 0; i < TRAIN; i++)
		f->units[i] = (int32_t)(i / rows_per_subject);
	for (size_t r = 0; r < ROUNDS; r++) {
		struct fold_deal d = { f->units, TRAIN, FOLDS, r, 1 };

		cr_assert_eq(fold_deal(&d, of, NULL), 0);
		memcpy(f->fold + r * COLUMNS, of, TRAIN);
	}
}

static void set_up(struct fixture *f, size_t rows_per_subject, double effect)
{
	cr_assert_eq(crypto_init(), 0);
	*f = (struct fixture){ 0 };
	rng_init(&f->rng, 3, "simulation");
	deal_folds(f, rows_per_subject);
	for (size_t c = 0; c < COLUMNS; c++) {
		f->rows[c] = 2 * c;
		f->labels[c] = (int32_t)(c % 3);
		f->hardness[c] = 3 * rng_normal(&f->rng);
		if (c >= TRAIN)
			f->heldout[c - TRAIN] = 2 * c;
	}
	f->scores = (struct scores){ .rounds = ROUNDS,
				     .folds = FOLDS,
				     .models = MODELS,
				     .columns = COLUMNS,
				     .rows = f->rows,
				     .labels = f->labels,
				     .fold = f->fold,
				     .done = f->done };
	f->scores.values = mem_alloc((size_t)MODELS * COLUMNS * STATISTICS * sizeof(float));
	for (size_t m = 0; m < MODELS; m++) {
		double model = 0.5 * rng_normal(&f->rng);

		f->done[m] = true;
		for (size_t c = 0; c < COLUMNS; c++)
			for (size_t s = 0; s < STATISTICS; s++)
				f->scores.values[(m * COLUMNS + c) * STATISTICS + s] =
				    draw(f, c, model, scores_is_out(&f->scores, m, c) ? 0 : effect);
	}
}

static void tear_down(struct fixture *f)
{
	mem_free(f->scores.values);
}

static void draw_tested(struct fixture *f, double effect, float *tested)
{
	double model = 0.5 * rng_normal(&f->rng);

	for (size_t c = 0; c < COLUMNS; c++)
		for (size_t s = 0; s < STATISTICS; s++)
			tested[c * STATISTICS + s] = draw(f, c, model, c < TRAIN ? effect : 0);
}

static const struct subject_limits limits = {
	0.025, 1 << STATISTIC_GRADIENT | 1 << STATISTIC_NEIGHBOURS | 1 << STATISTIC_FINETUNED, 200, 39
};

static void frame(struct fixture *f, struct subject_frame *out, const size_t *subject, size_t count)
{
	struct subject_rows rows = { { subject, count }, { f->heldout, HELDOUT }, HELDOUT };

	cr_assert_eq(subject_frame_init(out, &f->scores, &rows, &limits, 1, NULL), 0);
}

/* The smallest p at which a model that never saw the subject is flagged must be uniform: checked at five points. */
static void check_uniform(size_t rows_per_subject)
{
	static const double points[] = { 0.025, 0.05, 0.1, 0.25, 0.5 };
	enum { RUNS = 50 };
	static float tested[COLUMNS * STATISTICS];
	size_t below[5] = { 0 }, low[5] = { 0 }, tests = 0;
	struct fixture f;

	set_up(&f, rows_per_subject, 2);
	for (size_t first = 0; first + rows_per_subject <= TRAIN; first += rows_per_subject) {
		struct subject_frame s;

		frame(&f, &s, f.rows + first, rows_per_subject);
		cr_assert(!s.refused, "%s", s.reason);
		for (int run = 0; run < RUNS; run++) {
			struct subject_result r;

			draw_tested(&f, 0, tested);
			subject_test(&s, tested, &r);
			for (int i = 0; i < 5; i++) {
				below[i] += r.p_hi <= points[i];
				low[i] += r.p_lo <= points[i];
			}
			tests++;
		}
		subject_frame_fini(&s);
	}
	for (int i = 0; i < 5; i++) {
		double spread = 5 * sqrt(points[i] * (1 - points[i]) / (double)tests) + 0.01;

		cr_assert_float_eq((double)below[i] / (double)tests, points[i], spread);
		cr_assert_float_eq((double)low[i] / (double)tests, points[i], spread);
	}
	tear_down(&f);
}

Test(subject_test, p_is_uniform_for_models_that_never_saw_one_row)
{
	check_uniform(1);
}

Test(subject_test, p_is_uniform_for_models_that_never_saw_several_rows)
{
	check_uniform(6);
}

/* A shift of all unseen rows, as a served model trained on more data has it, is in the pseudo-subjects too. */
Test(subject_test, a_shift_of_the_whole_model_is_no_evidence)
{
	static float tested[COLUMNS * STATISTICS];
	size_t flagged = 0, tests = 0;
	struct fixture f;

	set_up(&f, 1, 2);
	for (size_t i = 0; i < TRAIN; i++) {
		struct subject_frame s;
		struct subject_result r;

		frame(&f, &s, f.rows + i, 1);
		draw_tested(&f, 0, tested);
		for (size_t k = 0; k < COLUMNS * STATISTICS; k++)
			tested[k] += 1.5f;
		subject_test(&s, tested, &r);
		flagged += r.residual;
		tests++;
		subject_frame_fini(&s);
	}
	cr_assert_leq(flagged, tests / 10);
	tear_down(&f);
}

Test(subject_test, finds_what_was_learned)
{
	static float tested[COLUMNS * STATISTICS];
	struct fixture f;
	struct subject_frame s;
	struct subject_controls c;
	struct subject_result r;

	set_up(&f, 6, 4);
	frame(&f, &s, f.rows + 12, 6);
	subject_controls(&s, &c);
	cr_assert_geq(c.power, 0.95);
	cr_assert_leq(c.false_alarm, 0.15);
	cr_assert_eq(c.out_models, ROUNDS);
	cr_assert_eq(c.in_models, MODELS - ROUNDS);
	draw_tested(&f, 4, tested);
	subject_test(&s, tested, &r);
	cr_assert(r.residual && !r.over_forgotten);
	cr_assert_float_eq(r.p_hi, subject_smallest_p(s.worth), 1e-12);
	cr_assert_eq(s.disjoint, HELDOUT / 6);
	cr_assert_eq(s.worth, 2 * (HELDOUT / 6), "overlapping sets are not taken at face value");
	draw_tested(&f, -4, tested);
	subject_test(&s, tested, &r);
	cr_assert(r.over_forgotten && !r.residual);
	cr_assert_gt(r.worst_row, 1);
	subject_frame_fini(&s);
	tear_down(&f);
}

Test(subject_test, has_little_power_where_little_was_learned)
{
	struct fixture f;
	struct subject_frame s;
	struct subject_controls c;

	set_up(&f, 1, 0.2);
	frame(&f, &s, f.rows + 5, 1);
	subject_controls(&s, &c);
	cr_assert_leq(c.power, 0.2);
	subject_frame_fini(&s);
	tear_down(&f);
}

/* z by hand from the table. */
Test(subject_test, z_is_distance_in_spreads)
{
	static float tested[COLUMNS * STATISTICS];
	struct fixture f;
	struct subject_frame s;
	struct subject_result r;
	double mean = 0, squares = 0, z;

	set_up(&f, 2, 1);
	frame(&f, &s, f.rows + 8, 2);
	draw_tested(&f, 1, tested);
	subject_test(&s, tested, &r);
	cr_assert_eq(s.out_models, ROUNDS);
	for (size_t k = 0; k < ROUNDS; k++)
		mean += (scores_at(&f.scores, s.out[k], 8)[1] + scores_at(&f.scores, s.out[k], 9)[1]) / 2.0 / ROUNDS;
	for (size_t k = 0; k < ROUNDS; k++)
		squares +=
		    pow((scores_at(&f.scores, s.out[k], 8)[1] + scores_at(&f.scores, s.out[k], 9)[1]) / 2.0 - mean, 2);
	z = ((tested[8 * STATISTICS + 1] + tested[9 * STATISTICS + 1]) / 2.0 - mean) / sqrt(squares / (ROUNDS - 1));
	cr_assert_float_eq(r.z[1], z, 1e-5);
	cr_assert_float_eq(r.reference[1], mean, 1e-5);
	cr_assert_float_eq(r.z_hi, fmax(r.z[1], fmax(r.z[2], r.z[3])), 1e-12, "the searched statistic is left out");
	subject_frame_fini(&s);
	tear_down(&f);
}

Test(subject_test, pseudo_subjects_have_the_size_and_the_classes)
{
	struct fixture f;
	struct subject_frame s;

	set_up(&f, 2, 1);
	frame(&f, &s, f.rows + 10, 2); /* classes 1 and 2 */
	cr_assert(s.class_matched);
	cr_assert_eq(s.sets, 201);
	cr_assert_eq(s.disjoint, HELDOUT / 3);
	for (size_t set = 0; set < s.sets; set++) {
		const size_t *columns = s.columns + 2 * set;

		cr_assert(set == 0 || columns[0] >= TRAIN);
		cr_assert_lt(columns[0], columns[1]);
		cr_assert_eq(f.labels[columns[0]] + f.labels[columns[1]], 3);
		cr_assert_neq(f.labels[columns[0]], 0);
		cr_assert_neq(f.labels[columns[1]], 0);
	}
	subject_frame_fini(&s);
	tear_down(&f);
}

static void check_refused(struct fixture *f, struct subject_rows rows, struct subject_limits with, const char *why)
{
	static float tested[COLUMNS * STATISTICS];
	struct subject_frame s;
	struct subject_result r;
	struct subject_controls c;

	cr_assert_eq(subject_frame_init(&s, &f->scores, &rows, &with, 1, NULL), 0);
	cr_assert(s.refused);
	cr_assert_not_null(strstr(s.reason, why), "%s", s.reason);
	subject_test(&s, tested, &r);
	subject_controls(&s, &c);
	cr_assert(!r.residual && !r.over_forgotten && r.p_hi == 1);
	cr_assert_eq(c.power, 0);
	subject_frame_fini(&s);
}

Test(subject_test, is_refused_with_its_reason)
{
	static const size_t unknown[] = { 1 };
	struct fixture f;
	struct subject_limits strict = limits;
	struct subject_rows rows, two;

	set_up(&f, 6, 1);
	rows = (struct subject_rows){ { f.rows, 6 }, { f.heldout, HELDOUT }, 38 };
	check_refused(&f, rows, limits, "38 held-out subjects");
	rows.heldout_subjects = HELDOUT;
	strict.pseudo_subjects = 30;
	check_refused(&f, rows, strict, "alpha needs 39");
	rows.subject = (struct row_list){ unknown, 1 };
	check_refused(&f, rows, limits, "none of the subject's rows");
	two = (struct subject_rows){ { f.rows, 24 }, { f.heldout, HELDOUT }, HELDOUT };
	check_refused(&f, two, limits, "references never saw all");
	tear_down(&f);
}

/* With few rows of a class, classes are not matched rather than the test refused, and that is said. */
Test(subject_test, matches_sizes_alone_where_a_class_is_rare)
{
	struct fixture f;
	struct subject_frame s;

	set_up(&f, 1, 1);
	for (size_t c = TRAIN; c < COLUMNS; c++)
		f.labels[c] = c < TRAIN + 20 ? 1 : 0;
	frame(&f, &s, f.rows + 1, 1);
	cr_assert(!s.refused && !s.class_matched);
	cr_assert_eq(s.sets, 1 + HELDOUT);
	subject_frame_fini(&s);
	tear_down(&f);
}
