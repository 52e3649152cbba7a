#include "engine/graph.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "engine/graph_internal.h"
#include "engine/params.h"

/* protobuf's own bound: lengths are 32-bit. */
#define MAX_FILE ((size_t)1 << 31)

struct load_spec {
	const void *bytes;
	size_t size;
	const struct graph_options *options; /* NULL: none */
	bool whole;
	const struct graph_binding *bound;
	size_t bound_count;
};

static void graph_free(struct graph *g)
{
	arena_fini(&g->arena);
	wire_fini(&g->wire);
	mem_free_secret(g->bytes, g->size);
	mem_free(g);
}

static int copy_bytes(struct graph *g, const void *bytes, size_t size, struct exp_error *err)
{
	if (size == 0)
		return error_set(err, EXP_EPARSE, "the ONNX file is empty");
	if (size >= MAX_FILE)
		return error_set(err, EXP_ELIMIT, "the ONNX file is larger than %zu bytes", MAX_FILE);
	g->bytes = mem_try_alloc(size, 1);
	if (!g->bytes)
		return error_set(err, EXP_EMEMORY, "not enough memory to load the model");
	memcpy(g->bytes, bytes, size);
	g->size = size;
	return 0;
}

static int fill(struct graph *g, const struct load_spec *spec, struct exp_error *err)
{
	int rc = copy_bytes(g, spec->bytes, spec->size, err);

	if (rc == 0 && spec->options && graph_options_copy(spec->options, &g->arena, &g->options))
		rc = error_set(err, EXP_EMEMORY, "not enough memory to load the model");
	if (rc == 0)
		rc = onnx_load(g, spec->bound, spec->bound_count, err);
	return rc ? rc : graph_build(g, err);
}

static int load(const struct load_spec *spec, struct graph **out, struct exp_error *err)
{
	struct graph *g = mem_try_alloc(1, sizeof(*g));
	int rc;

	if (!g)
		return error_set(err, EXP_EMEMORY, "not enough memory to load the model");
	atomic_init(&g->refs, 1);
	g->whole = spec->whole;
	rc = fill(g, spec, err);
	if (rc) {
		graph_free(g);
		return rc;
	}
	*out = g;
	return 0;
}

int graph_load(const void *bytes, size_t size, struct graph **out, struct exp_error *err)
{
	return graph_load_with(bytes, size, NULL, out, err);
}

int graph_load_with(const void *bytes, size_t size, const struct graph_options *options, struct graph **out,
		    struct exp_error *err)
{
	return load(&(struct load_spec){ .bytes = bytes, .size = size, .options = options }, out, err);
}

int graph_load_whole(const void *bytes, size_t size, const struct graph_binding *bound, size_t bound_count,
		     struct graph **out, struct exp_error *err)
{
	const struct load_spec spec = {
		.bytes = bytes, .size = size, .whole = true, .bound = bound, .bound_count = bound_count
	};

	return load(&spec, out, err);
}

int graph_load_file(const char *path, size_t limit, struct graph **out, struct exp_error *err)
{
	return graph_load_file_with(path, limit, NULL, out, err);
}

int graph_load_file_with(const char *path, size_t limit, const struct graph_options *options, struct graph **out,
			 struct exp_error *err)
{
	struct buf b = { 0 };
	int rc = file_read(path, limit, &b, err);

	if (rc == 0) {
		rc = graph_load_with(b.data, b.size, options, out, err);
		if (rc)
			error_wrap(err, rc, "%s", path);
	}
	buf_fini(&b);
	return rc;
}

const struct graph_options *graph_options(const struct graph *g)
{
	return &g->options;
}

struct graph *graph_ref(struct graph *g)
{
	atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
	return g;
}

void graph_unref(struct graph *g)
{
	if (g && atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) == 1)
		graph_free(g);
}

void graph_read_floats(const struct graph *g, const struct graph_value *v, float *out)
{
	for (size_t i = 0; i < v->spans; i++) {
		const struct wire_span *span = &g->wire.spans[v->first_span + i];

		memcpy(out, g->bytes + span->offset, span->floats * sizeof(*out));
		out += span->floats;
	}
}

int graph_initial_params(const struct graph *g, struct params **out)
{
	struct params *p;
	/* A block references its graph, whose count is all that changes. */
	int rc = params_new((struct graph *)(uintptr_t)g, &p);

	if (rc)
		return rc;
	for (size_t i = 0; i < g->parameter_count; i++)
		graph_read_floats(g, &g->values[g->parameter_values[i]], p->values + g->parameters[i].offset);
	*out = p;
	return 0;
}

size_t graph_parameter_count(const struct graph *g)
{
	return g->parameter_count;
}

const struct graph_parameter *graph_parameter(const struct graph *g, size_t i)
{
	return i < g->parameter_count ? &g->parameters[i] : NULL;
}

size_t graph_parameter_floats(const struct graph *g)
{
	return g->parameter_floats;
}

size_t graph_trainable_floats(const struct graph *g)
{
	return g->trainable_floats;
}

const char *graph_input_name(const struct graph *g)
{
	return g->values[g->inputs[0]].name;
}

const size_t *graph_input_dims(const struct graph *g, size_t *rank)
{
	*rank = g->row_rank;
	return g->row_dims;
}

size_t graph_input_floats(const struct graph *g)
{
	return g->row_floats;
}

size_t graph_input_count(const struct graph *g)
{
	return g->input_count;
}

const char *graph_output_name(const struct graph *g)
{
	return g->values[g->output].name;
}

size_t graph_classes(const struct graph *g)
{
	return g->classes;
}

size_t graph_positions(const struct graph *g)
{
	return g->positions;
}

size_t graph_output_floats(const struct graph *g)
{
	return g->positions * g->classes;
}

const char *graph_statistics_node(const struct graph *g)
{
	for (size_t i = 0; i < g->node_count; i++)
		if (g->nodes[i].live && g->nodes[i].op && g->nodes[i].op->statistics)
			return g->nodes[i].name ? g->nodes[i].name : "";
	return NULL;
}

enum graph_output graph_output_kind(const struct graph *g)
{
	return g->output_kind;
}

int graph_save(const struct graph *g, const struct params *params, struct buf *out, struct exp_error *err)
{
	size_t start = out->size;

	if (params->graph != g)
		return error_set(err, EXP_EINVAL, "the parameters belong to another graph");
	buf_add(out, g->bytes, g->size);
	for (size_t i = 0; i < g->parameter_count; i++) {
		const struct graph_value *v = &g->values[g->parameter_values[i]];
		const float *from = params->values + g->parameters[i].offset;

		for (size_t k = 0; k < v->spans; k++) {
			const struct wire_span *span = &g->wire.spans[v->first_span + k];

			memcpy(out->data + start + span->offset, from, span->floats * sizeof(*from));
			from += span->floats;
		}
	}
	return 0;
}
