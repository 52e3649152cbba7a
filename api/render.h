/*
 * render.h: how times, digests and stored JSON look in answers, and how an answer is read from storage in one snapshot.
 * Threads: any; new references are the caller's.
 */
#ifndef API_RENDER_H
#define API_RENDER_H

#include <stdint.h>

#include "api/call.h"
#include "base/digest.h"
#include "base/json.h"
#include "storage/db.h"

/* RFC 3339, or null for 0. */
json_t *render_time(int64_t ms);
/* The text, or null when it is NULL or "". */
json_t *render_text(const char *text);
/* A message of struct exp_error, which may have been cut inside a character: it then loses its last bytes. */
json_t *render_message(const char *text);
json_t *render_digest(const uint8_t digest[DIGEST_SIZE]);
/* The value of a JSON text from storage, or null for NULL. */
json_t *render_stored(const char *text);

/* Builds one answer on a reading connection, within one snapshot. */
EXP_NODISCARD int render_read(struct call *c,
			      int (*build)(struct call *c, struct db *db, json_t **out, struct exp_error *err),
			      json_t **out, struct exp_error *err);

/* render_read, and a 200 under an ETag. */
EXP_NODISCARD int render_reply(struct call *c,
			       int (*build)(struct call *c, struct db *db, json_t **out, struct exp_error *err),
			       struct exp_error *err);

/* {"items": items, "next_page_token": …} with a Link header to the next page; takes over items. next is "" at the end.
 */
json_t *render_page(struct call *c, json_t *items, const char *next);

#endif
