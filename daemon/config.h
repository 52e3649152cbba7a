/*
 * config.h: the settings of expunged, from defaults, a file and the command line, in this order.
 *
 * The file has lines "key = value"; # starts a comment; unknown keys and bad values are errors that name file and line.
 * Ownership: config_fini frees the strings. Threads: read-only after start.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct config {
#define TEXT                                                char *
#define INT                                                 int64_t
#define BOOL                                                bool
#define X(member, kind, key, default, min, max, unit, help) kind member;
#include "daemon/config.def"
#undef X
#undef TEXT
#undef INT
#undef BOOL
};

/* What the command line asks for beside settings. */
enum config_action { CONFIG_RUN, CONFIG_INIT, CONFIG_CHECK, CONFIG_PRINT, CONFIG_HELP, CONFIG_VERSION };

/* Defaults, then --config FILE, then the other arguments. EXP_EINVAL names the argument, or file and line. */
EXP_NODISCARD int config_load(struct config *c, enum config_action *action, int argc, char **argv,
			      struct exp_error *err);

/* The settings as a file that config_load reads back, each with its help as a comment. */
void config_print(const struct config *c, struct buf *out);

/* The text of --help. */
void config_help(struct buf *out);

void config_fini(struct config *c);

#endif
