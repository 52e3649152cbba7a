/*
 * route.h: which path and method lead to which handler, who may call it, and what body it takes.
 *
 * The table is route.def. A template is split at '/': a literal segment matches itself, "{name}" one segment,
 * "{name...}" the rest of the path; literals win over names. Segments are percent-decoded after splitting, so that an
 * encoded slash never makes a segment; an escape that is not one, or that decodes to NUL, is EXP_EPARSE.
 *
 * Threads: any; the table is constant.
 */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "api/scope.h"
#include "base/error.h"

struct call;

enum route_method { ROUTE_GET, ROUTE_POST, ROUTE_PUT, ROUTE_DELETE, ROUTE_METHODS };

enum route_body {
	ROUTE_NO_BODY,
	ROUTE_JSON,          /* application/json, at most body_limit; parsed before the handler runs */
	ROUTE_JSON_OPTIONAL, /* the same, or nothing */
	ROUTE_INFER,         /* JSON of at most infer_limit; the handler parses */
	ROUTE_UPLOAD,        /* application/octet-stream, streamed to a staging file, at most upload_limit */
};

/* 0: c->reply is set. CALL_SUSPENDED: the connection waits, see suspend.h. Negative: err becomes the reply. */
typedef int route_handler(struct call *c, struct exp_error *err);

struct route {
	enum route_method method;
	const char *path;
	enum scope scope;
	enum route_body body;
	const char *query; /* names of the query parameters that it knows, separated by spaces */
	route_handler *handle;
};

enum {
	ROUTE_COUNT = 0
#define X(name, method, path, scope, body, query) +1
#include "api/route.def"
#undef X
};

#define X(name, method, path, scope, body, query) route_handler api_##name;
#include "api/route.def"
#undef X

enum { ROUTE_ARGS = 3 };

struct route_match {
	const struct route *route;
	char *args[ROUTE_ARGS]; /* the named segments in order, decoded; route_match_fini frees */
};

/* "GET", "POST", …; HEAD reads as GET. False for any other word. */
bool route_parse_method(const char *text, enum route_method *method);
const char *route_method_name(enum route_method method);

/* EXP_ENOTFOUND when no template fits the path, EXP_ECONFLICT when one does but not for this method (route_allowed
 * tells which), EXP_EPARSE for a bad escape. */
EXP_NODISCARD int route_find(enum route_method method, const char *path, struct route_match *out);
void route_match_fini(struct route_match *m);

/* Bit 1 << method for each method that some template offers for path; 0: no such path. */
unsigned route_allowed(const char *path);

/* Row i of the table, i < ROUTE_COUNT. */
const struct route *route_at(size_t i);
size_t route_number(const struct route *route);

/* Decodes %XX of size bytes into a new string (mem_free). EXP_EPARSE. */
EXP_NODISCARD int route_decode(const char *text, size_t size, char **out);

#endif
