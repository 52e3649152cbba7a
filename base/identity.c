#include "base/identity.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"

enum { TYPE_MAX = 64, VALUE_MAX = 1024 };

static bool is_type(const char *type)
{
	size_t n = strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && n <= TYPE_MAX && type[n] == '\0';
}

static bool is_space(utf8proc_int32_t c)
{
	utf8proc_category_t category = utf8proc_category(c);

	return (c >= 0x09 && c <= 0x0d) || category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
	       category == UTF8PROC_CATEGORY_ZP;
}

/* Bytes of white space at the start (forward) of NFC text. */
static size_t leading_space(const char *text, size_t size)
{
	size_t at = 0;

	while (at < size) {
		utf8proc_int32_t c;
		utf8proc_ssize_t n =
		    utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(size - at), &c);

		if (n <= 0 || !is_space(c))
			break;
		at += (size_t)n;
	}
	return at;
}

static size_t trimmed_size(const char *text, size_t size)
{
	while (size) {
		size_t start = size - 1;

		while (start && ((unsigned char)text[start] & 0xc0) == 0x80)
			start--;
		if (leading_space(text + start, size - start) != size - start)
			break;
		size = start;
	}
	return size;
}

static utf8proc_int32_t to_lower(utf8proc_int32_t c, void *unused)
{
	(void)unused;
	return utf8proc_tolower(c);
}

static char *normalise(const char *type, const char *value, size_t *size)
{
	utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_REJECTNA;
	utf8proc_uint8_t *text = NULL;
	utf8proc_ssize_t n = utf8proc_map_custom((const utf8proc_uint8_t *)value, (utf8proc_ssize_t)strlen(value),
						 &text, options, !strcmp(type, "email") ? to_lower : NULL, NULL);

	if (n < 0)
		return NULL;
	*size = (size_t)n;
	return (char *)text;
}

int identity_init(struct identity *id, const char *type, const char *value, struct exp_error *err)
{
	size_t size, first, prefix = strlen(type) + 1;
	char *text;

	if (!is_type(type))
		return error_set(err, EXP_EINVAL, "an identity type is 1 to 64 characters of a-z, 0-9 and _");
	if (strlen(value) > VALUE_MAX)
		return error_set(err, EXP_EINVAL, "an identity value has at most %d bytes", VALUE_MAX);
	text = normalise(type, value, &size);
	if (!text)
		return error_set(err, EXP_EPARSE, "the identity value is not valid UTF-8");
	first = leading_space(text, size);
	size = trimmed_size(text + first, size - first);
	if (!size) {
		free(text);
		return error_set(err, EXP_EINVAL, "the identity value is empty");
	}
	id->canonical = mem_alloc(prefix + size);
	id->size = prefix + size;
	memcpy(id->canonical, type, prefix - 1);
	id->canonical[prefix - 1] = 0x1f;
	memcpy(id->canonical + prefix, text + first, size);
	mem_free_secret(text, first + size);
	return 0;
}

int identity_parse(struct identity *id, const char *text, struct exp_error *err)
{
	const char *colon = strchr(text, ':');
	char type[TYPE_MAX + 1];

	if (!colon || (size_t)(colon - text) > TYPE_MAX)
		return error_set(err, EXP_EINVAL,
				 "an identity is written type:value, for example email:someone@example.org");
	memcpy(type, text, (size_t)(colon - text));
	type[colon - text] = '\0';
	return identity_init(id, type, colon + 1, err);
}

void identity_hash(const struct identity *id, const uint8_t key[DIGEST_KEY_SIZE], uint8_t out[DIGEST_SIZE])
{
	hmac_sha256(key, id->canonical, id->size, out);
}

void identity_fini(struct identity *id)
{
	mem_free_secret(id->canonical, id->size);
	*id = (struct identity){ 0 };
}
