/*
 * leaf.h: the entries of the log.
 *
 * A leaf is canonical JSON (sorted keys, no white space; integers and strings only, numbers as parts per million) whose
 * fields are fixed by leaf.def: v (1), type, time, and what the type allows. Whatever could name a person cannot be
 * expressed. A string field "pad" of zeros brings its size up to a bucket, so that the size says little.
 *
 * Ownership: struct leaf holds a reference on its body until leaf_fini. Threads: any; a struct leaf belongs to one
 * thread.
 */
#ifndef PROOF_LEAF_H
#define PROOF_LEAF_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

enum leaf_type {
#define LEAF_TYPE(symbol, name) symbol,
#define LEAF_PART(symbol, name)
#define LEAF_FIELD(owner, field, kind, presence, detail)
#include "proof/leaf.def"
	LEAF_TYPE_COUNT,
};

enum {
	LEAF_VERSION = 1,
	LEAF_SIZE_MAX = 65535,
	LEAF_LIST_MAX = 1024, /* items of any list */
};

struct leaf {
	enum leaf_type type;
	json_t *body;
};

const char *leaf_type_name(enum leaf_type type);
EXP_NODISCARD int leaf_type_parse(const char *name, enum leaf_type *type); /* EXP_EINVAL */

/*
 * Appends the bytes of a leaf: fields (borrowed) plus v, type, time and pad. EXP_EFIELD names a field that is missing,
 * unknown or not of its kind by its JSON Pointer; EXP_ELIMIT above LEAF_SIZE_MAX.
 */
EXP_NODISCARD int leaf_build(enum leaf_type type, int64_t time_ms, const json_t *fields, struct buf *out,
			     struct exp_error *err);

/* Reads foreign bytes and holds them to everything that leaf_build promises, to the byte. EXP_EPARSE, EXP_EFIELD,
 * EXP_EVERIFY (not canonical, not padded to a bucket). */
EXP_NODISCARD int leaf_check(const void *bytes, size_t size, struct leaf *out, struct exp_error *err);

/* A text field, or NULL when the leaf has none of that name. Valid until leaf_fini. */
const char *leaf_text(const struct leaf *leaf, const char *field);

void leaf_fini(struct leaf *leaf);

#endif
