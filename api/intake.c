#include "api/intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "api/api_internal.h"
#include "api/upload.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

static size_t body_limit(const struct call *c)
{
	const struct api_options *o = &c->api->options;

	switch (c->match.route->body) {
	case ROUTE_INFER:
		return o->infer_limit;
	case ROUTE_UPLOAD:
		return o->upload_limit;
	case ROUTE_NO_BODY:
	case ROUTE_JSON:
	case ROUTE_JSON_OPTIONAL:
		break;
	}
	return o->body_limit;
}

static void add_allow(struct call *c, unsigned allowed)
{
	struct buf list = { 0 };

	for (int m = 0; m < ROUTE_METHODS; m++)
		if (allowed & 1u << m)
			buf_format(&list, "%s%s, ", route_method_name((enum route_method)m),
				   m == ROUTE_GET ? ", HEAD" : "");
	buf_add_text(&list, "OPTIONS");
	reply_header(c, "Allow", "%s", list.data);
	buf_fini(&list);
}

static void refuse_method(struct call *c, const char *method, const char *path)
{
	unsigned allowed = route_allowed(path);

	if (!allowed) {
		reply_problem(c, 404, "not-found", "no such path; /openapi.json lists them");
		return;
	}
	add_allow(c, allowed);
	if (!strcmp(method, "OPTIONS"))
		reply_empty(c, 204);
	else
		reply_problem(c, 405, "method-not-allowed",
			      "this path does not know the method; Allow lists those it knows");
}

static bool find_route(struct call *c, const char *method, const char *path)
{
	enum route_method m;
	int rc = route_parse_method(method, &m) ? route_find(m, path, &c->match) : EXP_ECONFLICT;

	if (rc == EXP_EPARSE)
		reply_problem(c, 400, "malformed", "the path has an escape that is not %XX");
	else if (rc)
		refuse_method(c, method, path);
	return !rc;
}

static bool has_body(const struct call *c)
{
	const char *length = call_header(c, "Content-Length");

	return call_header(c, "Transfer-Encoding") || (length && strcmp(length, "0"));
}

static bool is_json(const char *type)
{
	static const char json[] = "application/json";
	size_t size = sizeof(json) - 1;

	return type && !strncasecmp(type, json, size) && (!type[size] || type[size] == ';' || type[size] == ' ');
}

static bool check_type(struct call *c)
{
	enum route_body body = c->match.route->body;
	const char *encoding = call_header(c, "Content-Encoding");

	if (body == ROUTE_NO_BODY || !has_body(c))
		return true;
	if (encoding && strcasecmp(encoding, "identity"))
		reply_problem(c, 415, "unsupported-media-type", "bodies are taken without a content coding");
	else if (body != ROUTE_UPLOAD && !is_json(call_header(c, "Content-Type")))
		reply_problem(c, 415, "unsupported-media-type", "the body must be application/json");
	return !c->reply.status;
}

static void refuse_size(struct call *c)
{
	struct exp_error err;

	reply_error(c, error_set(&err, EXP_ELIMIT, "the body is larger than %zu bytes", body_limit(c)), &err);
	c->reply.must_close = true;
}

static bool check_length(struct call *c)
{
	const char *length = call_header(c, "Content-Length");

	if (length && strtoull(length, NULL, 10) > body_limit(c))
		refuse_size(c);
	return !c->reply.status;
}

static bool accept_headers(struct call *c, struct exp_error *err)
{
	int rc = auth_check(c, err);

	if (!rc)
		rc = call_read_query(c, err);
	if (rc)
		reply_error(c, rc, err);
	return !rc && check_type(c) && check_length(c);
}

/* Whether what is left of a refused call's body is small enough to be read and thrown away. */
static bool may_drain(const struct call *c)
{
	const char *length = call_header(c, "Content-Length"), *expect = call_header(c, "Expect");

	return !expect && (!length || strtoull(length, NULL, 10) <= API_DRAIN_LIMIT);
}

/* Counted before the client can know of the answer, so that it finds it in the figures. */
static enum MHD_Result queue(struct call *c)
{
	metrics_count(&c->api->metrics, c->match.route, c->reply.status, clock_monotonic_ms() - c->started_ms);
	return reply_queue(c) ? MHD_YES : MHD_NO;
}

