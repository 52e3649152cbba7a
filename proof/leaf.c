#include "proof/leaf.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"

/* Owners of fields: leaf types, then parts, then every leaf. */
enum owner {
	PART_FIRST = LEAF_TYPE_COUNT - 1,
#define LEAF_TYPE(symbol, name)
#define LEAF_PART(symbol, name) symbol,
#define LEAF_FIELD(owner, field, kind, presence, detail)
#include "proof/leaf.def"
	LEAF_ANY,
};

enum kind {
	KIND_UUID,
	KIND_HEX,
	KIND_TIME,
	KIND_ENUM,
	KIND_NAME,
	KIND_SLUG,
	KIND_COUNT,
	KIND_PPM,
	KIND_RATIO,
	KIND_PART,
	KIND_PARTS,
	KIND_HEXES,
	KIND_UUIDS,
	KIND_NAMES,
	KIND_VERSION,
	KIND_TYPE,
	KIND_PADDING,
};

enum presence { OPTIONAL, REQUIRED };

struct field {
	int owner;
	const char *name;
	enum kind kind;
	enum presence presence;
	const char *detail;
};

static const struct field fields_table[] = {
#define LEAF_TYPE(symbol, name)
#define LEAF_PART(symbol, name)
#define LEAF_FIELD(owner, field, kind, presence, detail) { owner, field, KIND_##kind, presence, detail },
#include "proof/leaf.def"
};

static const char *const type_names[] = {
#define LEAF_TYPE(symbol, name) name,
#define LEAF_PART(symbol, name)
#define LEAF_FIELD(owner, field, kind, presence, detail)
#include "proof/leaf.def"
};

