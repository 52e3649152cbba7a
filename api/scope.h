/*
 * scope.h: what each role may do.
 *
 * A route names one scope; scope.c holds the table of scope by role. Public routes ask for no token; every other route
 * asks for a valid one, even where any role will do. Threads: any.
 */
#ifndef API_SCOPE_H
#define API_SCOPE_H

#include <stdbool.h>

#include "storage/tokens.h"

enum scope {
	SCOPE_PUBLIC,         /* no token: probes, metrics, the description */
	SCOPE_ANY,            /* any valid token */
	SCOPE_INFERENCE,      /* any valid token, or none where the operator opened inference */
	SCOPE_REQUESTS_WRITE, /* submit, preview and cancel deletion requests */
	SCOPE_REQUESTS_READ,
	SCOPE_REQUESTS_RETRY, /* take up again what failed */
	SCOPE_JOBS_WRITE,
	SCOPE_JOBS_READ,
	SCOPE_DATA_WRITE, /* register datasets and models */
	SCOPE_DATA_READ,
	SCOPE_AUDIT_READ, /* the log's files */
	SCOPE_TOKENS,     /* make, list and revoke tokens */
	SCOPES
};

/* "requests:write" and so on, for messages and WWW-Authenticate. */
const char *scope_name(enum scope scope);

bool scope_allows(enum scope scope, enum role role);

#endif
