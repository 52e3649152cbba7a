/*
 * lines_internal.h: the small grammar that notes, checkpoints and receipts share: lines, decimals, base64 hashes.
 *
 * A cursor borrows the text. Lines end in a newline, which is not part of them; a last line without one is malformed.
 */
#ifndef PROOF_LINES_INTERNAL_H
#define PROOF_LINES_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct line {
	const char *text;
	size_t size;
};

struct lines {
	const char *at, *end;
};

/* False at the end of the text and before a last line without its newline. */
bool lines_next(struct lines *l, struct line *out);

/* The rest of line after prefix; false when it does not start with it. */
bool line_after(const struct line *line, const char *prefix, struct line *out);

/* Decimal digits without leading zeros, below MERKLE_SIZE_MAX. */
bool line_decimal(const struct line *line, uint64_t *out);

/* Base64 of exactly 32 bytes. */
bool line_hash(const struct line *line, uint8_t out[DIGEST_SIZE]);

#endif
