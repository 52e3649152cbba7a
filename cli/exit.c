#include "cli/exit.h"

#include <stddef.h>

#include "base/check.h"
#include "base/error.h"

static const enum cli_exit by_class[] = {
	[ERR_INVALID] = EXIT_INPUT,
	[ERR_LIMIT] = EXIT_INPUT,
	[ERR_UNAUTHORISED] = EXIT_UNAUTHORISED,
	[ERR_NOT_FOUND] = EXIT_STATE,
	[ERR_FORBIDDEN] = EXIT_UNAUTHORISED,
	[ERR_CONFLICT] = EXIT_STATE,
	[ERR_REUSED] = EXIT_STATE,
	[ERR_BUSY] = EXIT_UNREACHABLE,
	[ERR_CORRUPT] = EXIT_TROUBLE,
	[ERR_IO] = EXIT_TROUBLE,
	[ERR_SPACE] = EXIT_TROUBLE,
	[ERR_MEMORY] = EXIT_TROUBLE,
	[ERR_INTERNAL] = EXIT_TROUBLE,
};

enum cli_exit exit_of_error(int code)
{
	switch (code) {
	case 0:
		return EXIT_DONE;
	case EXP_EVERIFY:
		return EXIT_NEGATIVE;
	case EXP_ENETWORK:
		return EXIT_UNREACHABLE;
	default:
		return by_class[error_class(code)];
	}
}

const char *exit_sentence(enum cli_exit status)
{
	switch (status) {
#define X(symbol, number, sentence)                                                                                    \
	case symbol:                                                                                                   \
		return sentence;
#include "cli/exit.def"
#undef X
	}
	exp_require(!"every status has a sentence");
	return NULL;
}
