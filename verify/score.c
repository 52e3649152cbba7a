#include "verify/score.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/evaluate.h"
#include "engine/train.h"

enum { READ_ROWS = 256, BATCH_MIN = 128 };

size_t score_batch(const struct recipe *r)
{
	return r->batch > BATCH_MIN ? (size_t)r->batch : BATCH_MIN;
}

/* Welford's update: one pass, and stable for features far from zero. */
static void add_row(const float *input, size_t floats, double seen, double *mean, double *squares)
{
	for (size_t i = 0; i < floats; i++) {
		double step = (double)input[i] - mean[i];

		mean[i] += step / seen;
		squares[i] += step * ((double)input[i] - mean[i]);
	}
}

static int add_rows(const struct source *source, struct row_list rows, float *inputs, double *mean, double *squares)
{
	int32_t labels[READ_ROWS];

	for (size_t first = 0; first < rows.count; first += READ_ROWS) {
		size_t n = rows.count - first < READ_ROWS ? rows.count - first : READ_ROWS;
		int rc = source->read(source, rows.index + first, n, inputs, labels);

		if (rc)
			return rc;
		for (size_t i = 0; i < n; i++)
			add_row(inputs + i * source->row_floats, source->row_floats, (double)(first + i + 1), mean,
				squares);
	}
	return 0;
}

int score_spread(const struct source *source, struct row_list rows, float *spread, struct exp_error *err)
{
	size_t floats = source->row_floats, places;
	double *mean = mem_try_alloc(floats, sizeof(*mean)), *squares = mem_try_alloc(floats, sizeof(*squares));
	float *inputs = mem_size(READ_ROWS, floats, &places) ? mem_try_alloc(places, sizeof(*inputs)) : NULL;
	int rc = mean && squares && inputs ? add_rows(source, rows, inputs, mean, squares) : EXP_EMEMORY;

	for (size_t i = 0; !rc && i < floats; i++)
		spread[i] = (float)sqrt(squares[i] / (double)rows.count);
	mem_free(mean);
	mem_free(squares);
	mem_free(inputs);
	return rc ? error_set(err, rc, "the spread of the inputs: %s", error_sentence(rc)) : 0;
}

/* A source whose rows are moved by one fixed vector. */
struct moved_source {
	struct source source;
	const struct source *parent;
	const float *move; /* [row_floats] */
};

static int read_moved(const struct source *s, const size_t *index, size_t n, float *inputs, int32_t *labels)
{
	const struct moved_source *m = s->self;
	int rc = m->parent->read(m->parent, index, n, inputs, labels);

	for (size_t i = 0; !rc && i < n; i++)
		for (size_t k = 0; k < s->row_floats; k++)
			inputs[i * s->row_floats + k] += m->move[k];
	return rc;
}

static void moved_source_init(struct moved_source *m, const struct source *parent, const float *move)
{
	*m = (struct moved_source){ .source = *parent, .parent = parent, .move = move };
	m->source.read = read_moved;
	m->source.self = m;
}

/* What one call works with. */
struct work {
	struct session *session;
	const struct scoring *how;
	const struct scored_model *model;
	struct source_subset rows;
	float *log_probs; /* [rows, classes] */
	int32_t *labels;  /* [rows] */
	float *out;       /* [rows, STATISTICS] */
	size_t classes;
};

static double confidence_of(const struct work *w, size_t i)
{
	return statistic_confidence(w->log_probs + i * w->classes, w->classes, w->labels[i]);
}

static int score_plain(struct work *w, struct exp_error *err)
{
	size_t rows = w->rows.source.rows;
	double *norms = mem_try_alloc(rows, sizeof(*norms));
	struct evaluation e = { .log_probs = w->log_probs, .labels = w->labels, .gradient_norms = norms };
	int rc = norms ? evaluate(w->session, w->model->params, &w->rows.source, &e, err) : EXP_EMEMORY;

	for (size_t i = 0; !rc && i < rows; i++) {
		w->out[i * STATISTICS + STATISTIC_CONFIDENCE] = (float)confidence_of(w, i);
		w->out[i * STATISTICS + STATISTIC_GRADIENT] = (float)statistic_gradient(norms[i]);
	}
	mem_free(norms);
	return rc;
}

/* Neighbour k is the same move for every row and every model, so that models differ by what they learned alone. */
static void draw_move(const struct scoring *how, size_t k, float *move)
{
	char purpose[32];
	struct rng rng;

	snprintf(purpose, sizeof(purpose), "neighbour/%zu", k);
	rng_init(&rng, how->seed, purpose);
	for (size_t i = 0; i < how->source->row_floats; i++)
		move[i] = (float)(how->neighbour_spread * rng_normal(&rng)) * how->feature_spread[i];
}

