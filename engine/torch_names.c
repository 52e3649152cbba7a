#include "engine/torch_names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/onnx_text.h"

enum { ROOM = 2 * ONNX_MAX_TEXT };

/* A value's use: node, and as which of its inputs. */
struct use {
	const char *value;
	size_t node, slot;
};

struct finder {
	struct onnx_inventory *v;
	const uint8_t *bytes;
	struct use *uses; /* sorted by value, then in the file's order */
	size_t use_count;
	struct exp_error *err;
};

const char *torch_form_text(enum torch_form form)
{
	static const char *const texts[] = {
		[TORCH_KEPT] = "",
		[TORCH_TRANSPOSED] = " (transposed)",
		[TORCH_RESHAPED] = " (reshaped)",
		[TORCH_FOLDED] = " (batch norm folded in)",
		[TORCH_GATES] = " (directions stacked, gates in ONNX's order)",
	};

	return texts[form];
}

/* ---- uses ---- */

static int compare_uses(const void *a, const void *b)
{
	const struct use *x = a, *y = b;
	int order = strcmp(x->value, y->value);

	if (order)
		return order;
	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static int sort_uses(struct finder *f)
{
	const struct onnx_inventory *v = f->v;
	size_t count = 0;

	for (size_t i = 0; i < v->node_count; i++)
		count += v->nodes[i].input_count;
	f->uses = arena_try_alloc(&f->v->arena, count, sizeof(*f->uses));
	if (!f->uses)
		return error_set(f->err, EXP_EMEMORY, "not enough memory to read the model");
	for (size_t i = 0; i < v->node_count; i++)
		for (size_t k = 0; k < v->nodes[i].input_count; k++)
			f->uses[f->use_count++] = (struct use){ v->nodes[i].inputs[k], i, k };
	if (count)
		qsort(f->uses, count, sizeof(*f->uses), compare_uses);
	return 0;
}

/* The first use of value at or after *at, which moves behind it; NULL: no more. Start with *at = 0. */
static const struct use *next_use(const struct finder *f, const char *value, size_t *at)
{
	if (*at == 0) {
		size_t low = 0, high = f->use_count;

		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if (strcmp(f->uses[middle].value, value) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		*at = low;
	}
	if (*at >= f->use_count || strcmp(f->uses[*at].value, value) != 0)
		return NULL;
	return &f->uses[(*at)++];
}

static const struct onnx_node *node_of(const struct finder *f, const struct use *u)
{
	return &f->v->nodes[u->node];
}

/* ---- names ---- */

/* "onnx::MatMul_123", and "123" as exporters before PyTorch 1.12 wrote. */
static bool is_made_up(const char *name)
{
	return strncmp(name, "onnx::", 6) == 0 || name[strspn(name, "0123456789")] == '\0';
}

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text), tail = strlen(end);

	return size >= tail && strcmp(text + size - tail, end) == 0;
}

/* "layers.0.net.1" of "/layers.0/net/net.1/MatMul": a part that repeats the one before it and goes on takes its place.
 * Empty when the node stands in no module. */
static void read_scope(const char *node, char scope[ROOM])
{
	size_t used = 0, last = 0; /* last: where the last part begins */
	const char *part = node;

	scope[0] = '\0';
	while (*part == '/' && strchr(part + 1, '/')) {
		size_t size = strcspn(part + 1, "/"), before = used - last;
		bool repeats = before > 0 && size > before && part[1 + before] == '.' &&
			       memcmp(scope + last, part + 1, before) == 0;

		if (repeats)
			used = last;
		else if (used)
			scope[used++] = '.';
		last = used;
		memcpy(scope + used, part + 1, size);
		used += size;
		scope[used] = '\0';
		part += 1 + size;
	}
}

static int set_name(struct finder *f, struct torch_name *to, const char *module, const char *weight)
{
	char text[4 * ROOM];

	snprintf(text, sizeof(text), "%s%s%s", module, *module ? "." : "", weight);
	to->name = arena_try_strdup(&f->v->arena, text);
	return to->name ? 0 : error_set(f->err, EXP_EMEMORY, "not enough memory to read the model");
}

/* The bias that is added to the node's output: an initializer that kept its name, or an Identity of one. NULL: there
 * is none. */
static const char *find_bias(const struct finder *f, const struct onnx_node *n)
{
	size_t at = 0;
	const struct use *u;

	while (n->output_count && (u = next_use(f, n->outputs[0], &at))) {
		const struct onnx_node *add = node_of(f, u);
		const char *other;

		if (strcmp(add->op_type, "Add") != 0 || add->input_count != 2)
			continue;
		other = add->inputs[1 - u->slot];
		if (!is_made_up(other) && ends_with(other, "bias"))
			return other;
	}
	return NULL;
}

