/*
 * world.h: a real server on a free port over a real store in a temporary folder, and a client (libcurl) that talks to
 * it.
 */
#ifndef WORLD_H
#define WORLD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "api/auth.h"
#include "api/server.h"
#include "base/buf.h"
#include "base/id.h"
#include "base/json.h"

enum { NOBODY = -1 };

struct world {
	char folder[64], imports[64];
	struct store *store;
	struct audit *audit;
	struct models *models;
	struct api *api;
	uint8_t lookup[DIGEST_KEY_SIZE];
	char tokens[ROLE_COUNT][AUTH_TOKEN];
	char token_ids[ROLE_COUNT][AUTH_ID];
	atomic_int wakes;
	atomic_bool is_ready;
};

/* options may be NULL; its objects and folders are filled in. */
void world_start(struct world *w, const struct api_options *options);
void world_stop(struct world *w);

/* Stops and starts the server alone. */
void world_restart(struct world *w, const struct api_options *options);

struct answer {
	long status;
	struct buf head, body;
	json_t *json; /* NULL when the body is none */
};

struct question {
	int role;           /* enum role, or NOBODY */
	const char *token;  /* instead of the role's */
	const char *method; /* NULL: GET, or POST with a body */
	const char *path;
	const char *body;
	size_t body_size; /* 0: strlen */
	const char *type; /* NULL: application/json with a body; "": none */
	const char *headers[4];
	bool chunked;
	long timeout_s; /* 0: 20 */
};

/* Fails the test when no answer comes. */
struct answer ask(struct world *w, const struct question *q);
void answer_fini(struct answer *a);

/* The usual short forms. */
struct answer get(struct world *w, int role, const char *path);
struct answer post(struct world *w, int role, const char *path, const char *body);

/* A header's value, or NULL; the caller frees with mem_free. */
char *answer_header(const struct answer *a, const char *name);

/* A text member of the body, "" when there is none. */
const char *answer_text(const struct answer *a, const char *member);

/* The problem's slug and first pointer, "" when there is none. */
const char *answer_slug(const struct answer *a);
const char *answer_pointer(const struct answer *a);

/* The example of wages (534 people, one row each), registered under "wages" by the server itself. */
void world_add_dataset(struct world *w);

/* Its model, registered under "wages"; the register job stays queued. job may be NULL. */
void world_add_model(struct world *w, char job[ID_TEXT]);

/* Version 1 into service, as the register job would. */
void world_serve(struct world *w);

/* Identities in the example: the training or held-out person of number n, "type:value" split at the colon. */
void world_person(bool heldout, size_t n, char type[32], char value[64]);

/* The body of a deletion request about that person. */
char *world_claim(bool heldout, size_t n);

#endif
