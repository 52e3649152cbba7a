/*
 * verifier.h: checks a whole published log (tiles.h) from its files alone.
 *
 * In this order: the checkpoint is signed by the given key; the tree rebuilt from the entries has the signed root; the
 * hash tiles agree with it; every leaf follows its schema (leaf.h) and the leaves before it (ledger.h); the log
 * continues an earlier checkpoint that the auditor kept; the folder holds nothing else. Older partial tiles may lie in
 * it and are checked too.
 *
 * What it proves: nobody who lacks the key altered, dropped, added or reordered an entry, and nobody who has it did so
 * since the pinned checkpoint. It cannot tell whether what was recorded is true.
 *
 * Threads: any. Memory: the ledger's, and one bundle.
 */
#ifndef PROOF_VERIFIER_H
#define PROOF_VERIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "proof/checkpoint.h"
#include "proof/ledger.h"
#include "proof/note.h"

enum { VERIFIER_FILE = 160 };

struct verifier_report {
	struct checkpoint checkpoint; /* meaningful once its signature is good */
	struct ledger_counts counts;
	bool pinned;              /* a pinned checkpoint was given, and holds */
	char file[VERIFIER_FILE]; /* what is wrong: path below the folder, "" for none in particular */
	int64_t entry;            /* what is wrong: index of the entry, -1 for none in particular */
};

/* An earlier checkpoint, as a signed note; bytes NULL for none. Borrowed. */
struct verifier_pin {
	const char *bytes;
	size_t size;
};

/*
 * 0 when everything holds. Otherwise the first thing that is wrong is in err, *report and the code: EXP_EVERIFY,
 * EXP_EPARSE, EXP_EFIELD, EXP_ENOTFOUND (a file is missing), EXP_ELIMIT, EXP_EIO.
 */
EXP_NODISCARD int verifier_check_folder(const char *folder, const struct note_key *key, const struct verifier_pin *pin,
					struct verifier_report *report, struct exp_error *err);

#endif
