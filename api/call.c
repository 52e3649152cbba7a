#include "api/call.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api_internal.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

struct call *call_new(struct api *api, struct MHD_Connection *connection)
{
	struct call *c = mem_alloc(sizeof(*c));

	c->api = api;
	c->connection = connection;
	c->started_ms = clock_monotonic_ms();
	c->upload.fd = -1;
	atomic_init(&c->references, 1);
	atomic_fetch_add(&api->calls, 1);
	return c;
}

struct call *call_ref(struct call *c)
{
	atomic_fetch_add(&c->references, 1);
	return c;
}

static void close_upload(struct call_upload *u)
{
	if (u->fd >= 0)
		close(u->fd);
	if (u->path)
		unlink(u->path);
	mem_free(u->path);
}

/* Bodies name people: their texts do not stay behind in freed memory. */
static void wipe_json(json_t *value)
{
	const char *key;
	json_t *child;
	size_t i;

	if (json_is_string(value))
		sodium_memzero((char *)json_string_value(value), json_string_length(value));
	json_array_foreach(value, i, child)
		wipe_json(child);
	json_object_foreach(value, key, child)
		wipe_json(child);
}

void call_unref(struct call *c)
{
	struct api *api = c->api;

	if (atomic_fetch_sub(&c->references, 1) != 1)
		return;
	if (c->state_free)
		c->state_free(c->state);
	mem_free(c->state);
	close_upload(&c->upload);
	wipe_json(c->json);
	json_decref(c->json);
	buf_fini_secret(&c->body);
	reply_fini(&c->reply);
	route_match_fini(&c->match);
	for (size_t i = 0; i < c->query_count; i++) {
		mem_free(c->queries[i].name);
		mem_free(c->queries[i].value);
	}
	mem_free(c);
	atomic_fetch_sub(&api->calls, 1);
}

const char *call_header(const struct call *c, const char *name)
{
	return MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, name);
}

const char *call_query(const struct call *c, const char *name)
{
	for (size_t i = 0; i < c->query_count; i++)
		if (!strcmp(c->queries[i].name, name))
			return c->queries[i].value;
	return NULL;
}

const char *call_arg(const struct call *c, size_t i)
{
	return c->match.args[i];
}

static bool knows_query(const struct route *route, const char *name)
{
	const char *at = route->query;
	size_t size = strlen(name);

	while (*at) {
		size_t word = strcspn(at, " ");

		if (word == size && !memcmp(at, name, size))
			return true;
		at += word + (at[word] == ' ');
	}
	return false;
}

struct query_reader {
	struct call *call;
	struct exp_error *err;
	int rc;
};

static int add_query(struct query_reader *r, char *name, char *value)
{
	struct call *c = r->call;

	if (!knows_query(c->match.route, name))
		return error_set(r->err, EXP_EPARSE, "the query has a parameter that is not known here; known are: %s",
				 c->match.route->query[0] ? c->match.route->query : "none");
	if (call_query(c, name))
		return error_set(r->err, EXP_EPARSE, "the query parameter %s is given twice", name);
	c->queries[c->query_count++] = (struct call_query){ name, value };
	return 0;
}

static enum MHD_Result read_query(void *arg, enum MHD_ValueKind kind, const char *raw_name, const char *raw_value)
{
	struct query_reader *r = arg;
	char *name = NULL, *value = NULL;

	(void)kind;
	if (r->call->query_count == CALL_QUERIES)
		r->rc = error_set(r->err, EXP_EPARSE, "the query has more than %d parameters", CALL_QUERIES);
	else if (route_decode(raw_name, strlen(raw_name), &name) ||
		 route_decode(raw_value ? raw_value : "", raw_value ? strlen(raw_value) : 0, &value))
		r->rc = error_set(r->err, EXP_EPARSE, "the query has an escape that is not %%XX");
	else
		r->rc = add_query(r, name, value);
	if (r->rc) {
		mem_free(name);
		mem_free(value);
	}
	return r->rc ? MHD_NO : MHD_YES;
}

int call_read_query(struct call *c, struct exp_error *err)
{
	struct query_reader r = { .call = c, .err = err };

	MHD_get_connection_values(c->connection, MHD_GET_ARGUMENT_KIND, read_query, &r);
	return r.rc;
}

int call_page(const struct call *c, size_t *size, const char **token, struct exp_error *err)
{
	const char *text = call_query(c, "page_size");
	size_t n = 0;

	if (text) {
		char *end;

		errno = 0;
		n = strtoul(text, &end, 10);
		if (errno || *end || text[0] < '0' || text[0] > '9' || n < 1 || n > CALL_PAGE_MAX)
			return error_set(err, EXP_EPARSE, "page_size must be a number from 1 to %d", CALL_PAGE_MAX);
	}
	*size = n;
	*token = call_query(c, "page_token");
	return 0;
}

void *call_state_new(struct call *c, size_t size, void (*free_state)(void *state))
{
	exp_require(!c->state);
	c->state = mem_alloc(size);
	c->state_free = free_state;
	return c->state;
}
