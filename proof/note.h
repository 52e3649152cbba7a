/*
 * note.h: signed notes and verifier keys as C2SP signed-note v1.0.0 defines them, with Ed25519 (type 0x01).
 *
 *   text ending in a newline
 *   <blank line>
 *   — <key name> <base64(4-byte key id || signature)>        one line for each signature
 *
 *   key id        first 4 bytes of SHA-256(name || 0x0a || 0x01 || public key), big-endian
 *   verifier key  name+hex(key id)+base64(0x01 || public key), what a verifier has to bring along
 *
 * A signature by a key that the verifier does not know is ignored; one by a known key that fails rejects the note; a
 * note without any good signature by a known key is rejected.
 *
 * Ownership: a parsed note borrows the bytes that it was parsed from. Threads: any; crypto_init must have succeeded.
 */
#ifndef PROOF_NOTE_H
#define PROOF_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
	NOTE_NAME = 256, /* room for a key name and the NUL */
	NOTE_PUBLIC_SIZE = 32,
	NOTE_SEED_SIZE = 32,
	NOTE_SIGNATURE_SIZE = 64,
	NOTE_SIGNATURES_MAX = 100,
	NOTE_SIZE_MAX = 1 << 20,
};

struct note_key {
	char name[NOTE_NAME];
	uint32_t id;
	uint8_t public_key[NOTE_PUBLIC_SIZE];
};

struct note_line {
	const char *name; /* not NUL-terminated */
	size_t name_size;
	uint32_t id;
	bool is_ed25519; /* 64 bytes follow the id */
	uint8_t signature[NOTE_SIGNATURE_SIZE];
};

struct note {
	const char *text; /* with its last newline */
	size_t text_size;
	size_t count;
	struct note_line lines[NOTE_SIGNATURES_MAX];
};

/* True for a non-empty UTF-8 name that fits NOTE_NAME and has no plus sign, Unicode space or control character. */
bool note_name_is_valid(const char *name, size_t size);

/* The verifier key of a seed. EXP_EINVAL when the name is not valid. */
EXP_NODISCARD int note_key_init(struct note_key *key, const char *name, const uint8_t seed[NOTE_SEED_SIZE],
				struct exp_error *err);

/* Reads a verifier key; white space at the end is allowed, as files have it. EXP_EPARSE, EXP_EUNSUPPORTED (not
 * Ed25519), EXP_EVERIFY (the id does not belong to name and key). */
EXP_NODISCARD int note_key_parse(struct note_key *key, const char *text, struct exp_error *err);

/* "name+hexid+base64"; the caller frees with mem_free. */
char *note_key_format(const struct note_key *key);

/* Appends the whole note: text, blank line, one signature line. EXP_EINVAL when text does not end in a newline, holds
 * other control characters or is not UTF-8, or when the name is not valid. */
EXP_NODISCARD int note_sign(const char *text, size_t size, const char *name, const uint8_t seed[NOTE_SEED_SIZE],
			    struct buf *out, struct exp_error *err);

/* Splits bytes into text and signatures, without judging them. EXP_EPARSE says what is malformed, EXP_ELIMIT above
 * NOTE_SIZE_MAX. */
EXP_NODISCARD int note_parse(const char *bytes, size_t size, struct note *out, struct exp_error *err);

/* 0 when a key of keys has signed the text and none of them fails. EXP_EVERIFY otherwise, saying which. */
EXP_NODISCARD int note_verify(const struct note *note, const struct note_key *keys, size_t count,
			      struct exp_error *err);

#endif
