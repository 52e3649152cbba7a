#include "engine/npy_header.h"

#include <string.h>

#include "base/check.h"

enum { PREAMBLE = 8, HEADER_LIMIT = 1 << 16 };

static const struct {
	const char *descr;
	enum npy_type type;
} descrs[] = {
	{ "<f4", NPY_F4 }, { "<f8", NPY_F8 }, { "|u1", NPY_U1 }, { "|i1", NPY_I1 },
	{ "<i2", NPY_I2 }, { "<i4", NPY_I4 }, { "<i8", NPY_I8 },
};

/* A reader of the dict; end is one past the last byte. */
struct scan {
	const char *at, *end;
};

static void skip_space(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
		s->at++;
}

static bool take(struct scan *s, char c)
{
	skip_space(s);
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static bool take_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	skip_space(s);
	if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n))
		return false;
	s->at += n;
	return true;
}

/* A Python string without escapes into text, cut to nothing longer than size - 1. */
static bool take_string(struct scan *s, char *text, size_t size)
{
	size_t n = 0;
	char quote;

	skip_space(s);
	if (s->at == s->end || (*s->at != '\'' && *s->at != '"'))
		return false;
	quote = *s->at++;
	for (; s->at < s->end && *s->at != quote; s->at++) {
		if (n + 1 >= size || *s->at == '\\' || *s->at < 0x20)
			return false;
		text[n++] = *s->at;
	}
	text[n] = '\0';
	return take(s, quote);
}

