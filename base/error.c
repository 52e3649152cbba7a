#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct row {
	int code;
	enum exp_error_class class;
	const char *slug, *sentence;
};

static const struct row rows[] = {
#define X(symbol, number, class, slug, sentence) { symbol, class, slug, sentence },
#include "base/error.def"
#undef X
};

static const struct row *find(int code)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].code == code)
			return &rows[i];
	return find(EXP_EINTERNAL);
}

int error_set(struct exp_error *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	err->code = code;
	err->pointer[0] = '\0';
	return code;
}

int error_set_field(struct exp_error *err, int code, const char *pointer, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	err->code = code;
	snprintf(err->pointer, sizeof(err->pointer), "%s", pointer);
	return code;
}

int error_wrap(struct exp_error *err, int code, const char *format, ...)
{
	char context[EXP_ERROR_MESSAGE], whole[2 * EXP_ERROR_MESSAGE + 2];
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	vsnprintf(context, sizeof(context), format, args);
	va_end(args);
	snprintf(whole, sizeof(whole), "%s: %s", context, err->code ? err->message : error_sentence(code));
	memcpy(err->message, whole, sizeof(err->message) - 1);
	err->message[sizeof(err->message) - 1] = '\0';
	if (!err->code)
		err->code = code;
	return err->code;
}

int error_set_errno(struct exp_error *err, const char *doing, const char *path)
{
	int saved = errno;
	int code = saved == ENOSPC || saved == EDQUOT ? EXP_ENOSPACE : saved == ENOENT ? EXP_ENOTFOUND : EXP_EIO;

	return error_set(err, code, "%s %s: %s", doing, path, strerror(saved));
}

enum exp_error_class error_class(int code)
{
	return find(code)->class;
}

const char *error_slug(int code)
{
	return find(code)->slug;
}

const char *error_sentence(int code)
{
	return find(code)->sentence;
}
