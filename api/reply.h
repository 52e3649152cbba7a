/*
 * reply.h: answers. Handlers fill a call's reply; reply.c alone turns it into a libmicrohttpd response, and an error's
 * class into an HTTP status.
 *
 * Errors are RFC 9457 problems (application/problem+json): type "/problems/<slug>" with the slug of base/error.def,
 * title, status, detail, and errors[] with a JSON Pointer where a field is at fault. Below /v2 they have the Open
 * Inference Protocol's shape instead: {"error": text}. What only the operator can mend (class io, corrupt, internal)
 * goes to the log in full and to the client as the table's sentence.
 *
 * Ownership: a reply belongs to its call. Threads: the call's.
 */
#ifndef API_REPLY_H
#define API_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

struct call;

enum { REPLY_HEADERS = 8 };

struct reply {
	unsigned status; /* 0: not answered yet */
	const char *type;
	struct buf body;
	int fd; /* a file to send instead of body; valid when has_file */
	uint64_t fd_size;
	bool has_file;
	bool must_close; /* the connection ends with this answer */
	size_t header_count;
	struct {
		const char *name;
		char *value;
	} headers[REPLY_HEADERS];
};

/* Adds a header; name is a literal. Call before or after the body is set. */
void reply_header(struct call *c, const char *name, const char *format, ...) EXP_PRINTF(3, 4);

/* Takes over value's reference. */
void reply_json(struct call *c, unsigned status, json_t *value);

/* As reply_json with 200, under a strong ETag made of the bytes; 304 without a body when If-None-Match names it. */
void reply_json_tagged(struct call *c, json_t *value);

/* Whether If-None-Match of the call names the ETag that value would get. False without that header. */
bool reply_is_unchanged(const struct call *c, const json_t *value);

/* Copies the bytes. type is a literal. */
void reply_bytes(struct call *c, unsigned status, const char *type, const void *bytes, size_t size);
void reply_empty(struct call *c, unsigned status);

/* Sends size bytes of fd, which the reply closes. */
void reply_file(struct call *c, const char *type, int fd, uint64_t size);

/* The problem for an EXP_E… code; err may be NULL. Replaces a reply set before. */
void reply_error(struct call *c, int code, const struct exp_error *err);

/* A problem that HTTP alone knows (405, 408, 415 …). */
void reply_problem(struct call *c, unsigned status, const char *slug, const char *detail);

/* The HTTP status of an error. */
unsigned reply_status(int code);

/* Hands the reply to libmicrohttpd. False when the connection must be closed instead. */
bool reply_queue(struct call *c);

void reply_fini(struct reply *r);

#endif
