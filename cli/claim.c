#include "cli/claim.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"

enum { FILE_MAX = 1 << 20 };

const char *const claim_regimes[] = { "gdpr", "ccpa", NULL };

/* text [length] as {"type", "value"}; the value may hold colons. where: for the message. */
static int add_identity(json_t *list, const char *text, size_t length, const char *where, struct exp_error *err)
{
	const char *colon = memchr(text, ':', length);
	json_t *value;

	if (!colon || colon == text)
		return error_set(err, EXP_EINVAL, "%s is not of the form type:value", where);
	value = json_stringn(colon + 1, length - (size_t)(colon + 1 - text));
	if (!value)
		return error_set(err, EXP_EPARSE, "%s is not UTF-8", where);
	json_array_append_new(list, json_pack("{s:s%, s:o}", "type", text, (size_t)(colon - text), "value", value));
	return 0;
}

static int add_arguments(json_t *list, const struct option_list *identities, struct exp_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < identities->count; i++) {
		char where[32];

		snprintf(where, sizeof(where), "--identity number %zu", i + 1);
		rc = add_identity(list, identities->items[i], strlen(identities->items[i]), where, err);
	}
	return rc;
}

static int add_lines(json_t *list, const char *text, struct exp_error *err)
{
	int rc = 0, number = 0;

	while (!rc && *text) {
		size_t length = strcspn(text, "\n"), kept = length;
		char where[48];

		snprintf(where, sizeof(where), "line %d of the identity file", ++number);
		while (kept && (text[kept - 1] == '\r' || text[kept - 1] == ' '))
			kept--;
		if (kept)
			rc = add_identity(list, text, kept, where, err);
		text += length + (text[length] == '\n');
	}
	return rc;
}

static int read_stream(FILE *stream, struct buf *out, struct exp_error *err)
{
	char chunk[4096];
	size_t n;
	int rc = 0;

	while (!rc && (n = fread(chunk, 1, sizeof(chunk), stream)) > 0)
		rc = buf_add_limited(out, chunk, n, FILE_MAX);
	if (rc)
		return error_set(err, rc, "standard input is longer than %d bytes", FILE_MAX);
	return ferror(stream) ? error_set(err, EXP_EIO, "standard input cannot be read") : 0;
}

static int add_file(json_t *list, const char *path, struct exp_error *err)
{
	struct buf text = { 0 };
	int rc = strcmp(path, "-") ? file_read(path, FILE_MAX, &text, err) : read_stream(stdin, &text, err);

	if (!rc && text.data)
		rc = add_lines(list, text.data, err);
	buf_fini_secret(&text);
	return rc;
}

int claim_read(const struct claim_options *o, json_t **out, struct exp_error *err)
{
	json_t *list = json_array(), *body;
	int rc = add_arguments(list, &o->identities, err);

	if (!rc && o->identity_file)
		rc = add_file(list, o->identity_file, err);
	if (!rc && !json_array_size(list))
		rc = error_set(err, EXP_EINVAL, "say who: --identity type:value, or --identity-file FILE");
	if (rc) {
		json_decref(list);
		return rc;
	}
	body = json_pack("{s:{s:o}, s:s}", "subject", "identities", list, "regime", claim_regimes[o->regime]);
	if (o->received_at)
		json_object_set_new(body, "received_at", json_string(o->received_at));
	*out = body;
	return 0;
}
