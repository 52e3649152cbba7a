#include "cli/model_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/shape.h"

/* Digits up to the end; a comma when it is one of several. */
static bool read_size(const char *text, bool several, const char **end, json_int_t *out)
{
	char *stop;
	long long number;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoll(text, &stop, 10);
	if (errno || number < 1 || (unsigned long long)number > SHAPE_MAX_COUNT)
		return false;
	if (*stop && !(several && *stop == ',' && stop[1]))
		return false;
	*end = *stop ? stop + 1 : stop;
	*out = number;
	return true;
}

static bool read_shape(const char *text, json_t *dims)
{
	json_int_t size;

	while (*text) {
		if (!read_size(text, true, &text, &size))
			return false;
		json_array_append_new(dims, json_integer(size));
	}
	return json_array_size(dims) < GRAPH_MAX_DIMS;
}

/* Names may hold an equals sign, numbers cannot. */
static int add_pair(json_t *object, const char *option, const char *text, struct exp_error *err)
{
	bool is_size = strcmp(option, "size") == 0;
	const char *equals = strrchr(text, '='), *end;
	char *name = equals ? mem_format("%.*s", (int)(equals - text), text) : NULL;
	json_t *dims = json_array();
	json_int_t size = 0;
	int rc = 0;

	if (!equals || (is_size ? !read_size(equals + 1, false, &end, &size) : !read_shape(equals + 1, dims)))
		rc = error_set(err, EXP_EINVAL,
			       is_size ? "--size %.128s: a symbol, '=' and a whole number from 1 are expected"
				       : "--shape %.128s: an input, '=' and up to 7 whole numbers from 1 with commas "
					 "between them are expected",
			       text);
	else if (json_object_get(object, name))
		rc = error_set(err, EXP_EINVAL, "--%s is given twice for \"%.128s\"", option, name);
	else
		json_object_set_new(object, name, is_size ? json_integer(size) : json_incref(dims));
	json_decref(dims);
	mem_free(name);
	return rc;
}

static int add_pairs(json_t *body, const char *field, const char *option, const struct option_list *list,
		     struct exp_error *err)
{
	json_t *object = json_object();
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < list->count; i++)
		rc = add_pair(object, option, list->items[i], err);
	if (rc == 0 && list->count)
		json_object_set(body, field, object);
	json_decref(object);
	return rc;
}

int model_options_to_json(const struct model_options *o, json_t *body, struct exp_error *err)
{
	json_t *frozen = json_array();
	int rc = add_pairs(body, "sizes", "size", &o->sizes, err);

	if (!rc)
		rc = add_pairs(body, "shapes", "shape", &o->shapes, err);
	for (size_t i = 0; i < o->frozen.count; i++)
		json_array_append_new(frozen, json_string(o->frozen.items[i]));
	if (!rc && o->frozen.count)
		json_object_set(body, "frozen", frozen);
	json_decref(frozen);
	return rc;
}

int model_options_read(const struct model_options *o, struct arena *arena, struct graph_options *out,
		       struct exp_error *err)
{
	json_t *json = json_object();
	int rc = model_options_to_json(o, json, err);

	if (!rc)
		rc = graph_options_from_json(json, "", arena, out, err);
	json_decref(json);
	return rc;
}
