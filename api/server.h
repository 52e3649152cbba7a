/*
 * server.h: the HTTP face of the daemon, and its outer contract. Everything else in this folder is private to it.
 *
 * One struct api is one listening socket with its pool of libmicrohttpd threads, a small pool for blocking work
 * (imports, validation, large inference), and a table of suspended connections with deadlines of their own. A request
 * is parsed, checked and answered on a pool thread; what must wait (for the writer's commit, for blocking work, for a
 * change that a long poll asked for) suspends its connection first and is handed over then.
 *
 * Ownership: options are copied, the objects that they point to are borrowed and must outlive api_stop.
 * Threads: api_start and api_stop from one thread; api_notify and api_port from any.
 */
#ifndef API_SERVER_H
#define API_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"

struct api;
struct audit;
struct models;
struct store;

struct api_options {
	const char *listen_address; /* numeric IPv4 or IPv6; NULL is "127.0.0.1" */
	uint16_t port;              /* 0: any free one, see api_port */
	unsigned threads;           /* HTTP threads; 0 is 2 */
	size_t body_limit;          /* bytes of a JSON body; 0 is 1 MiB */
	size_t infer_limit;         /* bytes of an inference request; 0 is 16 MiB */
	size_t upload_limit;        /* bytes of an uploaded file; 0 is 4 GiB */
	unsigned connection_limit;  /* open connections; 0 is 1,024 */
	unsigned idle_timeout_s;    /* a connection that sends nothing for so long is closed; 0 is 30 */
	bool open_inference;        /* /v2 needs no token */

	const char *data_folder; /* uploads are staged, and the log's tiles found, below it */
	const char *import_root; /* imports by path are read below it; NULL refuses them */

	struct store *store;
	struct audit *audit;
	struct models *models;     /* the live registry */
	const uint8_t *lookup_key; /* [DIGEST_KEY_SIZE], from keys.db; copied */

	/* Called after a commit that enqueued work; any thread. NULL is fine. */
	void (*wake)(void *arg);
	void *wake_arg;

	/* Whether recovery is over and workers run; any thread. NULL reads as yes. */
	bool (*is_ready)(void *arg);
	void *ready_arg;
};

/* EXP_EINVAL (an address that is not numeric, a folder missing), EXP_EBUSY (the port is taken), EXP_EMEMORY, EXP_EIO.
 */
EXP_NODISCARD int api_start(const struct api_options *options, struct api **out, struct exp_error *err);

/* The port that is listened on. */
uint16_t api_port(const struct api *a);

/* A request, job or model changed: long polls look again. Cheap; any thread, also from within a storage callback. */
void api_notify(struct api *a);

/* Refuses new connections, answers what is suspended, waits until every handed-over piece of work has come back, then
 * closes and frees. NULL is fine. The store's writer must still run. */
void api_stop(struct api *a);

#endif
