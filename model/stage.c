#include "model/stage.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/graph_options.h"
#include "model/sessions.h"
#include "storage/models.h"

enum { WARM_ROWS = 8 };
#define FILE_LIMIT ((size_t)1 << 31)

/* Some rows of the source, or one of zeros. inputs [WARM_ROWS, row floats]. */
static int warm_inputs(const struct graph *g, const struct source *warm, float *inputs, size_t *n)
{
	size_t index[WARM_ROWS];
	int32_t labels[WARM_ROWS];

	*n = 1;
	if (!warm || warm->rows == 0 || warm->row_floats != graph_input_floats(g))
		return 0;
	*n = warm->rows < WARM_ROWS ? warm->rows : WARM_ROWS;
	for (size_t i = 0; i < *n; i++)
		index[i] = i;
	return warm->read(warm, index, *n, inputs, labels);
}

/* Runs the snapshot once, so that its first request does not pay for untouched memory, and looks at what comes out. */
static int warm_up(const struct snapshot *s, const struct source *warm, struct exp_error *err)
{
	size_t in = graph_input_floats(s->graph), classes = graph_output_floats(s->graph), n;
	float *inputs = mem_try_alloc(WARM_ROWS, in * sizeof(*inputs));
	float *outputs = mem_try_alloc(WARM_ROWS, classes * sizeof(*outputs));
	int rc = inputs && outputs ? 0 : error_set(err, EXP_EMEMORY, "no memory to warm up model %s", s->model);

	if (!rc && warm_inputs(s->graph, warm, inputs, &n))
		rc = error_set(err, EXP_EIO, "the rows to warm up model %s cannot be read", s->model);
	if (!rc)
		rc = sessions_forward(s->sessions, s->params, inputs, n, outputs, err);
	for (size_t i = 0; !rc && i < n * classes; i++)
		if (!isfinite(outputs[i]))
			rc = error_set(err, EXP_ENONFINITE, "model %s yields outputs that are not finite", s->model);
	mem_free(inputs);
	mem_free(outputs);
	return rc;
}

static int read_weights(const char *path, const char *id, struct buf *bytes, struct exp_error *err)
{
	uint8_t digest[DIGEST_SIZE];
	char text[DIGEST_HEX];
	int rc = file_read(path, FILE_LIMIT, bytes, err);

	if (rc == EXP_ENOTFOUND)
		return error_set(err, EXP_ECORRUPT, "%s is missing", path);
	if (rc)
		return rc;
	sha256(bytes->data, bytes->size, digest);
	if (strcmp(hex_encode(digest, sizeof(digest), text), id))
		return error_set(err, EXP_ECORRUPT, "%s was altered: its digest is %s", path, text);
	return 0;
}

static int snapshot_of(struct graph *g, const char *model, const char *id, struct snapshot **out, struct exp_error *err)
{
	struct snapshot_spec spec = { .model = model, .sha256 = id, .graph = g };
	int rc = graph_initial_params(g, &spec.params);

	if (rc)
		return error_set(err, rc, "no memory for the weights of model %s", model);
	rc = params_check_finite(spec.params, err);
	if (!rc)
		rc = snapshot_new(&spec, out, err);
	if (rc)
		params_free(spec.params);
	return rc;
}

/* The file into private memory, held against its digest; not yet warm. */
static int load_weights(const char *data_folder, const char *model, const char *id, const struct graph_options *options,
			struct snapshot **out, struct exp_error *err)
{
	char *path = model_weights_path(data_folder, id);
	struct buf bytes = { 0 };
	struct graph *g;
	int rc = read_weights(path, id, &bytes, err);

	if (!rc)
		rc = graph_load_with(bytes.data, bytes.size, options, &g, err);
	buf_fini_secret(&bytes);
	mem_free(path);
	if (rc)
		return rc;
	rc = snapshot_of(g, model, id, out, err);
	graph_unref(g);
	return rc;
}

int model_open(const char *data_folder, const char *model, const char *sha256, const struct graph_options *options,
	       struct snapshot **out, struct exp_error *err)
{
	struct snapshot *s;
	int rc = load_weights(data_folder, model, sha256, options, &s, err);

	if (rc)
		return rc;
	rc = warm_up(s, NULL, err);
	if (rc)
		snapshot_free(s);
	else
		*out = s;
	return rc;
}

static int parse_options(const struct stored_model *m, struct arena *arena, struct graph_options *out,
			 struct exp_error *err)
{
	struct exp_error cause = { 0 };
	json_t *json = NULL;
	int rc;

