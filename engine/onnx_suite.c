#include "engine/onnx_suite.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/onnx_inventory.h"
#include "engine/onnx_tensor.h"
#include "engine/onnx_text.h"
#include "engine/params.h"
#include "engine/runner.h"

enum { MAX_DEPTH = 16, PART = 64 };

#define MAX_MODEL  ((size_t)1 << 31)
#define MAX_TENSOR ((size_t)1 << 30)

/* As onnx.backend.test.runner has them. */
static const double relative = 1e-3, absolute = 1e-7;

static const char model_name[] = "model.onnx";

static int no_memory(struct exp_error *err)
{
	return error_set(err, EXP_EMEMORY, "not enough memory for the test cases");
}

const char *onnx_verdict_name(enum onnx_verdict verdict)
{
	static const char *const names[] = {
		[ONNX_PASSED] = "passed",
		[ONNX_FAILED] = "failed",
		[ONNX_UNSUPPORTED] = "unsupported",
	};

	return names[verdict];
}

void onnx_suite_fini(struct onnx_suite *s)
{
	arena_fini(&s->arena);
	mem_free(s->cases);
	memset(s, 0, sizeof(*s));
}

/* ---- finding ---- */

struct finder {
	struct onnx_suite *suite;
	size_t root; /* bytes of a path in front of what names the case */
	const char *glob;
	size_t seen;
	struct exp_error *err;
};

static bool has_file(const char *folder, const char *name)
{
	char *path = file_join(folder, name);
	bool found = file_exists(path);

	mem_free(path);
	return found;
}

static int add_case(struct finder *f, const char *folder)
{
	struct onnx_suite *s = f->suite;
	const char *name = folder + f->root;
	struct onnx_case *cases;
	char *copy;

	f->seen++;
	if (f->glob && fnmatch(f->glob, name, 0) != 0)
		return 0;
	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 256;

		cases = mem_try_realloc(s->cases, room, sizeof(*cases));
		if (!cases)
			return no_memory(f->err);
		s->cases = cases;
		s->room = room;
	}
	copy = arena_try_strdup(&s->arena, folder);
	if (!copy)
		return no_memory(f->err);
	s->cases[s->count++] = (struct onnx_case){ .folder = copy, .name = copy + f->root };
	return 0;
}

static int find_in(struct finder *f, const char *folder, int depth);

/* Links are followed, as test data are often linked together; depth bounds their cycles. */
static int find_entry(struct finder *f, const char *folder, const char *name, int depth)
{
	char *path = file_join(folder, name);
	struct stat st;
	int rc = 0;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		rc = find_in(f, path, depth);
	mem_free(path);
	return rc;
}

