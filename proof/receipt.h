/*
 * receipt.h: what the requester keeps: one file that proves, offline and for ever, what was done.
 *
 * The file is a C2SP tlog-proof@v1:
 *
 *   c2sp.org/tlog-proof@v1
 *   extra <base64>              canonical JSON {"k","leaf","request_id","v"}: the request key in hexadecimal, the leaf
 * in base64 index <n> <proof hashes>              base64, from the leaf's sibling up <blank line> <checkpoint> a signed
 * note
 *
 * The format does not authenticate the extra line; here each of its members is bound all the same: the leaf by its
 * place under the signed root, request_id by the leaf, k by the leaf's key_sha256. So no byte of a receipt can change
 * unnoticed, the lines of foreign signatures excepted, which the format tells verifiers to ignore and which we do not
 * write. k opens the leaf's subject: whoever holds the receipt can show that it is about an identity, HMAC-SHA-256(k,
 * identity), and nobody else can guess it. A receipt is therefore as confidential as the request. It never carries the
 * log's key: that has to come from elsewhere, or the receipt would prove nothing.
 *
 * Ownership: receipt_fini frees and zeroes what a receipt holds. Threads: any.
 */
#ifndef PROOF_RECEIPT_H
#define PROOF_RECEIPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/identity.h"
#include "proof/checkpoint.h"
#include "proof/leaf.h"
#include "proof/merkle.h"

enum { RECEIPT_SIZE_MAX = 1 << 18 };

struct receipt {
	char request[ID_TEXT];
	uint8_t key[DIGEST_KEY_SIZE]; /* k */
	struct buf leaf;              /* its bytes */
	uint64_t index;
	struct merkle_proof proof;
	struct buf note; /* the signed checkpoint */
};

/* Appends the file. The parts are not verified here. */
void receipt_build(const struct receipt *r, struct buf *out);

/* EXP_EPARSE says which line is malformed, EXP_ELIMIT. Only the one way of writing a receipt is accepted. */
EXP_NODISCARD int receipt_parse(const char *bytes, size_t size, struct receipt *out, struct exp_error *err);

/* In the order in which they are taken; each rests on those before. */
enum receipt_step {
	RECEIPT_SIGNATURE, /* the checkpoint is signed by the given key */
	RECEIPT_LEAF,      /* the leaf follows its schema and records a completed request */
	RECEIPT_INCLUSION, /* the leaf stands at the index under the checkpoint's root */
	RECEIPT_REQUEST,   /* the leaf is about the receipt's request */
	RECEIPT_KEY,       /* k is the key that the leaf commits to */
	RECEIPT_IDENTITY,  /* the leaf's subject is the given identity */
	RECEIPT_STEP_COUNT,
};

enum receipt_result { RECEIPT_NOT_REACHED, RECEIPT_GOOD, RECEIPT_BAD, RECEIPT_SKIPPED };

struct receipt_report {
	enum receipt_result steps[RECEIPT_STEP_COUNT];
	struct checkpoint checkpoint; /* meaningful once RECEIPT_SIGNATURE is good */
};

/* For people: "signature", and what a good step means. */
const char *receipt_step_name(enum receipt_step step);
const char *receipt_step_meaning(enum receipt_step step);

/*
 * Takes the steps until one fails; *report is filled in either case. identity may be NULL: its step is then skipped.
 * EXP_EVERIFY, EXP_EFIELD, EXP_EPARSE: err names the first thing that is wrong.
 */
EXP_NODISCARD int receipt_verify(const struct receipt *r, const struct note_key *key, const struct identity *identity,
				 struct receipt_report *report, struct exp_error *err);

void receipt_fini(struct receipt *r);

#endif
