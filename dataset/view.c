#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/dataset.h"
#include "dataset/dataset_internal.h"

/* The whole meaning of a kind: of which splits, and whether rows of the named subjects and of others belong to it. */
static const struct rule {
	unsigned splits; /* bits of enum row_split */
	bool named, others;
} rules[] = {
	[DATASET_TRAIN] = { 1u << ROW_TRAIN, true, true },
	[DATASET_RETAIN] = { 1u << ROW_TRAIN, false, true },
	[DATASET_FORGET] = { 1u << ROW_TRAIN, true, false },
	[DATASET_HELDOUT] = { 1u << ROW_HELDOUT, false, true },
	[DATASET_ERASE] = { 1u << ROW_TRAIN | 1u << ROW_HELDOUT, true, false },
};

static int compare_numbers(const void *a, const void *b)
{
	int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;

	return (i > j) - (i < j);
}

/* named [people_count]: whether a person is among the subjects. */
static void mark_named(const struct dataset *d, const int64_t *subjects, size_t count, bool *named)
{
	for (size_t i = 0; i < count; i++) {
		const int64_t *found =
		    bsearch(&subjects[i], d->people, d->people_count, sizeof(*d->people), compare_numbers);

		if (found)
			named[found - d->people] = true;
	}
}

static bool belongs(const struct dataset *d, const struct rule *rule, const bool *named, size_t row)
{
	if (!(rule->splits & 1u << d->rows.split[row]) || d->rows.state[row] == ROW_ERASED)
		return false;
	if (d->person[row] >= 0 && named[d->person[row]])
		return rule->named;
	return rule->others && d->rows.state[row] == ROW_LIVE;
}

/* unit_of [people_count]: the view's number of a person, 0 for none yet, else one more than it. */
static void add_row(struct dataset_view *v, size_t row, int32_t *unit_of)
{
	int32_t person = v->dataset->person[row], unit = person >= 0 ? unit_of[person] - 1 : -1;

	if (unit < 0)
		unit = (int32_t)v->unit_count++;
	if (person >= 0)
		unit_of[person] = unit + 1;
	v->rows[v->source.rows] = row;
	v->units[v->source.rows++] = unit;
}

/* The file's source has checked what it reads; only the numbers are translated here. */
static int read_view(const struct source *source, const size_t *index, size_t n, float *inputs, int32_t *labels)
{
	const struct dataset_view *v = source->self;
	const struct source *files = dataset_all(v->dataset);
	struct source_subset rows;

	source_subset_init(&rows, files, v->rows, source->rows);
	return rows.source.read(&rows.source, index, n, inputs, labels);
}

int dataset_view_init(struct dataset_view *v, const struct dataset *d, enum dataset_view_kind kind,
		      const int64_t *subjects, size_t count)
{
	struct dataset_view made = { .dataset = d };
	bool *named = mem_try_alloc(d->people_count, sizeof(*named));
	int32_t *unit_of = mem_try_alloc(d->people_count, sizeof(*unit_of));
	int rc = EXP_EMEMORY;

	made.rows = mem_try_alloc(d->rows.count, sizeof(*made.rows));
	made.units = mem_try_alloc(d->rows.count, sizeof(*made.units));
	if (!named || !unit_of || !made.rows || !made.units)
		goto out;
	mark_named(d, subjects, count, named);
	for (size_t row = 0; row < d->rows.count; row++)
		if (belongs(d, &rules[kind], named, row))
			add_row(&made, row, unit_of);
	*v = made;
	v->source.row_floats = dataset_row_floats(d);
	v->source.read = read_view;
	v->source.self = v;
	rc = 0;
out:
	if (rc)
		dataset_view_fini(&made);
	mem_free(named);
	mem_free(unit_of);
	return rc;
}

void dataset_view_fini(struct dataset_view *v)
{
	mem_free(v->rows);
	mem_free(v->units);
	*v = (struct dataset_view){ 0 };
}
