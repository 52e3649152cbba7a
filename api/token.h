/*
 * token.h: how a bearer token looks from outside: never its secret. Threads: any; new references are the caller's.
 */
#ifndef API_TOKEN_H
#define API_TOKEN_H

#include "base/json.h"
#include "storage/tokens.h"

json_t *token_render(const struct stored_token *t);

#endif
