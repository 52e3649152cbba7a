#include "proof/note.h"

#include <ctype.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "proof/lines_internal.h"

enum {
	TYPE_ED25519 = 0x01,
	KEY_ID_SIZE = 4,
	SIGNATURE_BYTES_MAX = 8192, /* post-quantum cosignatures take up to 5 kB */
};

static const char dash[] = "\xe2\x80\x94 ";

/* Decodes one code point of at most left bytes. 0 when it is not well-formed UTF-8 (RFC 3629), else its length. */
static size_t decode(const unsigned char *s, size_t left, uint32_t *out)
{
	static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	uint32_t c = length > 1 ? s[0] & (0xffu >> (length + 1)) : s[0];

	if (!length || length > left)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < lowest[length] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return 0;
	*out = c;
	return length;
}

/* White_Space of the Unicode character database, above U+0020. */
static bool is_space(uint32_t c)
{
	return c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
	       c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool note_name_is_valid(const char *name, size_t size)
{
	uint32_t c;
	size_t n;

	if (!size || size >= NOTE_NAME)
		return false;
	for (size_t i = 0; i < size; i += n) {
		n = decode((const unsigned char *)name + i, size - i, &c);
		if (!n || c < 0x20 || c == '+' || is_space(c))
			return false;
	}
	return true;
}

/* The whole note: UTF-8 and no control characters but newline. */
static bool is_clean(const char *text, size_t size)
{
	uint32_t c;
	size_t n;

	for (size_t i = 0; i < size; i += n) {
		n = decode((const unsigned char *)text + i, size - i, &c);
		if (!n || (c < 0x20 && c != '\n'))
			return false;
	}
	return true;
}

static uint32_t load_id(const uint8_t bytes[KEY_ID_SIZE])
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void store_id(uint32_t id, uint8_t bytes[KEY_ID_SIZE])
{
	for (int i = 0; i < KEY_ID_SIZE; i++)
		bytes[i] = (uint8_t)(id >> (24 - 8 * i));
}

static uint32_t key_id(const char *name, const uint8_t public_key[NOTE_PUBLIC_SIZE])
{
	uint8_t hash[DIGEST_SIZE];
	struct digest d;

	digest_init(&d);
	digest_add(&d, name, strlen(name));
	digest_add(&d, "\n\x01", 2);
	digest_add(&d, public_key, NOTE_PUBLIC_SIZE);
	digest_final(&d, hash);
	return load_id(hash);
}

static int fill_key(struct note_key *key, const char *name, const uint8_t public_key[NOTE_PUBLIC_SIZE])
{
	memset(key, 0, sizeof(*key));
	memcpy(key->name, name, strlen(name));
	memcpy(key->public_key, public_key, NOTE_PUBLIC_SIZE);
	key->id = key_id(key->name, public_key);
	return 0;
}

static int bad_name(struct exp_error *err)
{
	return error_set(err, EXP_EINVAL, "a key name is 1 to %d bytes of UTF-8 without spaces and plus signs",
			 NOTE_NAME - 1);
}

int note_key_init(struct note_key *key, const char *name, const uint8_t seed[NOTE_SEED_SIZE], struct exp_error *err)
{
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];

	if (!note_name_is_valid(name, strlen(name)))
		return bad_name(err);
	crypto_sign_seed_keypair(public_key, secret, seed);
	sodium_memzero(secret, sizeof(secret));
	return fill_key(key, name, public_key);
}

static int malformed_key(struct exp_error *err)
{
	return error_set(err, EXP_EPARSE, "the verifier key is malformed: expected NAME+8 hexadecimal digits+BASE64");
}

/* Where the text ends without the white space that editors and echo put behind it. */
static size_t trimmed(const char *text)
{
	size_t size = strlen(text);

	while (size && isspace((unsigned char)text[size - 1]))
		size--;
	return size;
}

static bool parse_hex_id(const char *text, uint32_t *id)
{
	char copy[2 * KEY_ID_SIZE + 1] = { 0 };
	uint8_t bytes[KEY_ID_SIZE];

	memcpy(copy, text, 2 * KEY_ID_SIZE);
	if (strpbrk(copy, "ABCDEF") || hex_decode(copy, bytes, KEY_ID_SIZE))
		return false;
	*id = load_id(bytes);
	return true;
}

int note_key_parse(struct note_key *key, const char *text, struct exp_error *err)
{
	uint8_t bytes[1 + NOTE_PUBLIC_SIZE];
	size_t size = trimmed(text), room = sizeof(bytes);
	const char *first = memchr(text, '+', size), *second;
	char name[NOTE_NAME] = { 0 };
	struct note_key parsed;
	uint32_t id;

	if (!first || !note_name_is_valid(text, (size_t)(first - text)))
		return malformed_key(err);
	second = first + 1 + 2 * KEY_ID_SIZE;
	if (second >= text + size || *second != '+' || !parse_hex_id(first + 1, &id))
		return malformed_key(err);
	if (base64_decode(second + 1, (size_t)(text + size - second - 1), bytes, &room) || !room)
		return malformed_key(err);
	if (bytes[0] != TYPE_ED25519)
		return error_set(err, EXP_EUNSUPPORTED,
				 "the verifier key is of type 0x%02x; only Ed25519 (0x01) is supported", bytes[0]);
	if (room != sizeof(bytes))
		return malformed_key(err);
	memcpy(name, text, (size_t)(first - text));
	fill_key(&parsed, name, bytes + 1);
	if (parsed.id != id)
		return error_set(err, EXP_EVERIFY,
				 "the verifier key is damaged: its id %08x does not belong to its name and key", id);
	*key = parsed;
	return 0;
}