static const struct {
	int owner;
	const char *name;
} parts[] = {
#define LEAF_TYPE(symbol, name)
#define LEAF_PART(symbol, name) { symbol, name },
#define LEAF_FIELD(owner, field, kind, presence, detail)
#include "proof/leaf.def"
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const size_t buckets[] = { 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, LEAF_SIZE_MAX };

const char *leaf_type_name(enum leaf_type type)
{
	exp_require((unsigned)type < LEAF_TYPE_COUNT);
	return type_names[type];
}

int leaf_type_parse(const char *name, enum leaf_type *type)
{
	for (int i = 0; i < LEAF_TYPE_COUNT; i++) {
		if (!strcmp(type_names[i], name)) {
			*type = (enum leaf_type)i;
			return 0;
		}
	}
	return EXP_EINVAL;
}

static bool is_hex(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static bool is_time(const char *text)
{
	char again[CLOCK_RFC3339];
	int64_t ms;

	return !clock_parse(text, &ms) && !strcmp(clock_format(ms, again), text);
}

/* The names as one string, joined by bars. */
static bool is_one_of(const char *text, const char *names)
{
	size_t size = strlen(text);

	if (!size || strchr(text, '|'))
		return false;
	for (const char *at = names; (at = strstr(at, text)) != NULL; at++)
		if ((at == names || at[-1] == '|') && (at[size] == '|' || !at[size]))
			return true;
	return false;
}

static bool is_slug(const char *text)
{
	return id_is_name(text) && !strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ.");
}

static bool text_fits(enum kind kind, const char *text, const char *detail)
{
	enum leaf_type type;

	switch (kind) {
	case KIND_UUID:
		return id_is_valid(text);
	case KIND_HEX:
		return is_hex(text);
	case KIND_TIME:
		return is_time(text);
	case KIND_ENUM:
		return is_one_of(text, detail);
	case KIND_NAME:
		return id_is_name(text);
	case KIND_SLUG:
		return is_slug(text);
	case KIND_TYPE:
		return leaf_type_parse(text, &type) == 0;
	case KIND_PADDING:
		return strspn(text, "0") == strlen(text);
	default:
		return false;
	}
}

static bool integer_fits(enum kind kind, json_int_t value)
{
	const json_int_t exact = (json_int_t)1 << 53; /* what every JSON reader keeps exactly */

	switch (kind) {
	case KIND_COUNT:
		return value >= 0 && value < exact;
	case KIND_PPM:
		return value >= 0 && value <= 1000000;
	case KIND_RATIO:
		return value > -exact && value < exact;
	case KIND_VERSION:
		return value == LEAF_VERSION;
	default:
		return false;
	}
}

static const char *wanted(const struct field *f)
{
	static const char *const texts[] = {
		[KIND_UUID] = "a UUID in lower case",
		[KIND_HEX] = "64 lower-case hexadecimal digits",
		[KIND_TIME] = "a UTC time such as 2026-11-23T13:51:07.042Z",
		[KIND_NAME] = "a name of at most 63 letters, digits, dots, dashes and underscores",
		[KIND_SLUG] = "a lower-case word",
		[KIND_COUNT] = "a count",
		[KIND_PPM] = "between 0 and 1000000",
		[KIND_RATIO] = "an integer of parts per million",
		[KIND_PART] = "an object",
		[KIND_PARTS] = "a list of at most 1024 objects",
		[KIND_HEXES] = "a list of at most 1024 different digests",
		[KIND_UUIDS] = "a list of at most 1024 different UUIDs",
		[KIND_NAMES] = "a list of at most 1024 different names",
		[KIND_VERSION] = "1",
		[KIND_TYPE] = "a known leaf type",
		[KIND_PADDING] = "zeros",
	};

	return f->kind == KIND_ENUM ? f->detail : texts[f->kind];
}

/* Where in the leaf the check stands; the pointer is cut when it is too long, which only shortens a message. */
struct place {
	char pointer[80];
};

static struct place below(const struct place *p, const char *name)
{
	struct place child;

	snprintf(child.pointer, sizeof(child.pointer), "%s/%s", p->pointer, name);
	return child;
}

static int unfit(const struct field *f, const struct place *at, struct exp_error *err)
{
	return error_set_field(err, EXP_EFIELD, at->pointer, "%s of the leaf must be %s%s", at->pointer,
			       f->kind == KIND_ENUM ? "one of " : "", wanted(f));
}

static int check_object(const json_t *object, int owner, const struct place *at, struct exp_error *err);

static int part_owner(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		if (!strcmp(parts[i].name, name))
			return parts[i].owner;
	check_abort("a part of leaf.def", __FILE__, __LINE__);
}

/* Lists are short; a quadratic look for repetitions is the plainest. */
static bool is_repeated(const json_t *list, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (json_equal(json_array_get(list, i), json_array_get(list, index)))
			return true;
	return false;
}

static enum kind item_kind(enum kind list)
{
	return list == KIND_HEXES ? KIND_HEX : list == KIND_UUIDS ? KIND_UUID : KIND_NAME;
}

static int check_list(const struct field *f, const json_t *value, const struct place *at, struct exp_error *err)
{
	size_t count = json_array_size(value);
	int rc = 0;

	if (!json_is_array(value) || count > LEAF_LIST_MAX)
		return unfit(f, at, err);
	for (size_t i = 0; !rc && i < count; i++) {
		const json_t *item = json_array_get(value, i);
		char index[24];
		struct place child;

		snprintf(index, sizeof(index), "%zu", i);
		child = below(at, index);
		if (f->kind == KIND_PARTS)
			rc = check_object(item, part_owner(f->detail), &child, err);
		else if (!json_is_string(item) || !text_fits(item_kind(f->kind), json_string_value(item), NULL) ||
			 is_repeated(value, i))
			rc = unfit(f, &child, err);
	}
	return rc;
}

static int check_field(const struct field *f, const json_t *value, const struct place *at, struct exp_error *err)
{
	switch (f->kind) {
	case KIND_PART:
		return check_object(value, part_owner(f->detail), at, err);
	case KIND_PARTS:
	case KIND_HEXES:
	case KIND_UUIDS:
	case KIND_NAMES:
		return check_list(f, value, at, err);
	case KIND_COUNT:
	case KIND_PPM:
	case KIND_RATIO:
	case KIND_VERSION:
		if (json_is_integer(value) && integer_fits(f->kind, json_integer_value(value)))
			return 0;
		return unfit(f, at, err);
	default:
		/* A string with a NUL inside would be judged by its first half only. */
		if (json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value) &&
		    text_fits(f->kind, json_string_value(value), f->detail))
			return 0;
		return unfit(f, at, err);
	}
}

static bool is_leaf(int owner)
{
	return owner < LEAF_TYPE_COUNT;
}

static bool belongs(const struct field *f, int owner)
{
	return f->owner == owner || (f->owner == LEAF_ANY && is_leaf(owner));
}

static int find_unknown(const json_t *object, int owner, const struct place *at, struct exp_error *err)
{
	json_t *value;
	const char *key;

	json_object_foreach((json_t *)object, key, value) {
		struct place child = below(at, key);
		bool known = false;

		for (size_t i = 0; !known && i < COUNT_OF(fields_table); i++)
			known = belongs(&fields_table[i], owner) && !strcmp(fields_table[i].name, key);
		if (!known)
			return error_set_field(err, EXP_EFIELD, child.pointer, "%s is not a field of such a leaf",
					       child.pointer);
	}
	return 0;
}

static int check_object(const json_t *object, int owner, const struct place *at, struct exp_error *err)
{
	int rc;

	if (!json_is_object(object))
		return error_set_field(err, EXP_EFIELD, at->pointer, "%s of the leaf must be an object", at->pointer);
	rc = find_unknown(object, owner, at, err);
	for (size_t i = 0; !rc && i < COUNT_OF(fields_table); i++) {
		const struct field *f = &fields_table[i];
		const json_t *value = json_object_get(object, f->name);
		struct place child = below(at, f->name);

		if (!belongs(f, owner))
			continue;
		if (value)
			rc = check_field(f, value, &child, err);
		else if (f->presence == REQUIRED)
			rc =
			    error_set_field(err, EXP_EFIELD, child.pointer, "%s of the leaf is missing", child.pointer);
	}
	return rc;
}

static size_t bucket_for(size_t size)
{
	for (size_t i = 0; i < COUNT_OF(buckets); i++)
		if (size <= buckets[i])
			return buckets[i];
	return 0;
}

static void set_pad(json_t *body, size_t size)
{
	char *zeros = mem_alloc(size + 1);

	memset(zeros, '0', size);
	json_object_set_new(body, "pad", json_string(zeros));
	mem_free(zeros);
}

/* Canonical bytes with the pad that fills the bucket; body has an empty pad on entry. */
static int write_padded(json_t *body, struct buf *out, struct exp_error *err)
{
	struct buf text = { 0 };
	size_t bucket;
	int rc = json_canonical(body, &text, err);

	if (rc)
		goto out;
	bucket = bucket_for(text.size);
	if (!bucket) {
		rc = error_set(err, EXP_ELIMIT, "a leaf has at most %d bytes, this one %zu", LEAF_SIZE_MAX, text.size);
		goto out;
	}
	set_pad(body, bucket - text.size);
	rc = json_canonical(body, out, err);
out:
	buf_fini(&text);
	return rc;
}

static int refuse_common(const json_t *fields, struct exp_error *err)
{
	for (size_t i = 0; i < COUNT_OF(fields_table); i++) {
		const struct field *f = &fields_table[i];

		if (f->owner == LEAF_ANY && json_object_get(fields, f->name))
			return error_set_field(err, EXP_EFIELD, "", "%s of a leaf is not the caller's to set", f->name);
	}
	return 0;
}

int leaf_build(enum leaf_type type, int64_t time_ms, const json_t *fields, struct buf *out, struct exp_error *err)
{
	char time[CLOCK_RFC3339];
	json_t *body;
	int rc = refuse_common(fields, err);

	if (rc)
		return rc;
	body = json_copy((json_t *)fields);
	json_object_set_new(body, "v", json_integer(LEAF_VERSION));
	json_object_set_new(body, "type", json_string(leaf_type_name(type)));
	json_object_set_new(body, "time", json_string(clock_format(time_ms, time)));
	json_object_set_new(body, "pad", json_string(""));
	rc = check_object(body, (int)type, &(struct place){ "" }, err);
	if (!rc)
		rc = write_padded(body, out, err);
	json_decref(body);
	return rc;
}

static int check_type(const json_t *body, enum leaf_type *type, struct exp_error *err)
{
	const char *name = json_string_value(json_object_get(body, "type"));

	if (!name || leaf_type_parse(name, type))
		return error_set_field(err, EXP_EFIELD, "/type", "/type of the leaf is not a known leaf type");
	return 0;
}

/* The same values written by us must give the same bytes, pad included. */
static int check_bytes(const json_t *body, const void *bytes, size_t size, struct exp_error *err)
{
	struct buf again = { 0 };
	json_t *unpadded = json_copy((json_t *)body);
	bool same;
	int rc;

	json_object_set_new(unpadded, "pad", json_string(""));
	rc = write_padded(unpadded, &again, err);
	same = !rc && again.size == size && !memcmp(again.data, bytes, size);
	json_decref(unpadded);
	buf_fini(&again);
	if (!rc && !same)
		rc = error_set(err, EXP_EVERIFY, "the leaf is not in canonical form or not padded as it should be");
	return rc;
}

int leaf_check(const void *bytes, size_t size, struct leaf *out, struct exp_error *err)
{
	enum leaf_type type;
	json_t *body = NULL;
	int rc;

	if (size > LEAF_SIZE_MAX)
		return error_set(err, EXP_ELIMIT, "a leaf has at most %d bytes, this one %zu", LEAF_SIZE_MAX, size);
	rc = json_parse(bytes, size, &body, err);
	if (rc)
		return error_wrap(err, rc, "the leaf");
	rc = check_type(body, &type, err);
	if (!rc)
		rc = check_object(body, (int)type, &(struct place){ "" }, err);
	if (!rc)
		rc = check_bytes(body, bytes, size, err);
	if (rc)
		json_decref(body);
	else
		*out = (struct leaf){ type, body };
	return rc;
}

const char *leaf_text(const struct leaf *leaf, const char *field)
{
	return json_string_value(json_object_get(leaf->body, field));
}

void leaf_fini(struct leaf *leaf)
{
	json_decref(leaf->body);
	leaf->body = NULL;
}
