/*
 * verifier_internal.h: the last step of the verifier, in a file of its own.
 */
#ifndef PROOF_VERIFIER_INTERNAL_H
#define PROOF_VERIFIER_INTERNAL_H

#include <stdint.h>

#include "proof/tiles.h"
#include "proof/verifier.h"

/* Appends the file of a tile below folder. A missing file is EXP_ENOTFOUND; report->file names it. */
EXP_NODISCARD int verifier_read_tile(const char *folder, const struct tile *t, struct verifier_report *report,
				     struct buf *out, struct exp_error *err);

/*
 * Looks at every file below folder, a log of size leaves whose current tiles are verified: older partial tiles must be
 * the beginning of what they grew into; anything else does not belong there. EXP_EVERIFY, EXP_EIO; report->file names
 * the file.
 */
EXP_NODISCARD int verifier_check_files(const char *folder, uint64_t size, struct verifier_report *report,
				       struct exp_error *err);

#endif