char *note_key_format(const struct note_key *key)
{
	uint8_t bytes[1 + NOTE_PUBLIC_SIZE] = { TYPE_ED25519 };
	char *encoded, *text;

	memcpy(bytes + 1, key->public_key, NOTE_PUBLIC_SIZE);
	encoded = base64_encode(bytes, sizeof(bytes));
	text = mem_format("%s+%08x+%s", key->name, key->id, encoded);
	mem_free(encoded);
	return text;
}

int note_sign(const char *text, size_t size, const char *name, const uint8_t seed[NOTE_SEED_SIZE], struct buf *out,
	      struct exp_error *err)
{
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
	uint8_t signature[KEY_ID_SIZE + NOTE_SIGNATURE_SIZE];
	char *encoded;

	if (!note_name_is_valid(name, strlen(name)))
		return bad_name(err);
	if (!size || text[size - 1] != '\n' || !is_clean(text, size))
		return error_set(err, EXP_EINVAL,
				 "a note's text is UTF-8 that ends in a newline and has no control characters");
	crypto_sign_seed_keypair(public_key, secret, seed);
	store_id(key_id(name, public_key), signature);
	crypto_sign_detached(signature + KEY_ID_SIZE, NULL, (const unsigned char *)text, size, secret);
	sodium_memzero(secret, sizeof(secret));
	encoded = base64_encode(signature, sizeof(signature));
	buf_add(out, text, size);
	buf_format(out, "\n%s%s %s\n", dash, name, encoded);
	mem_free(encoded);
	return 0;
}

/* The text is separated from the signatures by the last empty line. NULL when there is none. */
static const char *find_signatures(const char *bytes, size_t size)
{
	for (size_t i = size; i > 1; i--)
		if (bytes[i - 1] == '\n' && bytes[i - 2] == '\n')
			return bytes + i;
	return NULL;
}

static bool parse_signature(const struct line *line, struct note_line *out)
{
	uint8_t bytes[SIGNATURE_BYTES_MAX];
	size_t size = sizeof(bytes);
	const char *space;
	struct line rest;

	if (!line_after(line, dash, &rest))
		return false;
	space = memchr(rest.text, ' ', rest.size);
	if (!space || !note_name_is_valid(rest.text, (size_t)(space - rest.text)))
		return false;
	out->name = rest.text;
	out->name_size = (size_t)(space - rest.text);
	if (base64_decode(space + 1, (size_t)(rest.text + rest.size - space - 1), bytes, &size) || size <= KEY_ID_SIZE)
		return false;
	out->id = load_id(bytes);
	out->is_ed25519 = size == KEY_ID_SIZE + NOTE_SIGNATURE_SIZE;
	if (out->is_ed25519)
		memcpy(out->signature, bytes + KEY_ID_SIZE, NOTE_SIGNATURE_SIZE);
	return true;
}

static int parse_signatures(struct lines *lines, struct note *out, struct exp_error *err)
{
	struct line line;

	while (lines_next(lines, &line)) {
		if (out->count == NOTE_SIGNATURES_MAX)
			return error_set(err, EXP_EPARSE, "the note has more than %d signatures", NOTE_SIGNATURES_MAX);
		if (!parse_signature(&line, &out->lines[out->count]))
			return error_set(err, EXP_EPARSE, "signature line %zu of the note is malformed",
					 out->count + 1);
		out->count++;
	}
	if (lines->at != lines->end)
		return error_set(err, EXP_EPARSE, "the note is cut off: its last line has no newline");
	if (!out->count)
		return error_set(err, EXP_EPARSE, "the note has no signature");
	return 0;
}

int note_parse(const char *bytes, size_t size, struct note *out, struct exp_error *err)
{
	const char *signatures;
	struct lines lines;

	if (size > NOTE_SIZE_MAX)
		return error_set(err, EXP_ELIMIT, "the note is larger than %d bytes", NOTE_SIZE_MAX);
	if (!is_clean(bytes, size))
		return error_set(err, EXP_EPARSE, "the note is not UTF-8 text or holds control characters");
	signatures = find_signatures(bytes, size);
	if (!signatures)
		return error_set(err, EXP_EPARSE, "the note has no blank line between text and signatures");
	out->text = bytes;
	out->text_size = (size_t)(signatures - bytes) - 1;
	out->count = 0;
	lines = (struct lines){ signatures, bytes + size };
	return parse_signatures(&lines, out, err);
}

static const struct note_key *find_key(const struct note_line *line, const struct note_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (keys[i].id == line->id && strlen(keys[i].name) == line->name_size &&
		    !memcmp(keys[i].name, line->name, line->name_size))
			return &keys[i];
	return NULL;
}

int note_verify(const struct note *note, const struct note_key *keys, size_t count, struct exp_error *err)
{
	size_t good = 0;

	for (size_t i = 0; i < note->count; i++) {
		const struct note_line *line = &note->lines[i];
		const struct note_key *key = find_key(line, keys, count);

		if (!key)
			continue;
		if (!line->is_ed25519 || crypto_sign_verify_detached(line->signature, (const unsigned char *)note->text,
								     note->text_size, key->public_key))
			return error_set(err, EXP_EVERIFY, "the signature by %s is bad: text or signature was altered",
					 key->name);
		good++;
	}
	if (good)
		return 0;
	return error_set(err, EXP_EVERIFY,
			 "no signature by a key that you trust: the note is signed by \"%.*s\" with key id %08x",
			 (int)note->lines[0].name_size, note->lines[0].name, note->count ? note->lines[0].id : 0);
}
