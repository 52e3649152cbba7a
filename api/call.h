/*
 * call.h: one HTTP request on its way from the first header to the last byte of the answer.
 *
 * (In this project's words a "request" is a deletion request; what a client sends is a call.)
 *
 * Ownership: the connection holds one reference until libmicrohttpd says that it is over; whoever a call is handed over
 * to (writer, blocking work) holds another, so that a call whose deadline passed can be answered while the work still
 * runs. Threads: the connection's HTTP thread owns every member, except while the call is suspended: then the side that
 * it was handed over to may use body, json and state, and read match and who; result and error pass back under the
 * table's lock.
 */
#ifndef API_CALL_H
#define API_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/auth.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

struct MHD_Connection;
struct api;

enum { CALL_SUSPENDED = 1 }; /* what a handler returns when its connection waits */

enum { CALL_QUERIES = 8, CALL_PAGE_MAX = 500 };

struct call_query {
	char *name, *value; /* decoded */
};

/* A body that goes to a file: written while it arrives, removed with the call unless upload_keep took it. */
struct call_upload {
	int fd; /* -1: none */
	char *path;
};

struct call {
	struct api *api;
	struct MHD_Connection *connection;
	struct route_match match;
	struct principal who;
	struct call_query queries[CALL_QUERIES];
	size_t query_count;

	struct buf body;
	json_t *json; /* the parsed body of ROUTE_JSON and ROUTE_JSON_OPTIONAL, or NULL */
	struct call_upload upload;
	uint64_t received;  /* bytes of the body, kept or thrown away */
	bool is_complete;   /* the body has been taken in and checked */
	int64_t started_ms; /* monotonic */

	struct reply reply;

	/* What was waited for; see suspend.h. */
	route_handler *then;
	int result;
	struct exp_error error;
	bool is_expired; /* the wait ended by its deadline */

	/* The endpoint's own, for its handlers and its operations. */
	void *state;
	void (*state_free)(void *state);

	/* Private to suspend.c. */
	struct call *previous, *next;
	bool is_waiting, is_watching;
	int64_t deadline_ms;
	atomic_uint references;
};

struct call *call_new(struct api *api, struct MHD_Connection *connection);
struct call *call_ref(struct call *c);
void call_unref(struct call *c);

/* A request header, or NULL; borrowed. */
const char *call_header(const struct call *c, const char *name);

/* A query parameter, or NULL; borrowed. */
const char *call_query(const struct call *c, const char *name);

/* A named segment of the path, in order. */
const char *call_arg(const struct call *c, size_t i);

/* Decodes the query and refuses names that the route does not know, and repeated ones. EXP_EPARSE. */
EXP_NODISCARD int call_read_query(struct call *c, struct exp_error *err);

/* page_size (0 when absent) and page_token (NULL). EXP_EPARSE unless page_size is a number from 1 to CALL_PAGE_MAX. */
EXP_NODISCARD int call_page(const struct call *c, size_t *size, const char **token, struct exp_error *err);

/* A zeroed state of size bytes, freed with the call; free_state (may be NULL) frees what it points to. */
void *call_state_new(struct call *c, size_t size, void (*free_state)(void *state));

#endif