	if (!m->options)
		return 0;
	rc = json_parse(m->options, strlen(m->options), &json, &cause);
	if (!rc)
		rc = graph_options_from_json(json, "", arena, out, &cause);
	json_decref(json);
	return rc ? error_set(err, rc == EXP_EMEMORY ? rc : EXP_ECORRUPT, "the stored options of model %s: %s", m->name,
			      cause.message)
		  : 0;
}

static int read_options(struct store *store, const char *model, struct arena *arena, struct graph_options *out,
			struct exp_error *err)
{
	struct stored_model m;
	struct db *db;
	int rc = reader_take(store, &db, err);

	if (rc)
		return rc;
	rc = models_get(db, model, &m, err);
	reader_give(store, db);
	if (rc)
		return rc;
	rc = parse_options(&m, arena, out, err);
	stored_model_fini(&m);
	return rc;
}

int model_open_version(const char *data_folder, struct store *store, const struct stored_version *version,
		       struct snapshot **out, struct exp_error *err)
{
	struct graph_options options = { 0 };
	struct arena arena = { 0 };
	char sha256[DIGEST_HEX];
	int rc = read_options(store, version->model, &arena, &options, err);

	if (!rc)
		rc = model_open(data_folder, version->model, hex_encode(version->sha256, DIGEST_SIZE, sha256), &options,
				out, err);
	arena_fini(&arena);
	return rc;
}

/* expected NULL: whatever the file holds. */
static int check_snapshot(const struct snapshot *s, const struct params *expected, const struct source *warm,
			  struct exp_error *err)
{
	if (expected && (s->params->count != expected->count ||
			 memcmp(s->params->values, expected->values, expected->count * sizeof(*expected->values))))
		return error_set(err, EXP_ECORRUPT,
				 "model %s: the weights that were read back are not those that were written", s->model);
	return warm_up(s, warm, err);
}

/* What staging by bytes needs, from either kind of caller. */
struct bytes_spec {
	const char *data_folder, *model;
	const void *bytes;
	size_t size;
	const struct graph_options *options;
	const struct params *expected;
	const struct source *warm;
};

static int open_and_check(const struct bytes_spec *spec, const struct weights_id *id, struct snapshot **out,
			  struct exp_error *err)
{
	struct snapshot *s;
	int rc = load_weights(spec->data_folder, spec->model, id->sha256, spec->options, &s, err);

	if (rc)
		return rc;
	rc = check_snapshot(s, spec->expected, spec->warm, err);
	if (rc)
		snapshot_free(s);
	else
		*out = s;
	return rc;
}

static bool is_there(const char *data_folder, const void *bytes, size_t size)
{
	uint8_t digest[DIGEST_SIZE];
	char text[DIGEST_HEX], *path;
	bool there;

	sha256(bytes, size, digest);
	path = model_weights_path(data_folder, hex_encode(digest, sizeof(digest), text));
	there = file_exists(path);
	mem_free(path);
	return there;
}

static int stage_bytes(const struct bytes_spec *spec, struct staged *out, struct exp_error *err)
{
	bool there_before = is_there(spec->data_folder, spec->bytes, spec->size), destroyed;
	struct staged made = { .bytes = spec->size };
	int rc = model_weights_write(spec->data_folder, spec->bytes, spec->size, &made.id, err);

	if (rc)
		return rc;
	rc = open_and_check(spec, &made.id, &made.snapshot, err);
	if (!rc)
		*out = made;
	else if (!there_before && model_weights_destroy(spec->data_folder, &made.id, NULL, &destroyed, NULL))
		log_warn("weights_leftover", "model=%s sha256=%s", spec->model, made.id.sha256);
	return rc;
}

int model_stage(const struct stage_spec *spec, struct staged *out, struct exp_error *err)
{
	struct buf bytes = { 0 };
	int rc = params_check_finite(spec->params, err);

	if (!rc)
		rc = graph_save(spec->params->graph, spec->params, &bytes, err);
	if (!rc) {
		struct bytes_spec whole = { .data_folder = spec->data_folder,
					    .model = spec->model,
					    .bytes = bytes.data,
					    .size = bytes.size,
					    .options = graph_options(spec->params->graph),
					    .expected = spec->params,
					    .warm = spec->warm };

		rc = stage_bytes(&whole, out, err);
	}
	buf_fini_secret(&bytes);
	return rc;
}

int model_stage_file(const char *data_folder, const char *model, const void *bytes, size_t size, struct staged *out,
		     struct exp_error *err)
{
	struct bytes_spec whole = { .data_folder = data_folder, .model = model, .bytes = bytes, .size = size };
	struct graph *g;
	int rc = graph_load(bytes, size, &g, err);

	if (rc)
		return rc;
	graph_unref(g);
	return stage_bytes(&whole, out, err);
}
