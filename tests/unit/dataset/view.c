#include <criterion/criterion.h>
#include <string.h>

#include "base/rng.h"
#include "dataset/dataset.h"
#include "storage/dataset_rows.h"
#include "storage/writer.h"
#include "tests/unit/dataset/fixture.h"

enum { ROWS = 300, PEOPLE = 23 };

static struct fixture f;

static void init(void)
{
	fixture_init(&f);
	fixture_make(&f, ROWS, 3, PEOPLE);
	fixture_import(&f);
}

static void fini(void)
{
	fixture_fini(&f);
}

TestSuite(view, .init = init, .fini = fini);

enum fate { LIVE, TOMBSTONED, ERASED };

static int apply_fate(struct txn *txn, void *arg, struct exp_error *err)
{
	const int64_t *subject_and_fate = arg;
	int64_t changed;
	int rc = dataset_rows_tombstone(txn, subject_and_fate[0], &changed, err);

	if (!rc && subject_and_fate[1] == ERASED)
		rc = dataset_rows_erase(txn, "people", subject_and_fate[0], &changed, err);
	return rc;
}

static void set_fate(size_t person, enum fate fate)
{
	int64_t arg[2] = { fixture_subject(&f, person), fate };

	if (fate != LIVE)
		cr_assert_eq(writer_call(f.store, apply_fate, arg, NULL), 0);
}

/* The definition of dataset.h again, in plain words, over the fixture's own arithmetic. */
static bool expected(enum dataset_view_kind kind, size_t row, const enum fate *fates, const bool *named)
{
	size_t person = row % PEOPLE;
	bool train = person % 2 == 0, live = fates[person] == LIVE, own = person && named[person];

	if (fates[person] == ERASED)
		return false;
	switch (kind) {
	case DATASET_TRAIN:
		return train && (live || own);
	case DATASET_RETAIN:
		return train && live && !own;
	case DATASET_FORGET:
		return train && own;
	case DATASET_HELDOUT:
		return !train && live && !own;
	case DATASET_ERASE:
		return own;
	}
	return false;
}

static void check_units(const struct dataset_view *v)
{
	int32_t next = 0;

	for (size_t i = 0; i < v->source.rows; i++) {
		bool first = true;

		for (size_t j = 0; j < i; j++) {
			bool same = v->rows[i] % PEOPLE && v->rows[i] % PEOPLE == v->rows[j] % PEOPLE;

			cr_assert_eq(v->units[i] == v->units[j], same);
			first = first && !same;
		}
		if (first)
			cr_assert_eq(v->units[i], next++);
	}
	cr_assert_eq(v->unit_count, (size_t)next);
}

static void check_view(const struct dataset *d, enum dataset_view_kind kind, const enum fate *fates, const bool *named)
{
	int64_t subjects[PEOPLE + 1] = { 123456 }; /* nobody's number is fine */
	size_t count = 1, n = 0;
	struct dataset_view v;

	for (size_t person = PEOPLE; person-- > 1;)
		if (named[person] && fates[person] != ERASED)
			subjects[count++] = fixture_subject(&f, person);
	cr_assert_eq(dataset_view_init(&v, d, kind, subjects, count), 0);
	for (size_t row = 0; row < ROWS; row++)
		if (expected(kind, row, fates, named))
			cr_assert(n < v.source.rows && v.rows[n++] == row, "kind %d, row %zu", (int)kind, row);
	cr_assert_eq(n, v.source.rows);
	check_units(&v);
	for (size_t i = 0; i < n; i++) {
		float inputs[3];
		int32_t label;

		cr_assert_eq(v.source.read(&v.source, &i, 1, inputs, &label), 0);
		cr_assert_eq(inputs[0], (float)v.rows[i]);
		cr_assert_eq(label, (int32_t)(v.rows[i] % 3));
	}
	dataset_view_fini(&v);
}

Test(view, every_kind_agrees_with_its_definition)
{
	enum fate fates[PEOPLE] = { LIVE };
	struct rng r;

	rng_init(&r, 4, "view");
	for (int round = 0; round < 8; round++) {
		bool named[PEOPLE] = { false };
		struct dataset *d;

		for (size_t person = 1; person < PEOPLE; person++)
			named[person] = rng_below(&r, 4) == 0;
		cr_assert_eq(dataset_open(f.store, f.data, "people", &d, NULL), 0);
		for (int kind = DATASET_TRAIN; kind <= DATASET_ERASE; kind++)
			check_view(d, (enum dataset_view_kind)kind, fates, named);
		dataset_close(d);
		for (int k = 0; k < 2; k++) {
			size_t person = 1 + rng_below(&r, PEOPLE - 1);

			if (fates[person] != LIVE)
				continue;
			fates[person] = k ? ERASED : TOMBSTONED;
			set_fate(person, fates[person]);
		}
	}
}

Test(view, without_subjects_forget_is_empty)
{
	struct dataset_view v;
	struct dataset *d;

	cr_assert_eq(dataset_open(f.store, f.data, "people", &d, NULL), 0);
	cr_assert_eq(dataset_view_init(&v, d, DATASET_FORGET, NULL, 0), 0);
	cr_assert_eq(v.source.rows, 0);
	dataset_view_fini(&v);
	cr_assert_eq(dataset_view_init(&v, d, DATASET_TRAIN, NULL, 0), 0);
	cr_assert_eq(v.source.rows, 157); /* 13 times the 12 even persons, and row 299 */
	dataset_view_fini(&v);
	dataset_close(d);
}
