/*
 * json.h: JSON at the rim: strict parsing, field tables that fill structs, and one canonical form for what is hashed.
 *
 * Built on jansson. Parsing is strict: duplicate keys, bytes after the end, depth over 32 and invalid UTF-8 are errors.
 * Inside expunge data travel as structs; a json_t never crosses a folder except as a policy's, recipe's or leaf's body.
 * Ownership: json_t follows jansson's reference counts; what is returned here is a new reference unless said otherwise.
 * Threads: a json_t belongs to one thread.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* EXP_EPARSE with line, column and cause. *out is a new reference. */
EXP_NODISCARD int json_parse(const char *text, size_t size, json_t **out, struct exp_error *err);

enum json_kind {
	JSON_FIELD_TEXT, /* char[size]: a copy, NUL-terminated; longer is EXP_EFIELD; control characters are refused */
	JSON_FIELD_STRING, /* char *: a copy that the caller frees with mem_free */
	JSON_FIELD_INT,    /* int64_t within [min, max] */
	JSON_FIELD_NUMBER, /* double within [min, max], finite; integers are accepted */
	JSON_FIELD_BOOL,   /* bool */
	JSON_FIELD_ENUM,   /* int: index into names, a NULL-terminated array */
	JSON_FIELD_OBJECT, /* json_t *: borrowed from the parent */
	JSON_FIELD_ARRAY,  /* json_t *: borrowed from the parent */
};

/* One row of a table that says what an object may hold. Absent optional fields leave the struct as it was. */
struct json_field {
	const char *name;
	enum json_kind kind;
	bool required;
	size_t offset;            /* of the member in the struct to fill */
	size_t size;              /* JSON_FIELD_TEXT: room in bytes */
	double min, max;          /* JSON_FIELD_INT, JSON_FIELD_NUMBER: inclusive; both 0 means no bound */
	const char *const *names; /* JSON_FIELD_ENUM */
};

/*
 * Fills the struct at out from object by the table. EXP_EFIELD names the field at fault by its JSON Pointer below base
 * ("" for the root): missing, of another type, out of bounds, or unknown to the table. On failure out may be partly
 * filled; strings already copied are freed and set to NULL.
 */
EXP_NODISCARD int json_fill(const json_t *object, const char *base, const struct json_field *fields, size_t count,
			    void *out, struct exp_error *err);

/* Canonical text: keys sorted bytewise, no white space, minimal escapes (the part of RFC 8785 that integers, strings,
 * booleans and null need). EXP_EINVAL when the value holds a real number. Appends to out. */
EXP_NODISCARD int json_canonical(const json_t *value, struct buf *out, struct exp_error *err);

/* Compact or indented text, appended to out. */
void json_write(const json_t *value, bool indented, struct buf *out);

#endif
