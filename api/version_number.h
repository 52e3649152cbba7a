/*
 * version_number.h: the number of a version in a path. Threads: any.
 */
#ifndef API_VERSION_NUMBER_H
#define API_VERSION_NUMBER_H

#include <stdint.h>

#include "base/error.h"

/* EXP_ENOTFOUND unless text is a positive number without sign or leading zeros: no version is called otherwise. */
EXP_NODISCARD int version_number_parse(const char *text, int64_t *out, struct exp_error *err);

#endif
