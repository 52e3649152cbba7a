#include "cli/workbench.h"

#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "engine/evaluate.h"
#include "engine/loss.h"

/* What protobuf can hold at all. */
#define MODEL_LIMIT ((size_t)1 << 31)

/* "NAME=path" when NAME is the model's input, else the text as it is: a path may hold an equals sign. */
static int find_path(const struct graph *g, const char *text, const char **path, struct exp_error *err)
{
	const char *equals = strchr(text, '='), *name = graph_input_name(g);
	size_t length = equals ? (size_t)(equals - text) : 0;

	*path = text;
	if (!equals)
		return 0;
	if (strlen(name) == length && !strncmp(name, text, length)) {
		*path = equals + 1;
		return 0;
	}
	if (file_exists(text))
		return 0;
	return error_set(err, EXP_EINVAL, "the model has no input \"%.*s\"; its input is \"%s\"", (int)length, text,
			 name);
}

static void write_dims(const size_t *dims, size_t rank, struct buf *out)
{
	buf_add_text(out, "[rows");
	for (size_t i = 0; i < rank; i++)
		buf_format(out, ", %zu", dims[i]);
	buf_add_text(out, "]");
}

static int check_dims(const struct graph *g, const struct npy *inputs, struct exp_error *err)
{
	size_t rank, row_rank = inputs->rank ? inputs->rank - 1 : 0;
	const size_t *dims = graph_input_dims(g, &rank);
	struct buf given = { 0 }, wanted = { 0 };
	int rc;

	if (inputs->rank && row_rank == rank && !memcmp(inputs->dims + 1, dims, rank * sizeof(*dims)))
		return 0;
	write_dims(inputs->dims + (inputs->rank ? 1 : 0), row_rank, &given);
	write_dims(dims, rank, &wanted);
	rc = error_set(err, EXP_ESHAPE, "the inputs are %s, but the model's input \"%s\" takes %s",
		       inputs->rank ? given.data : "one number", graph_input_name(g), wanted.data);
	buf_fini(&given);
	buf_fini(&wanted);
	return rc;
}

static float scale_of(const struct workbench_options *o, const struct npy *inputs)
{
	if (o->scale > 0)
		return (float)o->scale;
	return inputs->type == NPY_U1 ? 1.0f / 255 : 1.0f;
}

/* The inputs are checked by themselves first, so that each message can name its file. */
static int check_rows(const struct graph *g, const struct workbench_options *o, const struct npy *inputs,
		      const struct npy *labels, struct npy_source *source, struct exp_error *err)
{
	float scale = scale_of(o, inputs);
	int rc = check_dims(g, inputs, err);

	if (!rc)
		rc = npy_source_init(source, inputs, NULL, scale, 0, err);
	if (rc)
		return error_wrap(err, rc, "%s", o->inputs);
	source->source.row_labels = graph_positions(g);
	if (!o->labels)
		return 0;
	rc = npy_source_init(source, inputs, labels, scale, graph_classes(g), err);
	return rc ? error_wrap(err, rc, "%s", o->labels) : 0;
}

int workbench_open_rows(const struct graph *g, const struct workbench_options *o, struct npy *inputs,
			struct npy *labels, struct npy_source *source, struct exp_error *err)
{
	const char *path;
	int rc = find_path(g, o->inputs, &path, err);

	if (!rc)
		rc = npy_open(path, inputs, err);
	if (!rc && o->labels)
		rc = npy_open(o->labels, labels, err);
	if (!rc)
		rc = check_rows(g, o, inputs, labels, source, err);
	return rc;
}

static int load_model(const struct workbench_options *o, struct graph **out, struct exp_error *err)
{
	struct graph_options options;
	struct arena arena = { 0 };
	int rc = model_options_read(&o->open, &arena, &options, err);

	if (!rc)
		rc = graph_load_file_with(o->model, MODEL_LIMIT, &options, out, err);
	arena_fini(&arena);
	return rc;
}

static bool is_same_file(const char *a, const char *b)
{
	const char *path = a ? strchr(a, '=') : NULL;
	struct stat x, y;

	if (!a || stat(b, &y) != 0)
		return false;
	return (stat(a, &x) == 0 || (path && stat(path + 1, &x) == 0)) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int workbench_check_out(const struct workbench_options *o, const char *out, struct exp_error *err)
{
	if (!is_same_file(o->model, out) && !is_same_file(o->inputs, out) && !is_same_file(o->labels, out))
		return 0;
	return error_set(err, EXP_EINVAL, "--out %s is one of the files that are read: name another", out);
}

int workbench_open(struct workbench *w, const struct workbench_options *o, struct exp_error *err)
{
	int rc;

	memset(w, 0, sizeof(*w));
	rc = load_model(o, &w->graph, err);
	if (rc)
		return rc;
	rc = graph_initial_params(w->graph, &w->params);
	if (rc)
		return error_set(err, rc, "%s: no memory for its parameters", o->model);
	if (o->inputs)
		rc = workbench_open_rows(w->graph, o, &w->inputs, &w->labels, &w->source, err);
	if (rc)
		return rc;
	return session_new(w->graph, o->batch ? (size_t)o->batch : WORKBENCH_BATCH, &w->session, err);
}

void workbench_close(struct workbench *w)
{
	session_free(w->session);
	npy_close(&w->inputs);
	npy_close(&w->labels);
	params_free(w->params);
	graph_unref(w->graph);
}

static struct workbench_score summarise(const struct evaluation *e, size_t rows, size_t labels)
{
	struct workbench_score score = { 0 };
	size_t right = 0, labelled = 0;

	for (size_t i = 0; i < labels; i++) {
		right += e->predictions[i] == e->labels[i];
		labelled += e->labels[i] != LOSS_NO_LABEL;
	}
	for (size_t i = 0; i < rows; i++)
		score.mean_loss += (double)e->losses[i];
	score.accuracy = labelled ? (double)right / (double)labelled : 0.0;
	score.mean_loss /= (double)rows;
	return score;
}

int workbench_score_rows(struct workbench *w, const struct params *p, struct workbench_score *out,
			 struct exp_error *err)
{
	size_t rows = w->source.source.rows, each = graph_positions(w->graph);
	struct evaluation e = {
		.losses = mem_try_alloc(rows, sizeof(*e.losses)),
		.predictions = mem_try_alloc(rows, each * sizeof(*e.predictions)),
		.labels = mem_try_alloc(rows, each * sizeof(*e.labels)),
	};
	int rc = 0;

	if (rows == 0)
		rc = error_set(err, EXP_EINVAL, "there are no rows to score");
	else if (!e.losses || !e.predictions || !e.labels)
		rc = error_set(err, EXP_EMEMORY, "no memory for the scores of %zu rows", rows);
	else
		rc = evaluate(w->session, p, &w->source.source, &e, err);
	if (!rc)
		*out = summarise(&e, rows, rows * each);
	mem_free(e.losses);
	mem_free(e.predictions);
	mem_free(e.labels);
	return rc;
}

int workbench_save_model(const struct graph *g, const struct params *p, const char *path, char digest[DIGEST_HEX],
			 struct exp_error *err)
{
	uint8_t hash[DIGEST_SIZE];
	struct buf bytes = { 0 };
	int rc = graph_save(g, p, &bytes, err);

	if (!rc)
		rc = file_write_durable(path, bytes.data, bytes.size, err);
	if (!rc) {
		sha256(bytes.data, bytes.size, hash);
		hex_encode(hash, sizeof(hash), digest);
	}
	buf_fini(&bytes);
	return rc;
}