static int add_neighbour(struct work *w, const float *move, struct exp_error *err)
{
	struct evaluation e = { .log_probs = w->log_probs };
	struct moved_source moved;
	int rc;

	moved_source_init(&moved, &w->rows.source, move);
	rc = evaluate(w->session, w->model->params, &moved.source, &e, err);
	for (size_t i = 0; !rc && i < w->rows.source.rows; i++)
		w->out[i * STATISTICS + STATISTIC_NEIGHBOURS] +=
		    (float)(confidence_of(w, i) / (double)w->how->neighbours);
	return rc;
}

static int score_neighbours(struct work *w, struct exp_error *err)
{
	float *move = mem_try_alloc(w->how->source->row_floats, sizeof(*move));
	int rc = move ? 0 : EXP_EMEMORY;

	for (size_t i = 0; i < w->rows.source.rows; i++)
		w->out[i * STATISTICS + STATISTIC_NEIGHBOURS] = 0;
	for (size_t k = 0; !rc && k < w->how->neighbours; k++) {
		draw_move(w->how, k, move);
		rc = add_neighbour(w, move, err);
	}
	mem_free(move);
	return rc;
}

static int train_on(const struct work *w, const size_t *index, size_t rows, int64_t epochs, struct params *p,
		    struct exp_error *err)
{
	struct recipe recipe = *w->how->recipe;
	struct source_subset subset;

	recipe.epochs = epochs;
	recipe.drop_last = false; /* the rows may be fewer than a batch */
	source_subset_init(&subset, w->how->source, index, rows);
	return train_run(w->session, &recipe, w->model->finetune_seed, &subset.source, p, NULL, err);
}

static int finetune(const struct work *w, struct params *p, struct exp_error *err)
{
	const struct row_list on = w->model->finetune_on;
	double epochs = w->how->finetune_epochs;
	size_t *order, share = (size_t)lround(epochs * (double)on.count);
	struct rng rng;
	int rc;

	if (epochs >= 1)
		return train_on(w, on.index, on.count, lround(epochs), p, err);
	order = mem_try_alloc(on.count, sizeof(*order));
	if (!order)
		return EXP_EMEMORY;
	memcpy(order, on.index, on.count * sizeof(*order));
	rng_init(&rng, w->model->finetune_seed, "finetune");
	rng_shuffle(&rng, order, on.count);
	rc = train_on(w, order, share ? share : 1, 1, p, err);
	mem_free(order);
	return rc;
}

static int score_finetuned(struct work *w, struct exp_error *err)
{
	struct evaluation e = { .log_probs = w->log_probs };
	struct params *tuned = NULL;
	int rc = params_clone(w->model->params, &tuned);

	if (!rc)
		rc = finetune(w, tuned, err);
	if (!rc)
		rc = evaluate(w->session, tuned, &w->rows.source, &e, err);
	for (size_t i = 0; !rc && i < w->rows.source.rows; i++)
		w->out[i * STATISTICS + STATISTIC_FINETUNED] = (float)confidence_of(w, i);
	params_free(tuned);
	return rc;
}

static int score_all(struct work *w, struct exp_error *err)
{
	int rc = score_plain(w, err);

	if (!rc)
		rc = score_neighbours(w, err);
	if (!rc)
		rc = score_finetuned(w, err);
	for (size_t i = 0; !rc && i < w->rows.source.rows * STATISTICS; i++)
		if (!isfinite(w->out[i]))
			rc = error_set(err, EXP_ENONFINITE, "a row's %s under the model is not finite",
				       statistic_names[i % STATISTICS]);
	return rc;
}

int score_rows(struct session *s, const struct scoring *how, const struct scored_model *model, struct row_list rows,
	       float *out, struct exp_error *err)
{
	struct work w = { .session = s, .how = how, .model = model, .out = out };
	size_t places;
	int rc = EXP_EMEMORY;

	if (rows.count == 0)
		return 0;
	w.classes = graph_classes(session_graph(s));
	source_subset_init(&w.rows, how->source, rows.index, rows.count);
	w.labels = mem_try_alloc(rows.count, sizeof(*w.labels));
	if (mem_size(rows.count, w.classes, &places))
		w.log_probs = mem_try_alloc(places, sizeof(*w.log_probs));
	if (w.labels && w.log_probs)
		rc = score_all(&w, err);
	if (rc == EXP_EMEMORY)
		rc = error_set(err, rc, "no memory to score %zu rows", rows.count);
	mem_free(w.labels);
	mem_free(w.log_probs);
	return rc;
}
