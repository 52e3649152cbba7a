/*
 * api_internal.h: what one running server is made of.
 */
#ifndef API_API_INTERNAL_H
#define API_API_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "api/metrics.h"
#include "api/offload.h"
#include "api/server.h"
#include "api/suspend.h"

struct MHD_Daemon;

enum {
	API_WRITE_TIMEOUT_MS = 30 * 1000,
	API_OFFLOAD_TIMEOUT_MS = 30 * 60 * 1000,
	API_BODY_TIMEOUT_MS = 120 * 1000, /* for a body that is kept in memory to arrive */
	API_DRAIN_LIMIT =
	    1 << 20, /* bytes of a refused body that are read and thrown away, so that the answer is read */
	API_STOP_TIMEOUT_MS = 5 * 1000, /* for answers under way to be sent */
	API_SECRET_SIZE = 32,
};

struct api {
	struct api_options options; /* every default resolved; strings are copies */
	struct MHD_Daemon *daemon;
	uint16_t port;
	uint8_t lookup_key[DIGEST_KEY_SIZE];
	uint8_t idempotency_secret[API_SECRET_SIZE]; /* of Idempotency-Key and of body fingerprints */
	struct suspended suspended;
	struct offload offload;
	struct metrics metrics;
	atomic_bool is_stopping;
	atomic_size_t calls; /* that are not over */
};

/* Tells the workers that something was enqueued. */
void api_wake(struct api *a);

bool api_is_ready(struct api *a);

#endif
