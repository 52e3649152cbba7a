/*
 * sample_log.h: a small log with a true story in it, for the tests of receipts and of the verifier.
 *
 * The tree is hashed by a naive recursion of its own, so that merkle.c is not its own witness.
 */
#ifndef TESTS_PROOF_SAMPLE_LOG_H
#define TESTS_PROOF_SAMPLE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/identity.h"
#include "base/json.h"
#include "proof/leaf.h"
#include "proof/merkle.h"
#include "proof/note.h"
#include "proof/receipt.h"

enum { SAMPLE_LEAVES_MAX = 1200 };

struct sample_log {
	uint8_t seed[NOTE_SEED_SIZE];
	struct note_key key;
	struct buf leaves[SAMPLE_LEAVES_MAX];
	size_t count;
	char weights[DIGEST_HEX]; /* live, of the model "wages" */
	int64_t version;
};

/* Data set, policy and model are there. */
void sample_log_init(struct sample_log *log);
void sample_log_fini(struct sample_log *log);

/* Appends a leaf; fields is consumed. */
void sample_log_add(struct sample_log *log, enum leaf_type type, json_t *fields);

/* One request from its receipt to its completion: seven leaves. */
void sample_log_erase(struct sample_log *log, const char *request, const uint8_t key[DIGEST_KEY_SIZE],
		      const struct identity *who);

/* 64 hexadecimal digits for a word; a static buffer of four. */
const char *sample_digest(const char *word);

/* RFC 6962 section 2.1, word by word. */
void sample_root(const struct buf *entries, size_t count, uint8_t out[DIGEST_SIZE]);

/* The signed checkpoint of the first count leaves. */
void sample_log_checkpoint(const struct sample_log *log, size_t count, struct buf *out);

/* Writes checkpoint and tiles for the first count leaves. */
void sample_log_publish(const struct sample_log *log, size_t count, const char *folder);

/* A receipt for leaf index in the whole log. */
void sample_log_receipt(const struct sample_log *log, size_t index, const char *request,
			const uint8_t key[DIGEST_KEY_SIZE], struct receipt *out);

#endif
