/*
 * checkpoint.h: the signed head of the tree, as C2SP tlog-checkpoint v1.0.0 defines it.
 *
 *   origin               the log's name, also the name of its key
 *   tree size            decimal
 *   root hash            base64
 *
 * Extension lines of other logs are accepted and ignored; ours have none. Threads: any.
 */
#ifndef PROOF_CHECKPOINT_H
#define PROOF_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "proof/merkle.h"
#include "proof/note.h"

struct checkpoint {
	char origin[NOTE_NAME];
	struct merkle_head head;
};

/* Appends the three lines. */
void checkpoint_format(const struct checkpoint *c, struct buf *out);

/* Appends the signed note; the key's name is the origin. As note_sign. */
EXP_NODISCARD int checkpoint_sign(const struct checkpoint *c, const uint8_t seed[NOTE_SEED_SIZE], struct buf *out,
				  struct exp_error *err);

/* Reads a note's text, without any judgement on who signed it. EXP_EPARSE. */
EXP_NODISCARD int checkpoint_parse(const char *text, size_t size, struct checkpoint *out, struct exp_error *err);

/* Reads a signed note: good signature by key, and the origin is the key's name. EXP_EPARSE, EXP_EVERIFY. */
EXP_NODISCARD int checkpoint_open(const char *note, size_t size, const struct note_key *key, struct checkpoint *out,
				  struct exp_error *err);

#endif
