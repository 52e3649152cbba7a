/*
 * error.h: how a function says what went wrong.
 *
 * A function that can fail returns int: 0, or a negative EXP_E… code from error.def, and writes its outputs only on
 * success. Where a person will read the cause, its last parameter is a struct exp_error that receives the code and a
 * sentence: what is wrong, where it stands, what to do. It is untouched on success and may be NULL.
 *
 * Codes of libraries (SQLite, curl, errno …) are translated in the folder that owns the library and never travel on.
 * Identifiers of people never enter a message.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#define EXP_NODISCARD         __attribute__((warn_unused_result))
#define EXP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum exp_error_class {
	ERR_INVALID,
	ERR_LIMIT,
	ERR_UNAUTHORISED,
	ERR_FORBIDDEN,
	ERR_NOT_FOUND,
	ERR_CONFLICT,
	ERR_REUSED,
	ERR_BUSY,
	ERR_CORRUPT,
	ERR_IO,
	ERR_SPACE,
	ERR_MEMORY,
	ERR_INTERNAL,
};

enum exp_error_code {
#define X(symbol, number, class, slug, sentence) symbol = -(number),
#include "base/error.def"
#undef X
};

enum { EXP_ERROR_MESSAGE = 384 };

struct exp_error {
	int code;                        /* 0 or EXP_E… */
	char message[EXP_ERROR_MESSAGE]; /* one sentence, no newline, cut at the end if too long */
	char pointer[96];                /* JSON Pointer of the field at fault, or "" */
};

/* Sets code and message and returns code, so that a failing line reads: return error_set(err, EXP_EINVAL, "…"). */
int error_set(struct exp_error *err, int code, const char *format, ...) EXP_PRINTF(3, 4);

/* As error_set, and names the field at fault by its JSON Pointer (RFC 6901), for example "/subject/identities/0". */
int error_set_field(struct exp_error *err, int code, const char *pointer, const char *format, ...) EXP_PRINTF(4, 5);

/* Puts "context: " in front of the message that a callee has set. Returns err->code, or code when err is NULL. */
int error_wrap(struct exp_error *err, int code, const char *format, ...) EXP_PRINTF(3, 4);

/* Translates errno after a failed system call on path: ENOSPC and EDQUOT to EXP_ENOSPACE, ENOENT to EXP_ENOTFOUND,
 * the rest to EXP_EIO. */
int error_set_errno(struct exp_error *err, const char *doing, const char *path);

/* The table's columns for a code; unknown codes read as EXP_EINTERNAL. */
enum exp_error_class error_class(int code);
const char *error_slug(int code);
const char *error_sentence(int code);

#endif
