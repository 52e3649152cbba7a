/*
 * lifecycle.h: the daemon's parts as a table, started in order and stopped in reverse. One cleanup path.
 *
 * The parts that must not know each other meet here: api wakes workers and workers notify api through function
 * pointers. Threads: lifecycle_start and lifecycle_stop from the main thread.
 */
#ifndef DAEMON_LIFECYCLE_H
#define DAEMON_LIFECYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/thread.h"
#include "daemon/config.h"

struct api;
struct audit;
struct models;
struct store;
struct workers;

struct lifecycle {
	const struct config *config;
	struct store *store;
	struct audit *audit;
	struct models *models;
	struct workers *workers;
	struct api *api; /* guarded by lock: workers may call while it comes and goes */
	struct lock lock;
	uint8_t lookup_key[DIGEST_KEY_SIZE];
	size_t started; /* rows of the table */
};

/* Starts everything, or stops what was started and says which part failed and why. The data folder must have been made
 * by
 * --init (EXP_ENOTFOUND says so). */
EXP_NODISCARD int lifecycle_start(struct lifecycle *l, const struct config *config, struct exp_error *err);

/* HTTP first, then the workers, then storage. */
void lifecycle_stop(struct lifecycle *l);

/* --init: makes the data folder, the keys and the first admin token (FOLDER/admin.token, 0600). *vkey is the log's
 * verifier key, mem_free. EXP_EEXISTS: the folder has a token already. */
EXP_NODISCARD int lifecycle_init(const struct config *config, char **vkey, struct exp_error *err);

#endif
