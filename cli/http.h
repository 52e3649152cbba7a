/*
 * http.h: one HTTP exchange after another with one server (libcurl). The only user of curl/curl.h in this folder.
 *
 * A bearer token travels in a header, never in a URL or on a command line, and only to a server that is reached by
 * https or that runs on this machine. Redirects are not followed, so that it goes nowhere else. Proxies are taken from
 * the environment as curl does, except for this machine, which is always reached directly.
 *
 * Ownership: http_new's result is freed by http_free and keeps the connection open in between. Threads: one at a time.
 */
#ifndef CLI_HTTP_H
#define CLI_HTTP_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct http;

enum { HTTP_ETAG = 80, HTTP_HEADERS = 6 };

/* All borrowed. */
struct http_request {
	const char *method; /* "GET" */
	const char *url;
	const char *token;                 /* NULL: none */
	const char *headers[HTTP_HEADERS]; /* "Name: value"; ends at the first NULL */
	const void *body;                  /* NULL: none */
	size_t body_size;
	const char *file; /* a path whose bytes are the body; NULL: none */
	long timeout_s;   /* of the whole exchange; 0: only a stall of a minute ends it */
};

struct http_answer {
	long status;
	char etag[HTTP_ETAG]; /* "" for none */
	struct buf body;
};

/* EXP_EMEMORY. */
EXP_NODISCARD int http_new(struct http **out, struct exp_error *err);
void http_free(struct http *h);

/* EXP_ENETWORK (no connection, cut off, too slow), EXP_EINVAL (a bad URL, or a token that would travel in clear),
 * EXP_ENOTFOUND and EXP_EIO (the file), EXP_ELIMIT (an answer over 256 MiB). An answer of any status is success. */
EXP_NODISCARD int http_exchange(struct http *h, const struct http_request *r, struct http_answer *out,
				struct exp_error *err);
void http_answer_fini(struct http_answer *a);

#endif
