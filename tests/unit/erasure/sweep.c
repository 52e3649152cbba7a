/* The search for alpha, against trying every point by hand. */
#include "erasure/sweep.h"

#include <math.h>

#include "tests/unit/verify/people_fixture.h"

struct fixture {
	struct people people;
	struct importance all, forget;
	size_t forget_rows[4];
	double limit, target; /* of the weights' sum of squares: what is admitted, what is wanted */
};

static double squares(const struct params *p)
{
	double sum = 0;

	for (size_t i = 0; i < p->count; i++)
		sum += (double)p->values[i] * (double)p->values[i];
	return sum;
}

static int score(void *arg, struct session *s, const struct params *p, struct sweep_score *out, struct exp_error *err)
{
	const struct fixture *f = arg;

	(void)s;
	(void)err;
	out->distance = fabs(squares(p) - f->target);
	out->admitted = squares(p) >= f->limit;
	return 0;
}

static void set_up(struct fixture *f)
{
	struct source_subset train, forget;

	people_open(&f->people, 1);
	for (size_t i = 0; i < 4; i++)
		f->forget_rows[i] = f->people.train[10 * i];
	source_subset_init(&train, &f->people.source.source, f->people.train, PEOPLE_TRAIN);
	source_subset_init(&forget, &f->people.source.source, f->forget_rows, 4);
	cr_assert_eq(importance_compute(f->people.session, f->people.served, &train.source, NULL, &f->all, NULL), 0);
	cr_assert_eq(importance_compute(f->people.session, f->people.served, &forget.source, NULL, &f->forget, NULL),
		     0);
	f->target = 0.995 * squares(f->people.served);
	f->limit = 0;
}

static void tear_down(struct fixture *f)
{
	importance_fini(&f->all);
	importance_fini(&f->forget);
	people_close(&f->people);
}

static struct sweep sweep_of(struct fixture *f, size_t threads)
{
	return (struct sweep){ .live = f->people.served,
			       .all = &f->all,
			       .forget = &f->forget,
			       .points = 12,
			       .batch = 1,
			       .threads = threads,
			       .score = score,
			       .arg = f };
}

/* The best admitted point, by dampening a fresh copy at each. */
static double best_by_hand(struct fixture *f, const struct sweep *s)
{
	double best = fabs(squares(f->people.served) - f->target), alpha = sweep_alpha(s, 0);

	for (size_t i = 1; i <= s->points; i++) {
		struct params *p = NULL;

		cr_assert_eq(params_clone(f->people.served, &p), 0);
		cr_assert_eq(ssd_dampen(p, &f->all, &f->forget, sweep_alpha(s, i), 1, NULL), 0);
		if (squares(p) >= f->limit && fabs(squares(p) - f->target) < best) {
			best = fabs(squares(p) - f->target);
			alpha = sweep_alpha(s, i);
		}
		params_free(p);
	}
	return alpha;
}

Test(sweep, walks_from_the_ceiling_to_one)
{
	struct fixture f;
	struct sweep s;

	set_up(&f);
	s = sweep_of(&f, 1);
	cr_assert_float_eq(sweep_alpha(&s, 0), PEOPLE_TRAIN / 4.0, 1e-12);
	cr_assert_float_eq(sweep_alpha(&s, 12), 1, 1e-12);
	cr_assert_float_eq(sweep_alpha(&s, 6), sqrt(PEOPLE_TRAIN / 4.0), 1e-9);
	tear_down(&f);
}

Test(sweep, takes_the_nearest_admitted_point_on_any_number_of_threads)
{
	struct fixture f;
	struct sweep_choice one, two;
	struct sweep s;

	set_up(&f);
	s = sweep_of(&f, 1);
	cr_assert_eq(sweep_run(&s, &one, NULL), 0);
	cr_assert_float_eq(one.alpha, best_by_hand(&f, &s), 1e-12);
	cr_assert_lt(one.distance, one.start_distance);
	cr_assert_gt(one.selected, 0);
	s = sweep_of(&f, 2);
	cr_assert_eq(sweep_run(&s, &two, NULL), 0);
	cr_assert_eq(one.alpha, two.alpha);
	cr_assert_eq(one.admitted, two.admitted);
	f.limit = 0.998 * squares(f.people.served);
	cr_assert_eq(sweep_run(&s, &two, NULL), 0);
	cr_assert_float_eq(two.alpha, best_by_hand(&f, &s), 1e-12);
	cr_assert_gt(two.alpha, one.alpha, "the guard keeps it gentler");
	tear_down(&f);
}

Test(sweep, changes_nothing_where_nothing_is_admitted)
{
	struct fixture f;
	struct sweep_choice c;
	struct sweep s;

	set_up(&f);
	f.limit = INFINITY;
	s = sweep_of(&f, 2);
	cr_assert_eq(sweep_run(&s, &c, NULL), 0);
	cr_assert_eq(c.alpha, ssd_alpha_ceiling(&f.all, &f.forget));
	cr_assert_eq(c.selected, 0);
	cr_assert_eq(c.admitted, 0);
	tear_down(&f);
}

static int fail(void *arg, struct session *s, const struct params *p, struct sweep_score *out, struct exp_error *err)
{
	(void)arg;
	(void)s;
	(void)p;
	(void)out;
	return error_set(err, EXP_EIO, "the rows cannot be read");
}

static bool stop(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	(void)total;
	return done >= 2;
}

Test(sweep, passes_on_failures_and_the_wish_to_stop)
{
	struct fixture f;
	struct progress progress = { stop, NULL };
	struct exp_error err = { 0 };
	struct sweep_choice c;
	struct sweep s;

	set_up(&f);
	s = sweep_of(&f, 2);
	s.score = fail;
	cr_assert_eq(sweep_run(&s, &c, &err), EXP_EIO);
	cr_assert_str_eq(err.message, "the rows cannot be read");
	s = sweep_of(&f, 1);
	s.progress = &progress;
	cr_assert_eq(sweep_run(&s, &c, &err), EXP_ECANCELLED);
	s.points = 0;
	cr_assert_eq(sweep_run(&s, &c, &err), EXP_EINVAL);
	tear_down(&f);
}
