/* The setup of a score table follows from the job: which rows, whose labels, who is dealt into which fold. */
#include <string.h>

#include "base/mem.h"
#include "verify/fold.h"
#include "verify/reference_internal.h"

enum { READ_ROWS = 256 };

/* Training and held-out rows in one rising list. */
static void merge_rows(const struct population *p, struct scores *s)
{
	size_t i = 0, k = 0;

	while (i < p->train.count || k < p->heldout.count) {
		bool train = k == p->heldout.count || (i < p->train.count && p->train.index[i] < p->heldout.index[k]);

		s->rows[s->columns++] = train ? p->train.index[i++] : p->heldout.index[k++];
	}
}

static int read_labels(const struct source *source, struct scores *s)
{
	float *inputs = mem_try_alloc(source->row_floats, READ_ROWS * sizeof(*inputs));
	int rc = inputs ? 0 : EXP_EMEMORY;

	for (size_t first = 0; !rc && first < s->columns; first += READ_ROWS) {
		size_t n = s->columns - first < READ_ROWS ? s->columns - first : READ_ROWS;

		rc = source->read(source, s->rows + first, n, inputs, s->labels + first);
	}
	mem_free(inputs);
	return rc;
}

static int deal_round(const struct reference_job *job, struct scores *s, size_t round, uint8_t *of,
		      struct exp_error *err)
{
	const struct population *p = job->population;
	struct fold_deal deal = { p->train_units, p->train.count, job->folds, round, job->seed };
	uint8_t *fold = s->fold + round * s->columns;
	int rc = fold_deal(&deal, of, err);

	memset(fold, FOLD_HELDOUT, s->columns);
	for (size_t c = 0, i = 0; !rc && c < s->columns && i < p->train.count; c++)
		if (s->rows[c] == p->train.index[i])
			fold[c] = of[i++];
	return rc;
}

static int deal_folds(const struct reference_job *job, struct scores *s, struct exp_error *err)
{
	uint8_t *of = mem_try_alloc(job->population->train.count, 1);
	int rc = of ? 0 : error_set(err, EXP_EMEMORY, "no memory to deal folds");

	for (size_t r = 0; !rc && r < job->rounds; r++)
		rc = deal_round(job, s, r, of, err);
	mem_free(of);
	return rc;
}

static int fill_setup(const struct reference_job *job, struct scores *s, struct exp_error *err)
{
	const struct population *p = job->population;
	size_t columns = p->train.count + p->heldout.count;
	int rc;

	s->rows = mem_try_alloc(columns, sizeof(*s->rows));
	s->labels = mem_try_alloc(columns, sizeof(*s->labels));
	s->fold = mem_try_alloc(columns, s->rounds);
	s->feature_spread = mem_try_alloc(s->row_floats, sizeof(float));
	if (!s->rows || !s->labels || !s->fold || !s->feature_spread)
		return error_set(err, EXP_EMEMORY, "no memory for a score table of %zu rows", columns);
	merge_rows(p, s);
	rc = read_labels(p->source, s);
	if (rc)
		return error_set(err, rc, "reading labels: %s", error_sentence(rc));
	rc = deal_folds(job, s, err);
	if (!rc)
		rc = score_spread(p->source, p->train, s->feature_spread, err);
	return rc;
}

int reference_prepare(const struct reference_job *job, struct exp_error *err)
{
	struct scores setup = {
		.rounds = job->rounds,
		.folds = job->folds,
		.models = job->rounds * job->folds,
		.row_floats = job->population->source->row_floats,
		.neighbours = job->neighbours,
		.neighbour_spread = job->neighbour_spread,
		.finetune_epochs = job->finetune_epochs,
		.seed = job->seed,
	};
	int rc = population_check(job->population, err);

	if (!rc)
		rc = fill_setup(job, &setup, err);
	if (!rc)
		rc = scores_create(job->folder, &setup, err);
	scores_fini(&setup);
	return rc;
}
