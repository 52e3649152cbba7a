/*
 * remote.h: the daemon, as the online commands reach it: where it is, with which token, JSON there and back.
 *
 * The server and the file that holds the token come from the options, else from EXPUNGE_SERVER and EXPUNGE_TOKEN_FILE.
 * The token itself is never an argument or a variable: those are seen by others. A problem that the daemon answers with
 * (RFC 9457) becomes the EXP_E… code of its slug, its detail and the pointer of its first field.
 *
 * Ownership: remote_close gives everything back, also after a failed open. Threads: one.
 */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "base/json.h"
#include "cli/http.h"
#include "cli/option.h"

#define REMOTE_DEFAULT_SERVER "http://127.0.0.1:8790"

/* The options of every online command; a member `remote` of the command's own struct, so that the rows find it. */
struct remote_options {
	const char *server, *token_file;
};

#define REMOTE_AT(type, member) .offset = offsetof(type, remote) + offsetof(struct remote_options, member)

#define REMOTE_ROWS(type)                                                                                              \
	{ .name = "server",                                                                                            \
	  .kind = OPTION_TEXT,                                                                                         \
	  REMOTE_AT(type, server),                                                                                     \
	  .value = "URL",                                                                                              \
	  .help = "the daemon; default $EXPUNGE_SERVER, else " REMOTE_DEFAULT_SERVER },                                \
	{                                                                                                              \
		.name = "token-file", .kind = OPTION_TEXT, REMOTE_AT(type, token_file), .value = "FILE",               \
		.help = "holds the token; default $EXPUNGE_TOKEN_FILE"                                                 \
	}

struct remote {
	struct http *http;
	char *server; /* without a slash at the end */
	char *token;  /* NULL: none */
};

/* EXP_EINVAL (a token file without a token), EXP_EIO. Connects to nothing yet. */
EXP_NODISCARD int remote_open(struct remote *r, const struct remote_options *o, struct exp_error *err);
void remote_close(struct remote *r);

/* All borrowed. */
struct remote_call {
	const char *method, *path;
	const json_t *body;          /* NULL: none */
	const char *file;            /* bytes to upload in place of body; NULL: none */
	const char *idempotency_key; /* NULL: none */
	const char *etag;            /* answer only when the thing is another than this; NULL: at once */
	int wait_s;                  /* longest wait for that */
	long timeout_s;              /* of work that the daemon does before it answers; 0: 60 */
};

struct remote_answer {
	long status;
	char etag[HTTP_ETAG];
	json_t *json; /* owned by the caller; NULL for an answer without a body (204, 304) */
};

EXP_NODISCARD int remote_send(struct remote *r, const struct remote_call *call, struct remote_answer *out,
			      struct exp_error *err);

/* The two that most commands need; *out is a new reference. */
EXP_NODISCARD int remote_get(struct remote *r, const char *path, json_t **out, struct exp_error *err);
EXP_NODISCARD int remote_post(struct remote *r, const char *path, const json_t *body, json_t **out,
			      struct exp_error *err);

/* As remote_get, but the answer's bytes as they are; appended to out. */
EXP_NODISCARD int remote_get_bytes(struct remote *r, const char *path, struct buf *out, struct exp_error *err);

/* base/part with part percent-encoded; the caller frees with mem_free. */
char *remote_path(const char *base, const char *part);

/* A path with a query, built up; values that are NULL (or 0) are left out. */
struct remote_query {
	struct buf path;
	bool has_any;
};

void remote_query_start(struct remote_query *q, const char *path);
void remote_query_add(struct remote_query *q, const char *name, const char *value);
void remote_query_add_int(struct remote_query *q, const char *name, int64_t value);
void remote_query_fini(struct remote_query *q);

/* A text member of an answer, "-" where it is null or missing; borrowed. */
const char *remote_text(const json_t *object, const char *name);

/* One command's work with the daemon: opens, runs do_it, closes. */
EXP_NODISCARD int remote_run(const struct remote_options *o,
			     int (*do_it)(struct remote *r, void *arg, struct exp_error *err), void *arg,
			     struct exp_error *err);

#endif
