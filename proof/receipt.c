#include "proof/receipt.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "base/mem.h"
#include "proof/lines_internal.h"

enum { RECEIPT_VERSION = 1 };

static const char header[] = "c2sp.org/tlog-proof@v1";

/* Canonical JSON of the extra line. */
static void write_extra(const struct receipt *r, struct buf *out)
{
	char hex[DIGEST_HEX];
	char *leaf = base64_encode(r->leaf.data, r->leaf.size);
	json_t *extra = json_pack("{s:i, s:s, s:s, s:s}", "v", RECEIPT_VERSION, "request_id", r->request, "k",
				  hex_encode(r->key, sizeof(r->key), hex), "leaf", leaf);
	int rc = json_canonical(extra, out, NULL);

	exp_require(rc == 0);
	json_decref(extra);
	mem_free(leaf);
	sodium_memzero(hex, sizeof(hex));
}

void receipt_build(const struct receipt *r, struct buf *out)
{
	struct buf extra = { 0 };
	char *encoded;

	write_extra(r, &extra);
	encoded = base64_encode(extra.data, extra.size);
	buf_format(out, "%s\nextra %s\nindex %llu\n", header, encoded, (unsigned long long)r->index);
	mem_free_secret(encoded, strlen(encoded));
	buf_fini_secret(&extra);
	for (size_t i = 0; i < r->proof.count; i++) {
		char *hash = base64_encode(r->proof.hashes[i], DIGEST_SIZE);

		buf_format(out, "%s\n", hash);
		mem_free(hash);
	}
	buf_add_text(out, "\n");
	buf_add(out, r->note.data, r->note.size);
}

static int malformed(struct exp_error *err, const char *what)
{
	return error_set(err, EXP_EPARSE, "the receipt is malformed: %s", what);
}

static int decode_line(const struct line *line, struct buf *out)
{
	size_t size = line->size / 4 * 3 + 3;
	char *bytes = mem_alloc(size);
	int rc = base64_decode(line->text, line->size, bytes, &size);

	if (!rc)
		buf_add(out, bytes, size);
	mem_free_secret(bytes, line->size / 4 * 3 + 3);
	return rc;
}

struct extra {
	int64_t version;
	char request[ID_TEXT];
	char key[DIGEST_HEX];
	char *leaf;
};

#define AT(member) offsetof(struct extra, member)
static const struct json_field extra_fields[] = {
	{ .name = "v",
	  .kind = JSON_FIELD_INT,
	  .required = true,
	  .offset = AT(version),
	  .min = 1,
	  .max = RECEIPT_VERSION },
	{ .name = "request_id", .kind = JSON_FIELD_TEXT, .required = true, .offset = AT(request), .size = ID_TEXT },
	{ .name = "k", .kind = JSON_FIELD_TEXT, .required = true, .offset = AT(key), .size = DIGEST_HEX },
	{ .name = "leaf", .kind = JSON_FIELD_STRING, .required = true, .offset = AT(leaf) },
};

static int take_extra(const struct extra *extra, struct receipt *r, struct exp_error *err)
{
	struct line leaf = { extra->leaf, strlen(extra->leaf) };

	if (!id_is_valid(extra->request))
		return malformed(err, "request_id of the extra line is not a UUID");
	if (hex_decode(extra->key, r->key, sizeof(r->key)))
		return malformed(err, "k of the extra line is not 64 hexadecimal digits");
	if (decode_line(&leaf, &r->leaf))
		return malformed(err, "leaf of the extra line is not base64");
	memcpy(r->request, extra->request, sizeof(r->request));
	return 0;
}

/* The line must be what write_extra makes of its content: otherwise two receipts could differ in bytes alone. */
static int check_extra_bytes(const struct receipt *r, const struct buf *json, struct exp_error *err)
{
	struct buf again = { 0 };
	int same;

	write_extra(r, &again);
	same = again.size == json->size && !memcmp(again.data, json->data, json->size);
	buf_fini_secret(&again);
	return same ? 0 : malformed(err, "the extra line is not in canonical form");
}

