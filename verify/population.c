#include "verify/population.h"

static int check_list(struct row_list list, size_t rows, const char *name, struct exp_error *err)
{
	if (list.count == 0)
		return error_set(err, EXP_EINVAL, "there are no %s rows", name);
	for (size_t i = 0; i < list.count; i++) {
		if (list.index[i] >= rows)
			return error_set(err, EXP_ERANGE, "%s row number %zu lies beyond the dataset's %zu rows", name,
					 list.index[i], rows);
		if (i > 0 && list.index[i] <= list.index[i - 1])
			return error_set(err, EXP_EINVAL, "the %s row numbers do not rise at position %zu", name, i);
	}
	return 0;
}

static int check_units(const int32_t *units, size_t rows, const char *name, struct exp_error *err)
{
	int32_t next = 0;

	for (size_t i = 0; i < rows; i++) {
		if (units[i] < 0 || units[i] > next)
			return error_set(err, EXP_EINVAL,
					 "%s units are not numbered by first appearance at position %zu", name, i);
		next += units[i] == next;
	}
	return 0;
}

static bool overlap(struct row_list a, struct row_list b)
{
	for (size_t i = 0, k = 0; i < a.count && k < b.count;) {
		if (a.index[i] == b.index[k])
			return true;
		if (a.index[i] < b.index[k])
			i++;
		else
			k++;
	}
	return false;
}

int population_check(const struct population *p, struct exp_error *err)
{
	int rc = check_list(p->train, p->source->rows, "training", err);

	if (!rc)
		rc = check_list(p->heldout, p->source->rows, "held-out", err);
	if (!rc)
		rc = check_units(p->train_units, p->train.count, "training", err);
	if (!rc)
		rc = check_units(p->heldout_units, p->heldout.count, "held-out", err);
	if (!rc && overlap(p->train, p->heldout))
		rc = error_set(err, EXP_EINVAL, "a row is both a training row and a held-out row");
	return rc;
}

size_t population_units(const int32_t *units, size_t rows)
{
	int32_t largest = -1;

	for (size_t i = 0; i < rows; i++)
		if (units[i] > largest)
			largest = units[i];
	return (size_t)(largest + 1);
}

/* Merges the rising lists and keeps the rows of from for which "is in other" equals common. */
static size_t merge(struct row_list from, struct row_list other, bool common, size_t *out)
{
	size_t count = 0, k = 0;

	for (size_t i = 0; i < from.count; i++) {
		while (k < other.count && other.index[k] < from.index[i])
			k++;
		if ((k < other.count && other.index[k] == from.index[i]) == common)
			out[count++] = from.index[i];
	}
	return count;
}

size_t row_list_without(struct row_list from, struct row_list gone, size_t *out)
{
	return merge(from, gone, false, out);
}

size_t row_list_common(struct row_list a, struct row_list b, size_t *out)
{
	return merge(a, b, true, out);
}
