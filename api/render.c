#include "api/render.h"

#include <string.h>

#include "api/api_internal.h"
#include "base/clock.h"

json_t *render_time(int64_t ms)
{
	char text[CLOCK_RFC3339];

	return ms ? json_string(clock_format(ms, text)) : json_null();
}

json_t *render_text(const char *text)
{
	return text && text[0] ? json_string(text) : json_null();
}

json_t *render_message(const char *text)
{
	size_t size = strlen(text);
	json_t *value = NULL;

	for (int cut = 0; !value && cut < 4 && size; cut++)
		value = json_stringn(text, size--);
	return value ? value : json_string("the message cannot be shown");
}

json_t *render_digest(const uint8_t digest[DIGEST_SIZE])
{
	char text[DIGEST_HEX];

	return json_string(hex_encode(digest, DIGEST_SIZE, text));
}

json_t *render_stored(const char *text)
{
	json_t *value = NULL;

	if (!text || json_parse(text, strlen(text), &value, NULL))
		return json_null();
	return value;
}

int render_read(struct call *c, int (*build)(struct call *c, struct db *db, json_t **out, struct exp_error *err),
		json_t **out, struct exp_error *err)
{
	struct store *store = c->api->options.store;
	struct db *db;
	int rc = reader_take(store, &db, err);

	if (rc)
		return rc;
	rc = build(c, db, out, err);
	reader_give(store, db);
	return rc;
}

int render_reply(struct call *c, int (*build)(struct call *c, struct db *db, json_t **out, struct exp_error *err),
		 struct exp_error *err)
{
	json_t *value;
	int rc = render_read(c, build, &value, err);

	if (!rc)
		reply_json_tagged(c, value);
	return rc;
}

/* The same query with another page token. */
static void add_link(struct call *c, const char *next)
{
	struct buf query = { 0 };

	for (size_t i = 0; i < c->query_count; i++)
		if (strcmp(c->queries[i].name, "page_token"))
			buf_format(&query, "%s=%s&", c->queries[i].name, c->queries[i].value);
	buf_format(&query, "page_token=%s", next);
	reply_header(c, "Link", "<%s?%s>; rel=\"next\"", c->match.route->path, query.data);
	buf_fini(&query);
}

json_t *render_page(struct call *c, json_t *items, const char *next)
{
	if (next[0])
		add_link(c, next);
	return json_pack("{s:o, s:o}", "items", items, "next_page_token", render_text(next));
}
