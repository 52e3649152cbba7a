#include "api/scope.h"

enum { S = 1 << ROLE_SUBMITTER, E = 1 << ROLE_ML_ENGINEER, A = 1 << ROLE_AUDITOR, ALL = S | E | A };

/* Administrators may all, so the table does not repeat them. */
static const struct {
	const char *name;
	int roles;
} scopes[SCOPES] = {
	[SCOPE_PUBLIC] = { "public", ALL },
	[SCOPE_ANY] = { "any", ALL },
	[SCOPE_INFERENCE] = { "inference", ALL },
	[SCOPE_REQUESTS_WRITE] = { "requests:write", S },
	[SCOPE_REQUESTS_READ] = { "requests:read", S | A },
	[SCOPE_REQUESTS_RETRY] = { "requests:retry", E },
	[SCOPE_JOBS_WRITE] = { "jobs:write", E },
	[SCOPE_JOBS_READ] = { "jobs:read", E | A },
	[SCOPE_DATA_WRITE] = { "data:write", E },
	[SCOPE_DATA_READ] = { "data:read", E | A },
	[SCOPE_AUDIT_READ] = { "audit:read", A },
	[SCOPE_TOKENS] = { "tokens", 0 },
};

const char *scope_name(enum scope scope)
{
	return scopes[scope].name;
}

bool scope_allows(enum scope scope, enum role role)
{
	return role == ROLE_ADMIN || (scopes[scope].roles & 1 << role);
}
