#include "api/subject_claim.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/identity.h"
#include "base/mem.h"

enum { CCPA_DAYS = 45, CLOCK_SKEW_MS = 60 * 1000, POINTER = 48 };

struct body {
	char reference[CLAIM_REFERENCE], reason[CLAIM_REASON], received_at[CLOCK_RFC3339 + 8];
	int regime;
	json_t *subject;
};

struct named {
	char *type, *value;
};

static const char *const regimes[] = {
#define X(symbol, name) name,
#include "storage/regime.def"
#undef X
	NULL,
};

static const struct json_field body_fields[] = {
	{ .name = "request_id",
	  .kind = JSON_FIELD_TEXT,
	  .offset = offsetof(struct body, reference),
	  .size = CLAIM_REFERENCE },
	{ .name = "regime", .kind = JSON_FIELD_ENUM, .offset = offsetof(struct body, regime), .names = regimes },
	{ .name = "received_at",
	  .kind = JSON_FIELD_TEXT,
	  .offset = offsetof(struct body, received_at),
	  .size = sizeof(((struct body *)0)->received_at) },
	{ .name = "subject", .kind = JSON_FIELD_OBJECT, .required = true, .offset = offsetof(struct body, subject) },
	{ .name = "reason", .kind = JSON_FIELD_TEXT, .offset = offsetof(struct body, reason), .size = CLAIM_REASON },
};

static const struct json_field subject_fields[] = {
	{ .name = "identities", .kind = JSON_FIELD_ARRAY, .required = true },
};

static const struct json_field identity_fields[] = {
	{ .name = "type", .kind = JSON_FIELD_STRING, .required = true, .offset = offsetof(struct named, type) },
	{ .name = "value", .kind = JSON_FIELD_STRING, .required = true, .offset = offsetof(struct named, value) },
};

#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

int64_t subject_claim_due(enum regime regime, int64_t received_at)
{
	if (regime == REGIME_CCPA)
		return received_at + (int64_t)CCPA_DAYS * 24 * 3600 * 1000;
	return clock_add_months(received_at, 1);
}

bool claim_reason_is_valid(const char *text)
{
	size_t size = strlen(text);

	return size && size < CLAIM_REASON && text[0] >= 'a' && text[0] <= 'z' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == size;
}

/* A key that is not one of ours could be anybody's name: json_fill would quote it. */
static int refuse_unknown(const json_t *object, const char *base, const struct json_field *fields, size_t count,
			  struct exp_error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		char pointer[POINTER + CLAIM_REASON];
		size_t i = 0;

		while (i < count && strcmp(fields[i].name, key))
			i++;
		if (i < count)
			continue;
		if (!claim_reason_is_valid(key))
			return error_set_field(err, EXP_EFIELD, base, "%s has a field that is not known here",
					       base[0] ? base : "the body");
		snprintf(pointer, sizeof(pointer), "%s/%s", base, key);
		return error_set_field(err, EXP_EFIELD, pointer, "%s is not a known field", pointer);
	}
	return 0;
}

static int fill(const json_t *object, const char *base, const struct json_field *fields, size_t count, void *out,
		struct exp_error *err)
{
	int rc = json_is_object(object) ? refuse_unknown(object, base, fields, count, err) : 0;

	return rc ? rc : json_fill(object, base, fields, count, out, err);
}

static void wipe(char *text)
{
	if (text)
		mem_free_secret(text, strlen(text));
}

static bool is_repeated(const struct subject_claim *claim, const uint8_t hash[DIGEST_SIZE])
{
	for (size_t i = 0; i < claim->count; i++)
		if (!memcmp(claim->lookup[i], hash, DIGEST_SIZE))
			return true;
	return false;
}

static int add_identity(const json_t *item, size_t i, const struct claim_keys *keys, struct subject_claim *claim,
			struct exp_error *err)
{
	uint8_t hash[DIGEST_SIZE];
	struct named named = { 0 };
	struct identity id;
	char pointer[POINTER];
	int rc;

	snprintf(pointer, sizeof(pointer), "/subject/identities/%zu", i);
	rc = fill(item, pointer, identity_fields, COUNT(identity_fields), &named, err);
	if (rc)
		return rc;
	rc = identity_init(&id, named.type, named.value, err);
	wipe(named.type);
	wipe(named.value);
	if (rc) {
		if (err)
			snprintf(err->pointer, sizeof(err->pointer), "%s", pointer);
		return rc == EXP_EPARSE ? EXP_EINVAL : rc;
	}
	identity_hash(&id, keys->lookup, hash);
	if (!is_repeated(claim, hash)) {
		memcpy(claim->lookup[claim->count], hash, DIGEST_SIZE);
		identity_hash(&id, keys->request, claim->leaf[claim->count++]);
	}
	identity_fini(&id);
	return 0;
}

static int parse_subject(const json_t *subject, const struct claim_keys *keys, struct subject_claim *claim,
			 struct exp_error *err)
{
	json_t *list = NULL, *item;
	size_t i;
	int rc = fill(subject, "/subject", subject_fields, COUNT(subject_fields), &list, err);

	if (rc)
		return rc;
	if (!json_array_size(list) || json_array_size(list) > CLAIM_IDENTITIES)
		return error_set_field(err, EXP_EFIELD, "/subject/identities",
				       "/subject/identities must hold 1 to %d identities of one person",
				       CLAIM_IDENTITIES);
	json_array_foreach(list, i, item) {
		rc = add_identity(item, i, keys, claim, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int parse_time(const struct body *b, int64_t now_ms, struct subject_claim *claim, struct exp_error *err)
{
	claim->received_at = now_ms;
	if (b->received_at[0]) {
		if (clock_parse(b->received_at, &claim->received_at) || claim->received_at <= 0)
			return error_set_field(err, EXP_EFIELD, "/received_at",
					       "/received_at must be a time as in RFC 3339");
		if (claim->received_at > now_ms + CLOCK_SKEW_MS)
			return error_set_field(err, EXP_ERANGE, "/received_at", "/received_at lies in the future");
	}
	claim->due_at = subject_claim_due(claim->regime, claim->received_at);
	return 0;
}

int subject_claim_parse(const json_t *body, const struct claim_keys *keys, int64_t now_ms, struct subject_claim *out,
			struct exp_error *err)
{
	struct body b = { .regime = REGIME_GDPR };
	struct subject_claim claim = { 0 };
	int rc = fill(body, "", body_fields, COUNT(body_fields), &b, err);

	if (rc)
		return rc;
	if (b.reason[0] && !claim_reason_is_valid(b.reason))
		return error_set_field(err, EXP_EFIELD, "/reason",
				       "/reason must be one word of a-z, 0-9 and _ (free text could name a person)");
	claim.regime = (enum regime)b.regime;
	memcpy(claim.reference, b.reference, sizeof(claim.reference));
	memcpy(claim.reason, b.reason, sizeof(claim.reason));
	rc = parse_time(&b, now_ms, &claim, err);
	if (!rc)
		rc = parse_subject(b.subject, keys, &claim, err);
	if (!rc)
		*out = claim;
	return rc;
}
