#include "engine/graph_options.h"

#include <stdio.h>
#include <string.h>

#include "engine/shape.h"

/* The lists as they stand in JSON. */
struct lists {
	json_t *sizes, *shapes, *frozen;
};

#define AT(member) .offset = offsetof(struct lists, member)

static const struct json_field fields[] = {
	{ "sizes", JSON_FIELD_OBJECT, false, AT(sizes) },
	{ "shapes", JSON_FIELD_OBJECT, false, AT(shapes) },
	{ "frozen", JSON_FIELD_ARRAY, false, AT(frozen) },
};

struct reader {
	const char *base;
	struct arena *arena;
	struct exp_error *err;
};

static int no_memory(const struct reader *r)
{
	return error_set(r->err, EXP_EMEMORY, "not enough memory to read how the model is to be loaded");
}

static int fault(const struct reader *r, const char *list, const char *what)
{
	char pointer[96];

	snprintf(pointer, sizeof(pointer), "%s/%s", r->base, list);
	return error_set_field(r->err, EXP_EFIELD, pointer, "%s %s", pointer, what);
}

static int check_count(const struct reader *r, const char *list, size_t count)
{
	return count > GRAPH_OPTIONS_MAX ? fault(r, list, "has more than 1024 entries") : 0;
}

static bool is_size(const json_t *value, size_t *out)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 1 || (uint64_t)number > SHAPE_MAX_COUNT)
		return false;
	*out = (size_t)number;
	return true;
}

static int read_sizes(const struct reader *r, json_t *object, struct graph_options *out)
{
	size_t count = json_object_size(object);
	struct graph_size *sizes = arena_try_alloc(r->arena, count, sizeof(*sizes));
	const char *symbol;
	json_t *value;

	if (!sizes)
		return no_memory(r);
	out->sizes = sizes;
	json_object_foreach(object, symbol, value) {
		struct graph_size *s = &sizes[out->size_count++];

		if (!is_size(value, &s->size))
			return fault(r, "sizes", "must give each symbol a whole number from 1");
		s->symbol = arena_try_strdup(r->arena, symbol);
		if (!s->symbol)
			return no_memory(r);
	}
	return check_count(r, "sizes", count);
}

static int read_shape(const struct reader *r, const json_t *array, struct graph_shape *s)
{
	bool fits = json_is_array(array) && json_array_size(array) < GRAPH_MAX_DIMS;

	s->rank = json_array_size(array);
	for (size_t i = 0; fits && i < s->rank; i++)
		fits = is_size(json_array_get(array, i), &s->dims[i]);
	return fits ? 0 : fault(r, "shapes", "must give each input a list of up to 7 whole numbers from 1");
}

static int read_shapes(const struct reader *r, json_t *object, struct graph_options *out)
{
	size_t count = json_object_size(object);
	struct graph_shape *shapes = arena_try_alloc(r->arena, count, sizeof(*shapes));
	const char *input;
	json_t *value;

	if (!shapes)
		return no_memory(r);
	out->shapes = shapes;
	json_object_foreach(object, input, value) {
		struct graph_shape *s = &shapes[out->shape_count++];
		int rc = read_shape(r, value, s);

		if (rc)
			return rc;
		s->input = arena_try_strdup(r->arena, input);
		if (!s->input)
			return no_memory(r);
	}
	return check_count(r, "shapes", count);
}

static int read_frozen(const struct reader *r, const json_t *array, struct graph_options *out)
{
	size_t count = json_array_size(array);
	const char **frozen = arena_try_alloc(r->arena, count, sizeof(*frozen));

	if (!frozen)
		return no_memory(r);
	out->frozen = frozen;
	for (size_t i = 0; i < count; i++) {
		const json_t *name = json_array_get(array, i);

		if (!json_is_string(name))
			return fault(r, "frozen", "must be a list of names");
		frozen[out->frozen_count] = arena_try_strdup(r->arena, json_string_value(name));
		if (!frozen[out->frozen_count++])
			return no_memory(r);
	}
	return check_count(r, "frozen", count);
}

int graph_options_from_json(const json_t *json, const char *base, struct arena *arena, struct graph_options *out,
			    struct exp_error *err)
{
	struct reader r = { base, arena, err };
	struct graph_options read = { 0 };
	struct lists lists = { 0 };
	int rc = json_fill(json, base, fields, sizeof(fields) / sizeof(fields[0]), &lists, err);

	if (!rc && lists.sizes)
		rc = read_sizes(&r, lists.sizes, &read);
	if (!rc && lists.shapes)
		rc = read_shapes(&r, lists.shapes, &read);
	if (!rc && lists.frozen)
		rc = read_frozen(&r, lists.frozen, &read);
	if (!rc)
		*out = read;
	return rc;
}

static json_t *shape_to_json(const struct graph_shape *s)
{
	json_t *array = json_array();

	for (size_t i = 0; i < s->rank; i++)
		json_array_append_new(array, json_integer((json_int_t)s->dims[i]));
	return array;
}

static void add_list(json_t *json, const char *name, json_t *list, size_t count)
{
	if (count)
		json_object_set(json, name, list);
	json_decref(list);
}

json_t *graph_options_to_json(const struct graph_options *o)
{
	json_t *json = json_object(), *sizes = json_object(), *shapes = json_object(), *frozen = json_array();

	for (size_t i = 0; i < o->size_count; i++)
		json_object_set_new(sizes, o->sizes[i].symbol, json_integer((json_int_t)o->sizes[i].size));
	for (size_t i = 0; i < o->shape_count; i++)
		json_object_set_new(shapes, o->shapes[i].input, shape_to_json(&o->shapes[i]));
	for (size_t i = 0; i < o->frozen_count; i++)
		json_array_append_new(frozen, json_string(o->frozen[i]));
	add_list(json, "sizes", sizes, o->size_count);
	add_list(json, "shapes", shapes, o->shape_count);
	add_list(json, "frozen", frozen, o->frozen_count);
	if (json_object_size(json))
		return json;
	json_decref(json);
	return NULL;
}

int graph_options_copy(const struct graph_options *from, struct arena *arena, struct graph_options *to)
{
	struct graph_size *sizes = arena_try_alloc(arena, from->size_count, sizeof(*sizes));
	struct graph_shape *shapes = arena_try_alloc(arena, from->shape_count, sizeof(*shapes));
	const char **frozen = arena_try_alloc(arena, from->frozen_count, sizeof(*frozen));
	bool whole = sizes && shapes && frozen;

	for (size_t i = 0; whole && i < from->size_count; i++) {
		sizes[i] = from->sizes[i];
		whole = (sizes[i].symbol = arena_try_strdup(arena, from->sizes[i].symbol));
	}
	for (size_t i = 0; whole && i < from->shape_count; i++) {
		shapes[i] = from->shapes[i];
		whole = (shapes[i].input = arena_try_strdup(arena, from->shapes[i].input));
	}
	for (size_t i = 0; whole && i < from->frozen_count; i++)
		whole = (frozen[i] = arena_try_strdup(arena, from->frozen[i]));
	if (!whole)
		return EXP_EMEMORY;
	*to = *from;
	to->sizes = sizes;
	to->shapes = shapes;
	to->frozen = frozen;
	return 0;
}