static int find_in(struct finder *f, const char *folder, int depth)
{
	struct dirent *entry;
	DIR *dir;
	int rc = 0;

	if (has_file(folder, model_name))
		return add_case(f, folder);
	if (depth == MAX_DEPTH)
		return 0;
	dir = opendir(folder);
	if (!dir)
		return error_set_errno(f->err, "open", folder);
	while (!rc && (errno = 0, entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			rc = find_entry(f, folder, entry->d_name, depth + 1);
	if (!rc && errno)
		rc = error_set_errno(f->err, "read", folder);
	closedir(dir);
	return rc;
}

static int compare_cases(const void *a, const void *b)
{
	return strcmp(((const struct onnx_case *)a)->name, ((const struct onnx_case *)b)->name);
}

int onnx_suite_find(struct onnx_suite *s, const char *folder, const char *glob, struct exp_error *err)
{
	char *path = mem_strdup(folder);
	struct finder f = { .suite = s, .glob = glob, .err = err };
	size_t size = strlen(path);
	int rc;

	while (size > 1 && path[size - 1] == '/')
		path[--size] = '\0';
	f.root = size + (path[size - 1] != '/');
	if (has_file(path, model_name))
		f.root = strrchr(path, '/') ? (size_t)(strrchr(path, '/') - path) + 1 : 0;
	rc = find_in(&f, path, 0);
	if (!rc && !f.seen)
		rc = error_set(err, EXP_ENOTFOUND,
			       "%s holds no test case: a case is a folder with %s and test_data_set_0", folder,
			       model_name);
	if (!rc && s->count)
		qsort(s->cases, s->count, sizeof(*s->cases), compare_cases);
	mem_free(path);
	return rc;
}

/* ---- running ---- */

/* One data set of one case, while it runs. */
struct trial {
	struct arena arena;
	const struct onnx_inventory *inventory;
	const struct buf *model;
	const char *folder; /* of the data set */
	size_t set;
	struct tensor *feeds; /* [inventory->input_count] */
	struct graph *graph;
	struct params *params;
	struct plan plan;
	bool planned;
	double deviation;
	struct exp_error *why;
};

static int short_of_memory(struct trial *t)
{
	return error_set(t->why, EXP_EMEMORY, "not enough memory to run the case");
}

static char *part_path(const char *folder, const char *kind, size_t i)
{
	char part[PART];

	snprintf(part, sizeof(part), "%s_%zu.pb", kind, i);
	return file_join(folder, part);
}

static int read_part(struct trial *t, const char *kind, size_t i, struct tensor *out)
{
	char *path = part_path(t->folder, kind, i);
	int rc = onnx_tensor_read(path, MAX_TENSOR, &t->arena, out, t->why);

	mem_free(path);
	return rc;
}

static int read_feeds(struct trial *t)
{
	size_t count = t->inventory->input_count;
	int rc = 0;

	t->feeds = arena_try_alloc(&t->arena, count, sizeof(*t->feeds));
	if (!t->feeds)
		return short_of_memory(t);
	for (size_t i = 0; !rc && i < count; i++)
		rc = read_part(t, "input", i, &t->feeds[i]);
	return rc;
}

/* ---- loading: what decides a shape must be known when the plan is made ---- */

enum binding { BIND_NOTHING, BIND_INTEGERS, BIND_ALL };

static int load(struct trial *t, enum binding binding)
{
	const struct onnx_inventory *v = t->inventory;
	struct graph_binding *bound = arena_try_alloc(&t->arena, v->input_count, sizeof(*bound));
	size_t count = 0;
	int rc;

	if (!bound)
		return short_of_memory(t);
	for (size_t i = 0; i < v->input_count; i++)
		if (binding == BIND_ALL || (binding == BIND_INTEGERS && t->feeds[i].type == TENSOR_I64))
			bound[count++] = (struct graph_binding){ v->inputs[i].name, t->feeds[i] };
	rc = graph_load_whole(t->model->data, t->model->size, bound, count, &t->graph, t->why);
	if (!rc)
		rc = plan_init(&t->plan, t->graph, &(struct plan_options){ .kind = PLAN_FORWARD }, t->why);
	t->planned = !rc;
	if (!rc)
		rc = graph_initial_params(t->graph, &t->params);
	return rc == EXP_EMEMORY ? short_of_memory(t) : rc;
}

static void unload(struct trial *t)
{
	if (t->planned)
		plan_fini(&t->plan);
	t->planned = false;
	params_free(t->params);
	graph_unref(t->graph);
	t->params = NULL;
	t->graph = NULL;
}

/* As much as possible is left to the run itself. Binding an input also tells its shape, where the file leaves it open.
 */
static int load_with_least_known(struct trial *t)
{
	int rc = EXP_EUNSUPPORTED;

	for (int binding = BIND_NOTHING; (rc == EXP_EUNSUPPORTED || rc == EXP_ESHAPE) && binding <= BIND_ALL;
	     binding++) {
		unload(t);
		*t->why = (struct exp_error){ 0 };
		rc = load(t, (enum binding)binding);
	}
	return rc;
}

/* ---- comparing ---- */

static char *format_place(const struct shape *s, size_t at, char text[SHAPE_TEXT])
{
	struct shape place = { .rank = s->rank };

	for (size_t i = s->rank; i-- > 0; at /= s->dims[i])
		place.dims[i] = at % s->dims[i];
	return shape_format(&place, text);
}

static int wrong(struct trial *t, size_t output, const char *what)
{
	const struct graph *g = t->graph;

	return error_set(t->why, EXP_EVERIFY, "data set %zu, output %zu \"%.64s\": %s", t->set, output,
			 g->values[g->outputs[output]].name, what);
}

static int compare_kind(struct trial *t, size_t output, const struct tensor *expected, const struct op_value *found)
{
	char want[SHAPE_TEXT], got[SHAPE_TEXT], text[2 * SHAPE_TEXT + PART];
	int found_type = found->onnx_type ? found->onnx_type : tensor_onnx_type(found->type);

	if (expected->type != found->type ||
	    (found->type == TENSOR_I64 && found->onnx_type && found->onnx_type != expected->onnx_type)) {
		snprintf(text, sizeof(text), "its type is %s, expected %s", onnx_type_name(found_type),
			 onnx_type_name(expected->onnx_type));
		return wrong(t, output, text);
	}
	if (!shape_equal(&expected->shape, &found->shape)) {
		snprintf(text, sizeof(text), "its shape is %s, expected %s", shape_format(&found->shape, got),
			 shape_format(&expected->shape, want));
		return wrong(t, output, text);
	}
	return 0;
}

static int compare_output(struct trial *t, const struct runner *r, size_t output)
{
	size_t value = t->graph->outputs[output];
	const struct op_value *found = &t->plan.inf.values[value];
	char place[SHAPE_TEXT], text[2 * SHAPE_TEXT];
	struct onnx_deviation d;
	struct tensor expected;
	int rc = read_part(t, "output", output, &expected);

	if (!rc)
		rc = compare_kind(t, output, &expected, found);
	if (rc)
		return rc;
	onnx_tensor_compare(&expected, runner_data(r, value), relative, absolute, &d);
	if (!d.outside)
		return 0;
	t->deviation = fabs(d.found - d.expected);
	snprintf(text, sizeof(text), "%zu of %zu elements differ, most at %s: %.9g, expected %.9g", d.outside,
		 shape_count(&expected.shape), format_place(&expected.shape, d.at, place), d.found, d.expected);
	return wrong(t, output, text);
}

static int compare_all(struct trial *t, const struct runner *r)
{
	char *beyond = part_path(t->folder, "output", t->graph->output_count);
	int rc = 0;

	if (file_exists(beyond))
		rc = error_set(t->why, EXP_EINVAL, "data set %zu has more outputs than the graph", t->set);
	mem_free(beyond);
	for (size_t i = 0; !rc && i < t->graph->output_count; i++)
		rc = compare_output(t, r, i);
	return rc;
}

/* ---- running ---- */

static int find_feeds(struct trial *t, const void ***out)
{
	static const char nothing[1]; /* stands for a tensor without elements */
	const struct graph *g = t->graph;
	const void **feeds = arena_try_alloc(&t->arena, g->input_count, sizeof(*feeds));

	if (!feeds)
		return short_of_memory(t);
	for (size_t i = 0; i < g->input_count; i++) {
		const char *name = g->values[g->inputs[i]].name;

		for (size_t k = 0; k < t->inventory->input_count; k++)
			if (strcmp(t->inventory->inputs[k].name, name) == 0)
				feeds[i] = t->feeds[k].data ? t->feeds[k].data : nothing;
		exp_require(feeds[i]);
	}
	*out = feeds;
	return 0;
}

static int check_feeds(struct trial *t)
{
	const struct graph *g = t->graph;

	for (size_t i = 0; i < g->input_count; i++) {
		const struct graph_value *v = &g->values[g->inputs[i]];

		for (size_t k = 0; k < t->inventory->input_count; k++)
			if (strcmp(t->inventory->inputs[k].name, v->name) == 0 &&
			    (v->type != t->feeds[k].type || !shape_equal(&v->shape, &t->feeds[k].shape)))
				return error_set(
				    t->why, EXP_EINVAL,
				    "data set %zu, input %zu: not of the type and shape that the model says", t->set,
				    k);
	}
	return 0;
}

static int run_loaded(struct trial *t)
{
	struct runner_memory memory = { 0 };
	struct runner r = {
		.plan = &t->plan, .graph = t->graph, .memory = &memory, .params = t->params->values, .with_end = true
	};
	const void **feeds = NULL;
	int rc = check_feeds(t);

	if (!rc)
		rc = find_feeds(t, &feeds);
	if (rc)
		return rc;
	r.feeds = feeds;
	rc = runner_memory_fit(&memory, &t->plan) ? short_of_memory(t) : 0;
	if (!rc) {
		runner_forward(&r);
		rc = compare_all(t, &r);
	}
	runner_memory_fini(&memory);
	return rc;
}

static int run_set(struct trial *t)
{
	int rc = read_feeds(t);

	if (!rc)
		rc = load_with_least_known(t);
	if (!rc)
		rc = run_loaded(t);
	unload(t);
	arena_fini(&t->arena);
	return rc;
}

static int run_sets(struct onnx_case *c, const struct onnx_inventory *inventory, const struct buf *model)
{
	int rc = 0;

	for (size_t set = 0; !rc; set++) {
		struct trial t = { .inventory = inventory, .model = model, .set = set, .why = &c->why };
		char part[PART];
		char *folder;

		snprintf(part, sizeof(part), "test_data_set_%zu", set);
		folder = file_join(c->folder, part);
		t.folder = folder;
		if (!file_exists(folder)) {
			mem_free(folder);
			return set ? 0 : error_set(&c->why, EXP_ENOTFOUND, "there is no test_data_set_0");
		}
		rc = run_set(&t);
		c->deviation = t.deviation;
		mem_free(folder);
	}
	return rc;
}

static int name_unknown_operators(struct onnx_suite *s, struct onnx_case *c, struct onnx_inventory *inventory)
{
	struct onnx_tally *tallies;
	size_t kinds;
	const char **names;
	int rc = onnx_inventory_tally(inventory, &tallies, &kinds, &c->why);

	if (rc)
		return rc;
	names = arena_try_alloc(&s->arena, kinds, sizeof(*names));
	if (!names)
		return EXP_EMEMORY;
	for (size_t i = 0; i < kinds; i++) {
		if (tallies[i].known)
			continue;
		names[c->operator_count] = arena_try_strdup(&s->arena, tallies[i].op_type);
		if (!names[c->operator_count++])
			return EXP_EMEMORY;
	}
	c->operators = names;
	if (!c->operator_count)
		return 0;
	return error_set(&c->why, EXP_EUNSUPPORTED, "the operator %s is not supported", names[0]);
}

static int check_types(struct onnx_case *c, const struct onnx_port *ports, size_t count)
{
	enum tensor_type type;

	for (size_t i = 0; i < count; i++)
		if (!tensor_type_of(ports[i].onnx_type, &type))
			return error_set(&c->why, EXP_EUNSUPPORTED, "elements of the type %s are not supported",
					 ports[i].type);
	return 0;
}

static int run_case(struct onnx_suite *s, struct onnx_case *c, const struct buf *model)
{
	struct onnx_inventory inventory;
	int rc = onnx_inventory_init(&inventory, model->data, model->size, &c->why);

	if (rc)
		return rc;
	rc = name_unknown_operators(s, c, &inventory);
	if (!rc)
		rc = check_types(c, inventory.inputs, inventory.input_count);
	if (!rc)
		rc = check_types(c, inventory.outputs, inventory.output_count);
	if (!rc)
		rc = run_sets(c, &inventory, model);
	onnx_inventory_fini(&inventory);
	return rc;
}

int onnx_suite_run(struct onnx_suite *s, struct onnx_case *c, struct exp_error *err)
{
	char *path = file_join(c->folder, model_name);
	struct buf model = { 0 };
	int rc = file_read(path, MAX_MODEL, &model, &c->why);

	mem_free(path);
	if (!rc)
		rc = run_case(s, c, &model);
	buf_fini(&model);
	c->verdict = rc == 0 ? ONNX_PASSED : rc == EXP_EUNSUPPORTED ? ONNX_UNSUPPORTED : ONNX_FAILED;
	return rc == EXP_EMEMORY ? error_set(err, rc, "%s: not enough memory", c->name) : 0;
}