static bool take_size(struct scan *s, size_t *out)
{
	size_t value = 0;
	const char *start;

	skip_space(s);
	for (start = s->at; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
		if (__builtin_mul_overflow(value, (size_t)10, &value) ||
		    __builtin_add_overflow(value, (size_t)(*s->at - '0'), &value))
			return false;
	*out = value;
	return s->at > start;
}

static int parse_descr(struct scan *s, struct npy_header *h, struct exp_error *err)
{
	char descr[16];

	skip_space(s);
	if (s->at < s->end && *s->at == '[')
		return error_set(err, EXP_EUNSUPPORTED, "a structured array is not supported; save one plain array");
	if (!take_string(s, descr, sizeof(descr)))
		return error_set(err, EXP_EPARSE, "the npy header's descr is not a type string");
	for (size_t i = 0; i < sizeof(descrs) / sizeof(descrs[0]); i++) {
		if (!strcmp(descr, descrs[i].descr)) {
			h->type = descrs[i].type;
			return 0;
		}
	}
	return error_set(
	    err, EXP_EUNSUPPORTED,
	    "element type \"%s\" is not supported; use little-endian float32, float64, uint8 or int8 to int64", descr);
}

static int parse_order(struct scan *s, struct npy_header *h, struct exp_error *err)
{
	h->fortran_order = take_word(s, "True");
	if (!h->fortran_order && !take_word(s, "False"))
		return error_set(err, EXP_EPARSE, "the npy header's fortran_order is neither True nor False");
	return 0;
}

static int parse_shape(struct scan *s, struct npy_header *h, struct exp_error *err)
{
	bool closed, comma = true;

	if (!take(s, '('))
		return error_set(err, EXP_EPARSE, "the npy header's shape is not a tuple");
	for (h->rank = 0; !(closed = take(s, ')')) && comma; h->rank++) {
		if (h->rank == NPY_MAX_DIMS)
			return error_set(err, EXP_EUNSUPPORTED, "more than %d dimensions are not supported",
					 NPY_MAX_DIMS);
		if (!take_size(s, &h->dims[h->rank]))
			break;
		comma = take(s, ',');
	}
	/* "(3)" is a number in Python, not a tuple. */
	if (!closed || (h->rank == 1 && !comma))
		return error_set(err, EXP_EPARSE, "the npy header's shape is not a tuple of sizes");
	return 0;
}

static const struct key {
	const char *name;
	int (*parse)(struct scan *s, struct npy_header *h, struct exp_error *err);
} keys[] = {
	{ "descr", parse_descr },
	{ "fortran_order", parse_order },
	{ "shape", parse_shape },
};
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

static int parse_entry(struct scan *s, unsigned *seen, struct npy_header *h, struct exp_error *err)
{
	char name[24];

	if (!take_string(s, name, sizeof(name)) || !take(s, ':'))
		return error_set(err, EXP_EPARSE, "the npy header is not a dict");
	for (unsigned i = 0; i < KEYS; i++) {
		if (strcmp(name, keys[i].name))
			continue;
		if (*seen & 1u << i)
			return error_set(err, EXP_EPARSE, "the npy header has %s twice", name);
		*seen |= 1u << i;
		return keys[i].parse(s, h, err);
	}
	return error_set(err, EXP_EPARSE, "the npy header has an unknown key");
}

static int parse_dict(struct scan *s, struct npy_header *h, struct exp_error *err)
{
	unsigned seen = 0;
	bool closed, comma = true;
	int rc;

	if (!take(s, '{'))
		return error_set(err, EXP_EPARSE, "the npy header is not a dict");
	while (!(closed = take(s, '}')) && comma) {
		rc = parse_entry(s, &seen, h, err);
		if (rc)
			return rc;
		comma = take(s, ',');
	}
	skip_space(s);
	if (!closed || s->at != s->end)
		return error_set(err, EXP_EPARSE, "the npy header does not end where it should");
	if (seen != (1u << KEYS) - 1)
		return error_set(err, EXP_EPARSE, "the npy header lacks descr, fortran_order or shape");
	return 0;
}

/* Format 1.0 has a header length of two bytes, 2.0 and 3.0 of four; 3.0 allows UTF-8 in field names, which plain arrays
 * lack. */
static int find_dict(const uint8_t *bytes, size_t size, struct scan *s, struct exp_error *err)
{
	static const uint8_t magic[6] = { 0x93, 'N', 'U', 'M', 'P', 'Y' };
	size_t width, length = 0;

	if (size < PREAMBLE || memcmp(bytes, magic, sizeof(magic)))
		return error_set(err, EXP_EPARSE, "not an npy file (its first bytes are not \\x93NUMPY)");
	if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
		return error_set(err, EXP_EUNSUPPORTED, "npy format %d.%d is not supported; 1.0 to 3.0 are", bytes[6],
				 bytes[7]);
	width = bytes[6] == 1 ? 2 : 4;
	if (size < PREAMBLE + width)
		return error_set(err, EXP_EPARSE, "the npy header is cut off");
	for (size_t i = 0; i < width; i++)
		length |= (size_t)bytes[PREAMBLE + i] << (8 * i);
	if (length > HEADER_LIMIT || length > size - PREAMBLE - width)
		return error_set(err, EXP_EPARSE,
				 "the npy header says that it has %zu bytes, which is more than there are", length);
	s->at = (const char *)bytes + PREAMBLE + width;
	s->end = s->at + length;
	return 0;
}

int npy_header_parse(const void *bytes, size_t size, struct npy_header *out, struct exp_error *err)
{
	struct npy_header h = { 0 };
	struct scan s;
	int rc = find_dict(bytes, size, &s, err);

	if (!rc)
		rc = parse_dict(&s, &h, err);
	if (rc)
		return rc;
	if (h.fortran_order && h.rank > 1)
		return error_set(err, EXP_EUNSUPPORTED,
				 "Fortran order is not supported; save numpy.ascontiguousarray(a)");
	h.data_offset = (size_t)(s.end - (const char *)bytes);
	*out = h;
	return 0;
}

static const char *descr_of(enum npy_type type)
{
	for (size_t i = 0; i < sizeof(descrs) / sizeof(descrs[0]); i++)
		if (descrs[i].type == type)
			return descrs[i].descr;
	exp_require(!"every type has a descr");
	return NULL;
}

void npy_header_add(struct buf *b, enum npy_type type, const size_t *dims, size_t rank)
{
	static const char preamble[PREAMBLE] = "\x93NUMPY\x01";
	struct buf dict = { 0 };

	buf_format(&dict, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr_of(type));
	for (size_t i = 0; i < rank; i++)
		buf_format(&dict, "%zu%s", dims[i], i + 1 < rank ? ", " : rank == 1 ? "," : "");
	buf_add_text(&dict, "), }");
	while ((PREAMBLE + 2 + dict.size + 1) % 64)
		buf_add_text(&dict, " ");
	buf_add_text(&dict, "\n");
	buf_add(b, preamble, PREAMBLE);
	buf_add(b, (const uint8_t[]){ (uint8_t)dict.size, (uint8_t)(dict.size >> 8) }, 2);
	buf_add(b, dict.data, dict.size);
	buf_fini(&dict);
}
