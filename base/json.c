#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { DEPTH_MAX = 32 };

/* jansson has no depth option of its own below its compile-time 2,048, so nesting is bounded on the text. */
static bool too_deep(const char *text, size_t size)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > DEPTH_MAX)
				return true;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return false;
}

int json_parse(const char *text, size_t size, json_t **out, struct exp_error *err)
{
	json_error_t cause;
	json_t *value;

	if (too_deep(text, size))
		return error_set(err, EXP_EPARSE, "the JSON text nests deeper than %d levels", DEPTH_MAX);
	/* jansson takes a NUL behind a number for the end of the text. */
	if (size && memchr(text, '\0', size))
		return error_set(err, EXP_EPARSE, "the JSON text holds a NUL byte");
	value = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &cause);
	if (!value)
		return error_set(err, EXP_EPARSE, "not valid JSON at line %d, column %d", cause.line, cause.column);
	*out = value;
	return 0;
}

struct target {
	const struct json_field *field;
	const json_t *value;
	char pointer[96];
	void *at;
};

static int wrong_type(const struct target *t, const char *wanted, struct exp_error *err)
{
	return error_set_field(err, EXP_EFIELD, t->pointer, "%s must be %s", t->pointer, wanted);
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

static int fill_text(const struct target *t, struct exp_error *err)
{
	const char *text = json_string_value(t->value);

	if (!text || json_string_length(t->value) != strlen(text))
		return wrong_type(t, "a string", err);
	if (t->field->kind == JSON_FIELD_STRING) {
		*(char **)t->at = mem_strdup(text);
		return 0;
	}
	if (has_control(text))
		return wrong_type(t, "free of control characters", err);
	if (strlen(text) >= t->field->size)
		return error_set_field(err, EXP_EFIELD, t->pointer, "%s has more than %zu bytes", t->pointer,
				       t->field->size - 1);
	memcpy(t->at, text, strlen(text) + 1);
	return 0;
}

static int check_bounds(const struct target *t, double value, struct exp_error *err)
{
	const struct json_field *f = t->field;

	if (f->min == 0 && f->max == 0)
		return 0;
	if (value < f->min || value > f->max)
		return error_set_field(err, EXP_EFIELD, t->pointer, "%s must lie between %.15g and %.15g", t->pointer,
				       f->min, f->max);
	return 0;
}

static int fill_number(const struct target *t, struct exp_error *err)
{
	double value;
	int rc;

	if (t->field->kind == JSON_FIELD_INT && !json_is_integer(t->value))
		return wrong_type(t, "an integer", err);
	if (!json_is_number(t->value))
		return wrong_type(t, "a number", err);
	value = json_number_value(t->value);
	if (!isfinite(value))
		return wrong_type(t, "finite", err);
	rc = check_bounds(t, value, err);
	if (rc)
		return rc;
	if (t->field->kind == JSON_FIELD_INT)
		*(int64_t *)t->at = json_integer_value(t->value);
	else
		*(double *)t->at = value;
	return 0;
}

static int fill_enum(const struct target *t, struct exp_error *err)
{
	const char *text = json_string_value(t->value);
	struct buf allowed = { 0 };
	int rc;

	for (int i = 0; text && t->field->names[i]; i++) {
		if (!strcmp(text, t->field->names[i])) {
			*(int *)t->at = i;
			return 0;
		}
	}
	for (int i = 0; t->field->names[i]; i++)
		buf_format(&allowed, "%s%s", i ? ", " : "", t->field->names[i]);
	rc = error_set_field(err, EXP_EFIELD, t->pointer, "%s must be one of: %s", t->pointer, allowed.data);
	buf_fini(&allowed);
	return rc;
}

static int fill_one(const struct target *t, struct exp_error *err)
{
	switch (t->field->kind) {
	case JSON_FIELD_TEXT:
	case JSON_FIELD_STRING:
		return fill_text(t, err);
	case JSON_FIELD_INT:
	case JSON_FIELD_NUMBER:
		return fill_number(t, err);
	case JSON_FIELD_ENUM:
		return fill_enum(t, err);
	case JSON_FIELD_BOOL:
		if (!json_is_boolean(t->value))
			return wrong_type(t, "true or false", err);
		*(bool *)t->at = json_is_true(t->value);
		return 0;
	case JSON_FIELD_OBJECT:
		if (!json_is_object(t->value))
			return wrong_type(t, "an object", err);
		break;
	case JSON_FIELD_ARRAY:
		if (!json_is_array(t->value))
			return wrong_type(t, "an array", err);
		break;
	}
	memcpy(t->at, &t->value, sizeof(t->value));
	return 0;
}

static int find_unknown(const json_t *object, const char *base, const struct json_field *fields, size_t count,
			struct exp_error *err)
{
	json_t *value;
	const char *key;

	json_object_foreach((json_t *)object, key, value) {
		char pointer[96];
		size_t i = 0;

		while (i < count && strcmp(fields[i].name, key))
			i++;
		if (i < count)
			continue;
		snprintf(pointer, sizeof(pointer), "%s/%s", base, key);
		return error_set_field(err, EXP_EFIELD, pointer, "%s is not a known field", pointer);
	}
	return 0;
}

static void free_strings(const struct json_field *fields, size_t count, void *out)
{
	for (size_t i = 0; i < count; i++) {
		if (fields[i].kind == JSON_FIELD_STRING) {
			char **at = (char **)((char *)out + fields[i].offset);

			mem_free(*at);
			*at = NULL;
		}
	}
}

int json_fill(const json_t *object, const char *base, const struct json_field *fields, size_t count, void *out,
	      struct exp_error *err)
{
	int rc;

	if (!json_is_object(object))
		return error_set_field(err, EXP_EFIELD, base, "%s must be an object", base[0] ? base : "the body");
	rc = find_unknown(object, base, fields, count, err);
	for (size_t i = 0; !rc && i < count; i++) {
		struct target t = { .field = &fields[i], .value = json_object_get(object, fields[i].name) };

		snprintf(t.pointer, sizeof(t.pointer), "%s/%s", base, fields[i].name);
		t.at = (char *)out + fields[i].offset;
		if (t.value)
			rc = fill_one(&t, err);
		else if (fields[i].required)
			rc = error_set_field(err, EXP_EFIELD, t.pointer, "%s is missing", t.pointer);
	}
	if (rc)
		free_strings(fields, count, out);
	return rc;
}

static bool holds_real(const json_t *value)
{
	json_t *child;
	const char *key;
	size_t i;

	if (json_is_real(value))
		return true;
	json_array_foreach(value, i, child)
		if (holds_real(child))
			return true;
	json_object_foreach((json_t *)value, key, child)
		if (holds_real(child))
			return true;
	return false;
}

int json_canonical(const json_t *value, struct buf *out, struct exp_error *err)
{
	char *text;

	if (holds_real(value))
		return error_set(err, EXP_EINVAL, "canonical JSON holds integers and strings only");
	text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	if (!text)
		return error_set(err, EXP_EMEMORY, "%s", error_sentence(EXP_EMEMORY));
	buf_add_text(out, text);
	mem_free_secret(text, strlen(text));
	return 0;
}

void json_write(const json_t *value, bool indented, struct buf *out)
{
	char *text = json_dumps(value, (indented ? JSON_INDENT(2) : JSON_COMPACT) | JSON_ENCODE_ANY);

	buf_add_text(out, text ? text : "null");
	mem_free(text);
}
