/* Importances kept in step with edits, against computing them anew. */
#include "erasure/upkeep.h"

#include <math.h>

#include "tests/unit/verify/people_fixture.h"
#include "unlearn/ssd.h"

struct fixture {
	struct people people;
	struct importance all, forget, retained;
	size_t forget_rows[6], retained_rows[PEOPLE_TRAIN];
	struct row_list retained_list;
	struct params *edited;
};

static struct importance importance_of(struct people *p, const struct params *at, struct row_list rows)
{
	struct importance i = { 0 };
	struct source_subset subset;

	source_subset_init(&subset, &p->source.source, rows.index, rows.count);
	cr_assert_eq(importance_compute(p->session, at, &subset.source, NULL, &i, NULL), 0);
	return i;
}

static void set_up(struct fixture *f)
{
	struct row_list forget = { f->forget_rows, 6 };
	size_t n;

	people_open(&f->people, 1);
	for (size_t i = 0; i < 6; i++)
		f->forget_rows[i] = f->people.train[7 * i];
	n = row_list_without(f->people.population.train, forget, f->retained_rows);
	f->retained_list = (struct row_list){ f->retained_rows, n };
	f->all = importance_of(&f->people, f->people.served, f->people.population.train);
	f->forget = importance_of(&f->people, f->people.served, forget);
	cr_assert_eq(params_clone(f->people.served, &f->edited), 0);
	cr_assert_eq(ssd_dampen(f->edited, &f->all, &f->forget, 12, 1, NULL), 0);
	f->retained = importance_of(&f->people, f->edited, f->retained_list);
}

static void tear_down(struct fixture *f)
{
	importance_fini(&f->all);
	importance_fini(&f->forget);
	importance_fini(&f->retained);
	params_free(f->edited);
	people_close(&f->people);
}

static struct importance keep_up(struct fixture *f, const struct params *after, size_t refresh_rows)
{
	struct upkeep_job job = { .all = &f->all,
				  .forget = &f->forget,
				  .before = f->people.served,
				  .after = after,
				  .source = &f->people.source.source,
				  .retained = f->retained_list,
				  .refresh_rows = refresh_rows,
				  .seed = 3 };
	struct importance out = { 0 };

	cr_assert_eq(upkeep_importance(&job, f->people.session, &out, NULL), 0);
	cr_assert_eq(out.rows, f->retained_list.count);
	return out;
}

/* Relative distance of two blocks, in the sum of their magnitudes. */
static double distance(const struct importance *a, const struct importance *b)
{
	double apart = 0, size = 0;

	for (size_t i = 0; i < a->sum->count; i++) {
		apart += fabs((double)a->sum->values[i] - (double)b->sum->values[i]);
		size += fabs((double)b->sum->values[i]);
	}
	return apart / size;
}

Test(upkeep, subtracts_the_forgotten_where_nothing_moved)
{
	struct fixture f;
	struct importance kept, exact;

	set_up(&f);
	kept = keep_up(&f, f.people.served, 40);
	exact = importance_of(&f.people, f.people.served, f.retained_list);
	cr_assert_lt(distance(&kept, &exact), 1e-5);
	importance_fini(&kept);
	importance_fini(&exact);
	tear_down(&f);
}

Test(upkeep, is_exact_when_all_rows_are_looked_at)
{
	struct fixture f;
	struct importance kept;

	set_up(&f);
	kept = keep_up(&f, f.edited, PEOPLE_TRAIN);
	cr_assert_lt(distance(&kept, &f.retained), 1e-4);
	importance_fini(&kept);
	tear_down(&f);
}

/*
 * Sums of squares are heavy-tailed: a sample measured anew loses what the exact sum knew, and the exact sum alone is
 * stale.
 */
Test(upkeep, is_nearer_than_the_stale_sum_and_than_the_sample_anew)
{
	enum { SAMPLE = 80 };
	struct fixture f;
	struct importance kept, stale, fresh;
	size_t sample[SAMPLE];

	set_up(&f);
	kept = keep_up(&f, f.edited, SAMPLE);
	stale = keep_up(&f, f.people.served, 1);
	for (size_t i = 0; i < SAMPLE; i++)
		sample[i] = f.retained_rows[i * f.retained_list.count / SAMPLE];
	fresh = importance_of(&f.people, f.edited, (struct row_list){ sample, SAMPLE });
	for (size_t i = 0; i < fresh.sum->count; i++)
		fresh.sum->values[i] *= (float)f.retained_list.count / SAMPLE;
	cr_assert_lt(distance(&kept, &f.retained), distance(&stale, &f.retained));
	cr_assert_lt(distance(&kept, &f.retained), distance(&fresh, &f.retained));
	for (size_t i = 0; i < kept.sum->count; i++)
		cr_assert_geq(kept.sum->values[i], 0);
	importance_fini(&kept);
	importance_fini(&stale);
	importance_fini(&fresh);
	tear_down(&f);
}