static bool scope_attends(const struct finder *f, const struct onnx_node *n)
{
	size_t size = strlen(n->name) - strlen(strrchr(n->name, '/'));

	for (size_t i = 0; i < f->v->node_count; i++) {
		const struct onnx_node *other = &f->v->nodes[i];

		if (strcmp(other->op_type, "Softmax") == 0 && strncmp(other->name, n->name, size + 1) == 0)
			return true;
	}
	return false;
}

/* A matrix that is multiplied from the right: a Linear's weight, transposed. */
static int name_matrix(struct finder *f, const struct onnx_node *n, const struct onnx_constant *c,
		       struct torch_name *to)
{
	const char *bias = find_bias(f, n), *weight = "weight";
	char scope[ROOM];

	to->form = TORCH_TRANSPOSED;
	if (bias) {
		/* "a.bias" → "a.weight", "a.in_proj_bias" → "a.in_proj_weight" */
		snprintf(scope, sizeof(scope), "%.*sweight", (int)(strlen(bias) - strlen("bias")), bias);
		return set_name(f, to, "", scope);
	}
	read_scope(n->name, scope);
	if (!*scope)
		return 0;
	/* MultiheadAttention multiplies by its own weights. */
	if (c->shape.rank == 2 && scope_attends(f, n))
		weight = c->shape.dims[1] == 3 * c->shape.dims[0] ? "in_proj_weight" : "out_proj.weight";
	to->guess = true;
	return set_name(f, to, scope, weight);
}

/* The number of a recurrent layer: of nodes of its kind in its scope, those that come before. */
static size_t layer_of(const struct finder *f, const struct onnx_node *n)
{
	size_t layer = 0;
	char own[ROOM], other[ROOM];

	read_scope(n->name, own);
	for (const struct onnx_node *m = f->v->nodes; m < n; m++) {
		if (strcmp(m->op_type, n->op_type) != 0)
			continue;
		read_scope(m->name, other);
		layer += strcmp(own, other) == 0;
	}
	return layer;
}

static int name_recurrent(struct finder *f, const struct use *u, struct torch_name *to)
{
	static const char *const weights[] = { NULL, "weight_ih", "weight_hh", "bias" };
	const struct onnx_node *n = node_of(f, u);
	char scope[ROOM], weight[2 * ROOM];
	size_t layer = layer_of(f, n);

	read_scope(n->name, scope);
	if (!*scope || u->slot < 1 || u->slot > 3)
		return 0;
	if (u->slot == 3)
		snprintf(weight, sizeof(weight), "bias_ih_l%zu and %s.bias_hh_l%zu", layer, scope, layer);
	else
		snprintf(weight, sizeof(weight), "%s_l%zu", weights[u->slot], layer);
	to->form = TORCH_GATES;
	to->guess = true;
	return set_name(f, to, scope, weight);
}

/* What the operators' inputs are called in PyTorch, and what the exporter does to them. */
static const struct usage {
	const char *op_type;
	size_t slot;
	const char *weight;
	enum torch_form form;
} usages[] = {
	{ "Conv", 1, "weight", TORCH_FOLDED },
	{ "Conv", 2, "bias", TORCH_FOLDED },
	{ "ConvTranspose", 1, "weight", TORCH_FOLDED },
	{ "ConvTranspose", 2, "bias", TORCH_FOLDED },
	{ "Gemm", 1, "weight", TORCH_KEPT },
	{ "Gemm", 2, "bias", TORCH_KEPT },
	{ "Gather", 0, "weight", TORCH_KEPT },
	{ "PRelu", 1, "weight", TORCH_RESHAPED },
	{ "Mul", 1, "weight", TORCH_RESHAPED },
	{ "Add", 1, "bias", TORCH_RESHAPED },
	{ "BatchNormalization", 1, "weight", TORCH_KEPT },
	{ "BatchNormalization", 2, "bias", TORCH_KEPT },
	{ "BatchNormalization", 3, "running_mean", TORCH_KEPT },
	{ "BatchNormalization", 4, "running_var", TORCH_KEPT },
	{ "LayerNormalization", 1, "weight", TORCH_KEPT },
	{ "LayerNormalization", 2, "bias", TORCH_KEPT },
};