static enum MHD_Result open_call(struct api *a, struct call *c, const char *method, const char *path)
{
	struct exp_error err = { 0 };

	if (a->is_stopping) {
		reply_error(c, error_set(&err, EXP_EBUSY, "the daemon is stopping"), &err);
		c->reply.must_close = true;
		return queue(c);
	}
	if (find_route(c, method, path) && accept_headers(c, &err) && c->match.route->body == ROUTE_UPLOAD) {
		int rc = upload_open(c, &err);

		if (rc)
			reply_error(c, rc, &err);
	}
	if (c->reply.status && has_body(c) && !may_drain(c))
		return queue(c);
	return MHD_YES;
}

/* False when the connection is to be closed: libmicrohttpd takes no answer while a body arrives. */
static bool take_body(struct call *c, const char *data, size_t size)
{
	struct exp_error err = { 0 };
	int rc = 0;

	c->received += size;
	if (c->reply.status)
		return c->received <= body_limit(c) + API_DRAIN_LIMIT;
	if (c->match.route->body == ROUTE_NO_BODY)
		return c->received <= API_DRAIN_LIMIT;
	if (c->received > body_limit(c)) {
		refuse_size(c);
		return true;
	}
	if (c->match.route->body == ROUTE_UPLOAD)
		rc = upload_write(c, data, size, &err);
	else
		buf_add(&c->body, data, size);
	if (rc)
		reply_error(c, rc, &err);
	return c->match.route->body == ROUTE_UPLOAD || clock_monotonic_ms() - c->started_ms < API_BODY_TIMEOUT_MS;
}

static int parse_body(struct call *c, struct exp_error *err)
{
	enum route_body body = c->match.route->body;

	if (body != ROUTE_JSON && body != ROUTE_JSON_OPTIONAL)
		return 0;
	if (!c->body.size)
		return body == ROUTE_JSON ? error_set(err, EXP_EPARSE, "a JSON body is needed") : 0;
	return json_parse(c->body.data, c->body.size, &c->json, err);
}

static int first_step(struct call *c, struct exp_error *err)
{
	int rc;

	c->is_complete = true;
	rc = parse_body(c, err);
	return rc ? rc : c->match.route->handle(c, err);
}

/* After a wait: what was waited for failed, its deadline passed, or the handler goes on. */
static int next_step(struct call *c, struct exp_error *err)
{
	if (c->is_expired && !c->is_watching)
		return error_set(
		    err, EXP_EBUSY,
		    "no answer in time, and it is not known whether it took effect: look, or repeat it with "
		    "the same Idempotency-Key");
	if (c->result) {
		*err = c->error;
		return c->result;
	}
	return c->then(c, err);
}

static enum MHD_Result advance(struct call *c)
{
	struct exp_error err = { 0 };
	int rc;

	if (!c->reply.status) {
		rc = c->is_complete ? next_step(c, &err) : first_step(c, &err);
		if (rc == CALL_SUSPENDED)
			return MHD_YES;
		if (rc)
			reply_error(c, rc, &err);
	}
	return queue(c);
}

enum MHD_Result intake_access(void *api, struct MHD_Connection *connection, const char *path, const char *method,
			      const char *version, const char *data, size_t *size, void **slot)
{
	struct call *c = *slot;

	(void)version;
	if (!c) {
		*slot = c = call_new(api, connection);
		return open_call(api, c, method, path);
	}
	if (*size) {
		size_t n = *size;

		*size = 0;
		return take_body(c, data, n) ? MHD_YES : MHD_NO;
	}
	return advance(c);
}

void intake_completed(void *api, struct MHD_Connection *connection, void **slot, enum MHD_RequestTerminationCode code)
{
	struct call *c = *slot;
	int64_t duration;

	(void)api;
	(void)connection;
	(void)code;
	if (!c)
		return;
	*slot = NULL;
	duration = clock_monotonic_ms() - c->started_ms;
	log_debug("http_request", "method=%s route=%s status=%u ms=%lld",
		  c->match.route ? route_method_name(c->match.route->method) : "-",
		  c->match.route ? c->match.route->path : "-", c->reply.status, (long long)duration);
	call_unref(c);
}
