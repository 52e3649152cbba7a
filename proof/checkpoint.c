#include "proof/checkpoint.h"

#include <string.h>

#include "base/mem.h"
#include "proof/lines_internal.h"

void checkpoint_format(const struct checkpoint *c, struct buf *out)
{
	char *root = base64_encode(c->head.root, DIGEST_SIZE);

	buf_format(out, "%s\n%llu\n%s\n", c->origin, (unsigned long long)c->head.size, root);
	mem_free(root);
}

int checkpoint_sign(const struct checkpoint *c, const uint8_t seed[NOTE_SEED_SIZE], struct buf *out,
		    struct exp_error *err)
{
	struct buf text = { 0 };
	int rc;

	checkpoint_format(c, &text);
	rc = note_sign(text.data, text.size, c->origin, seed, out, err);
	buf_fini(&text);
	return rc;
}

/* Extension lines may follow, but no empty one. */
static bool extensions_are_valid(struct lines *lines)
{
	struct line line;

	while (lines_next(lines, &line))
		if (!line.size)
			return false;
	return lines->at == lines->end;
}

int checkpoint_parse(const char *text, size_t size, struct checkpoint *out, struct exp_error *err)
{
	struct lines lines = { text, text + size };
	struct checkpoint c = { 0 };
	struct line line;

	if (!lines_next(&lines, &line) || !line.size || line.size >= sizeof(c.origin))
		return error_set(err, EXP_EPARSE, "the checkpoint's first line is not an origin of 1 to %d bytes",
				 NOTE_NAME - 1);
	memcpy(c.origin, line.text, line.size);
	if (!lines_next(&lines, &line) || !line_decimal(&line, &c.head.size))
		return error_set(err, EXP_EPARSE, "the checkpoint's second line is not a tree size");
	if (!lines_next(&lines, &line) || !line_hash(&line, c.head.root))
		return error_set(err, EXP_EPARSE,
				 "the checkpoint's third line is not a root hash of 32 bytes in base64");
	if (!extensions_are_valid(&lines))
		return error_set(err, EXP_EPARSE, "the checkpoint has an empty or unfinished line after the root hash");
	*out = c;
	return 0;
}

int checkpoint_open(const char *note_bytes, size_t size, const struct note_key *key, struct checkpoint *out,
		    struct exp_error *err)
{
	struct note note;
	struct checkpoint c;
	int rc = note_parse(note_bytes, size, &note, err);

	if (!rc)
		rc = note_verify(&note, key, 1, err);
	if (!rc)
		rc = checkpoint_parse(note.text, note.text_size, &c, err);
	if (rc)
		return rc;
	if (strcmp(c.origin, key->name) != 0)
		return error_set(err, EXP_EVERIFY, "the checkpoint is of the log %s, the key belongs to %s", c.origin,
				 key->name);
	*out = c;
	return 0;
}