static int name_by_scope(struct finder *f, const struct use *u, struct torch_name *to)
{
	const struct onnx_node *n = node_of(f, u);
	char scope[ROOM];

	read_scope(n->name, scope);
	for (size_t i = 0; *scope && i < sizeof(usages) / sizeof(usages[0]); i++) {
		if (strcmp(usages[i].op_type, n->op_type) != 0 || usages[i].slot != u->slot)
			continue;
		to->form = usages[i].form;
		to->guess = true;
		return set_name(f, to, scope, usages[i].weight);
	}
	return 0;
}

/* value: the initializer's name, or that of an Identity's output that stands for it. */
static int name_value(struct finder *f, const struct onnx_constant *c, const char *value, struct torch_name *to)
{
	const struct onnx_node *n;
	const struct use *u;
	size_t at = 0;

	if (!is_made_up(value)) {
		to->name = value;
		return 0;
	}
	while ((u = next_use(f, value, &at)) && strcmp(node_of(f, u)->op_type, "Identity") == 0)
		;
	if (!u)
		return 0;
	n = node_of(f, u);
	if (strcmp(n->op_type, "MatMul") == 0 && u->slot == 1)
		return name_matrix(f, n, c, to);
	if (strcmp(n->op_type, "LSTM") == 0 || strcmp(n->op_type, "GRU") == 0 || strcmp(n->op_type, "RNN") == 0)
		return name_recurrent(f, u, to);
	return name_by_scope(f, u, to);
}

/* ---- copies ---- */

static bool is_transposed(const struct finder *f, const struct onnx_constant *a, const struct onnx_constant *b)
{
	size_t rows = a->shape.dims[0], columns = a->shape.dims[1];
	const uint8_t *x, *y;

	if (b->shape.rank != 2 || b->offset == ONNX_NOWHERE || b->shape.dims[0] != columns || b->shape.dims[1] != rows)
		return false;
	x = f->bytes + a->offset;
	y = f->bytes + b->offset;
	for (size_t i = 0; i < rows; i++)
		for (size_t k = 0; k < columns; k++)
			if (memcmp(x + (i * columns + k) * sizeof(float), y + (k * rows + i) * sizeof(float),
				   sizeof(float)) != 0)
				return false;
	return true;
}

static const char *find_original(const struct finder *f, const struct onnx_constant *c)
{
	if (!is_made_up(c->name) || c->shape.rank != 2 || c->offset == ONNX_NOWHERE)
		return NULL;
	for (size_t i = 0; i < f->v->initializer_count; i++) {
		const struct onnx_constant *other = &f->v->initializers[i];

		if (!is_made_up(other->name) && is_transposed(f, c, other))
			return other->name;
	}
	return NULL;
}

/* ---- all ---- */

/* One that says what an earlier one says is left out: a module that is called twice. */
static void drop_repeated(struct torch_weight *w)
{
	const char *last = w->names[w->count - 1].name;

	for (size_t i = 0; last && i + 1 < w->count; i++) {
		if (w->names[i].name && strcmp(w->names[i].name, last) == 0) {
			w->count--;
			return;
		}
	}
}

static int name_weight(struct finder *f, const struct onnx_constant *c, struct torch_weight *to)
{
	const struct use *u;
	size_t room = 1, at = 0;
	int rc;

	while ((u = next_use(f, c->name, &at)))
		room++;
	to->names = arena_try_alloc(&f->v->arena, room, sizeof(*to->names));
	if (!to->names)
		return error_set(f->err, EXP_EMEMORY, "not enough memory to read the model");
	to->count = 1;
	rc = name_value(f, c, c->name, &to->names[0]);
	for (at = 0; !rc && (u = next_use(f, c->name, &at));) {
		const struct onnx_node *n = node_of(f, u);

		if (strcmp(n->op_type, "Identity") != 0 || !n->output_count)
			continue;
		rc = name_value(f, c, n->outputs[0], &to->names[to->count++]);
		if (!rc)
			drop_repeated(to);
	}
	to->copy_of = rc ? NULL : find_original(f, c);
	return rc;
}

int torch_names_find(struct onnx_inventory *v, const void *bytes, struct torch_weight **out, struct exp_error *err)
{
	struct finder f = { .v = v, .bytes = bytes, .err = err };
	struct torch_weight *weights = arena_try_alloc(&v->arena, v->initializer_count, sizeof(*weights));
	int rc = weights ? sort_uses(&f) : error_set(err, EXP_EMEMORY, "not enough memory to read the model");

	for (size_t i = 0; !rc && i < v->initializer_count; i++)
		rc = name_weight(&f, &v->initializers[i], &weights[i]);
	if (!rc)
		*out = weights;
	return rc;
}