static int parse_extra(const struct line *line, struct receipt *r, struct exp_error *err)
{
	struct extra extra = { 0 };
	struct buf json = { 0 };
	json_t *object = NULL;
	int rc = decode_line(line, &json);

	if (rc) {
		rc = malformed(err, "the extra line is not base64");
		goto out;
	}
	rc = json_parse(json.data ? json.data : "", json.size, &object, err);
	if (!rc)
		rc = json_fill(object, "", extra_fields, sizeof(extra_fields) / sizeof(extra_fields[0]), &extra, err);
	if (rc) {
		rc = error_wrap(err, rc, "the receipt is malformed: the extra line");
		goto out;
	}
	rc = take_extra(&extra, r, err);
	if (!rc)
		rc = check_extra_bytes(r, &json, err);
out:
	sodium_memzero(extra.key, sizeof(extra.key));
	mem_free(extra.leaf);
	json_decref(object);
	buf_fini_secret(&json);
	return rc;
}

static int parse_proof(struct lines *lines, struct receipt *r, struct exp_error *err)
{
	struct line line;

	while (lines_next(lines, &line)) {
		char what[64];

		if (!line.size)
			return 0;
		if (r->proof.count == MERKLE_PROOF_MAX)
			return malformed(err, "the inclusion proof is too long");
		if (!line_hash(&line, r->proof.hashes[r->proof.count])) {
			snprintf(what, sizeof(what), "proof line %zu is not 32 bytes in base64", r->proof.count + 1);
			return malformed(err, what);
		}
		r->proof.count++;
	}
	return malformed(err, "it is cut off: no blank line ends the inclusion proof");
}

static int parse_lines(struct lines *lines, struct receipt *r, struct exp_error *err)
{
	struct line line, rest;
	int rc;

	if (!lines_next(lines, &line) || line.size != strlen(header) || !line_after(&line, header, &rest))
		return malformed(err, "its first line is not c2sp.org/tlog-proof@v1");
	if (!lines_next(lines, &line) || !line_after(&line, "extra ", &rest))
		return malformed(err, "its second line is not the extra line that carries leaf and key");
	rc = parse_extra(&rest, r, err);
	if (rc)
		return rc;
	if (!lines_next(lines, &line) || !line_after(&line, "index ", &rest) || !line_decimal(&rest, &r->index))
		return malformed(err, "its third line is not the index of the leaf");
	return parse_proof(lines, r, err);
}

int receipt_parse(const char *bytes, size_t size, struct receipt *out, struct exp_error *err)
{
	struct lines lines = { bytes, bytes + size };
	struct receipt r = { 0 };
	int rc;

	if (size > RECEIPT_SIZE_MAX)
		return error_set(err, EXP_ELIMIT, "a receipt has at most %d bytes, this file is larger",
				 RECEIPT_SIZE_MAX);
	rc = parse_lines(&lines, &r, err);
	if (!rc && lines.at == lines.end)
		rc = malformed(err, "it is cut off: the checkpoint is missing");
	if (rc) {
		receipt_fini(&r);
		return rc;
	}
	buf_add(&r.note, lines.at, (size_t)(lines.end - lines.at));
	*out = r;
	return 0;
}

static const struct {
	const char *name, *meaning;
} step_texts[] = {
	[RECEIPT_SIGNATURE] = { "signature", "the checkpoint is signed by the key that you trust" },
	[RECEIPT_LEAF] = { "leaf", "the leaf follows its schema and records a completed request" },
	[RECEIPT_INCLUSION] = { "inclusion", "the leaf stands at its index in the signed log" },
	[RECEIPT_REQUEST] = { "request", "the leaf is about the request of this receipt" },
	[RECEIPT_KEY] = { "key", "the receipt's key is the one that the leaf commits to" },
	[RECEIPT_IDENTITY] = { "identity", "the leaf is about the identity that you named" },
};

const char *receipt_step_name(enum receipt_step step)
{
	exp_require((unsigned)step < RECEIPT_STEP_COUNT);
	return step_texts[step].name;
}

const char *receipt_step_meaning(enum receipt_step step)
{
	exp_require((unsigned)step < RECEIPT_STEP_COUNT);
	return step_texts[step].meaning;
}

