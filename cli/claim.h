/*
 * claim.h: who a deletion request is about, from the command line, a file or standard input, as the body of
 * POST /v1/deletion-requests and …/preview.
 *
 * What stands on a command line is seen by everybody who may list processes, and often kept in a shell's history:
 * --identity-file keeps identities out of both. Nothing of this file is ever printed.
 */
#ifndef CLI_CLAIM_H
#define CLI_CLAIM_H

#include "base/json.h"
#include "cli/option.h"

/* A member `claim` of the command's own struct, so that the rows find it. */
struct claim_options {
	struct option_list identities; /* "type:value" */
	const char *identity_file;     /* one "type:value" a line; "-": standard input */
	int regime;                    /* index into claim_regimes */
	const char *received_at;
};

extern const char *const claim_regimes[]; /* NULL-terminated */

#define CLAIM_AT(type, member) .offset = offsetof(type, claim) + offsetof(struct claim_options, member)

#define CLAIM_ROWS(type)                                                                                               \
	{ .name = "identity",                                                                                          \
	  .kind = OPTION_LIST,                                                                                         \
	  CLAIM_AT(type, identities),                                                                                  \
	  .value = "type:value",                                                                                       \
	  .help = "one of the person's identities; may be repeated, and is seen in the list of processes" },           \
	{                                                                                                              \
		.name = "identity-file", .kind = OPTION_TEXT, CLAIM_AT(type, identity_file), .value = "FILE|-",        \
		.help = "reads type:value from it, one a line; - is standard input"                                    \
	}

/* *out: {"subject": {"identities": […]}, …}, a new reference. EXP_EINVAL (none given, no "type:value" form; the line is
 * named, its text is not), EXP_ENOTFOUND, EXP_EIO. */
EXP_NODISCARD int claim_read(const struct claim_options *o, json_t **out, struct exp_error *err);

#endif
