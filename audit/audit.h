/*
 * audit.h: the daemon's side of the log: leaves go in, signed checkpoints, published files and receipts come out.
 *
 *   audit_append      inside the operation that changes something, so that change and leaf are durable together
 *   audit_checkpoint  from time to time: what was appended enters the tree, the head is signed, stored durably, and
 * only then published below DATA/log (proof/tiles.h); nobody can have seen a head that a power cut takes back
 *   audit_receipt     once the completion of a request is below a published head
 *
 * The signing seed is the secret "log-seed" of keys.db. audit_open hashes every leaf again and refuses to go on when
 * the database does not hold the tree that was last signed or published, or is not the one that the key signed: from
 * such a state only a log that contradicts itself could follow.
 *
 * Ownership: audit_open gives the audit, audit_close ends it; the store outlives it.
 * Threads: audit_append on the writer thread (it runs in an operation); the others from any thread but that one. Two
 * calls of audit_checkpoint at once are refused, not serialised.
 */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "proof/leaf.h"
#include "storage/db.h"
#include "storage/store.h"

struct audit;

/*
 * origin names the log and its key (proof/note.h says what a name may be); it must never change. Publishes what a crash
 * has left unpublished. Reads every leaf: about a second for 250,000. EXP_ECORRUPT: the stored log is not what was
 * signed; the message says what differs and what to do. EXP_EINVAL: origin.
 */
EXP_NODISCARD int audit_open(struct store *store, const char *data_folder, const char *origin, struct audit **out,
			     struct exp_error *err);

void audit_close(struct audit *a); /* NULL is fine */

/* The verifier key that auditors need, "name+id+key"; the caller frees with mem_free. */
char *audit_vkey(const struct audit *a);

/*
 * Builds a leaf at the present time (leaf_build; fields is borrowed) and appends it. request links it to a request,
 * NULL for none. index may be NULL. EXP_EFIELD names the field that the schema of the type does not allow.
 */
EXP_NODISCARD int audit_append(struct txn *txn, enum leaf_type type, const json_t *fields, const char *request,
			       int64_t *index, struct exp_error *err);

/*
 * *advanced tells whether a new head was published. When storing succeeds and publishing fails, the error is
 * publishing's and the next call publishes. EXP_EBUSY: another thread is at it. EXP_ECORRUPT: a leaf's bytes do not
 * have its hash; nothing is signed.
 */
EXP_NODISCARD int audit_checkpoint(struct audit *a, bool *advanced, struct exp_error *err);

/*
 * Appends the .tlog-proof of a completed request to out, after having verified it.
 * EXP_ENOTFOUND: no such request, not completed, or not below a published checkpoint yet (the message says which).
 * EXP_EGONE: the proof period is over and the request's key destroyed.
 */
EXP_NODISCARD int audit_receipt(struct audit *a, const char *request, struct buf *out, struct exp_error *err);

#endif