/* What the steps share; leaf is there once RECEIPT_LEAF is good. */
struct check {
	const struct receipt *receipt;
	const struct note_key *key;
	const struct identity *identity;
	struct receipt_report *report;
	struct leaf leaf;
};

static int check_signature(struct check *c, struct exp_error *err)
{
	const struct buf *note = &c->receipt->note;

	return checkpoint_open(note->data ? note->data : "", note->size, c->key, &c->report->checkpoint, err);
}

static int check_leaf(struct check *c, struct exp_error *err)
{
	const struct buf *bytes = &c->receipt->leaf;
	int rc = leaf_check(bytes->data ? bytes->data : "", bytes->size, &c->leaf, err);

	if (!rc && c->leaf.type != LEAF_REQUEST_COMPLETED)
		rc = error_set(err, EXP_EVERIFY, "the leaf is a %s, not the completion of a request",
			       leaf_type_name(c->leaf.type));
	return rc;
}

static int check_inclusion(struct check *c, struct exp_error *err)
{
	const struct merkle_head *head = &c->report->checkpoint.head;
	uint8_t hash[DIGEST_SIZE];

	merkle_leaf_hash(c->receipt->leaf.data, c->receipt->leaf.size, hash);
	return merkle_verify_inclusion(hash, c->receipt->index, head->size, &c->receipt->proof, head->root, err);
}

static int check_request(struct check *c, struct exp_error *err)
{
	const char *request = leaf_text(&c->leaf, "request");

	if (!request || strcmp(request, c->receipt->request) != 0)
		return error_set(err, EXP_EVERIFY, "the leaf is about request %s, the receipt about %s",
				 request ? request : "none", c->receipt->request);
	return 0;
}

static int check_key(struct check *c, struct exp_error *err)
{
	const char *committed = leaf_text(&c->leaf, "key_sha256");
	uint8_t hash[DIGEST_SIZE];
	char hex[DIGEST_HEX];

	sha256(c->receipt->key, sizeof(c->receipt->key), hash);
	if (!committed || strcmp(committed, hex_encode(hash, sizeof(hash), hex)) != 0)
		return error_set(err, EXP_EVERIFY, "the receipt's key k is not the one that the leaf commits to");
	return 0;
}

static int check_identity(struct check *c, struct exp_error *err)
{
	const json_t *subject = json_object_get(c->leaf.body, "subject");
	uint8_t hash[DIGEST_SIZE];
	char hex[DIGEST_HEX];
	json_t *item;
	size_t i;

	identity_hash(c->identity, c->receipt->key, hash);
	hex_encode(hash, sizeof(hash), hex);
	json_array_foreach(subject, i, item)
		if (!strcmp(json_string_value(item), hex))
			return 0;
	return error_set(err, EXP_EVERIFY, "the receipt is not about the identity that you named");
}

static int (*const step_functions[])(struct check *c, struct exp_error *err) = {
	[RECEIPT_SIGNATURE] = check_signature, [RECEIPT_LEAF] = check_leaf, [RECEIPT_INCLUSION] = check_inclusion,
	[RECEIPT_REQUEST] = check_request,     [RECEIPT_KEY] = check_key,   [RECEIPT_IDENTITY] = check_identity,
};

int receipt_verify(const struct receipt *r, const struct note_key *key, const struct identity *identity,
		   struct receipt_report *report, struct exp_error *err)
{
	struct check c = { .receipt = r, .key = key, .identity = identity, .report = report };
	int rc = 0;

	memset(report, 0, sizeof(*report));
	for (int step = 0; !rc && step < RECEIPT_STEP_COUNT; step++) {
		if (step == RECEIPT_IDENTITY && !identity) {
			report->steps[step] = RECEIPT_SKIPPED;
			continue;
		}
		rc = step_functions[step](&c, err);
		report->steps[step] = rc ? RECEIPT_BAD : RECEIPT_GOOD;
	}
	if (c.leaf.body)
		leaf_fini(&c.leaf);
	return rc;
}

void receipt_fini(struct receipt *r)
{
	buf_fini(&r->leaf);
	buf_fini(&r->note);
	sodium_memzero(r, sizeof(*r));
}
