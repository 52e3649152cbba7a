/*
 * loop.h: the main thread's libuv loop: it waits for the signal that ends the daemon.
 */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H

#include "base/error.h"

/* Returns 0 after the first SIGTERM or SIGINT; from then on a second one ends the process at once. SIGPIPE and SIGHUP
 * are ignored. EXP_EMEMORY. */
EXP_NODISCARD int loop_run_until_signal(struct exp_error *err);

/* Before any thread starts: a write to a closed socket is an error, not a signal. */
void loop_ignore_signals(void);

#endif
