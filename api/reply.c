#include "api/reply.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/api_internal.h"
#include "api/render.h"
#include "base/check.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"

enum { RETRY_AFTER_S = 1, ETAG = 2 * 16 + 3 };

static const char json_media[] = "application/json";
static const char problem_media[] = "application/problem+json";

static const struct {
	unsigned status;
	const char *title;
} titles[] = {
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 422, "Unprocessable Content" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 507, "Insufficient Storage" },
};

static const char *title_of(unsigned status)
{
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return "Error";
}

unsigned reply_status(int code)
{
	if (code == EXP_EPARSE)
		return 400;
	if (code == EXP_EGONE)
		return 410;
	switch (error_class(code)) {
	case ERR_INVALID:
	case ERR_REUSED:
		return 422;
	case ERR_LIMIT:
		return 413;
	case ERR_UNAUTHORISED:
		return 401;
	case ERR_FORBIDDEN:
		return 403;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_CONFLICT:
		return 409;
	case ERR_BUSY:
	case ERR_MEMORY:
		return 503;
	case ERR_SPACE:
		return 507;
	case ERR_CORRUPT:
	case ERR_IO:
	case ERR_INTERNAL:
		break;
	}
	return 500;
}

void reply_header(struct call *c, const char *name, const char *format, ...)
{
	struct reply *r = &c->reply;
	char *value = NULL;
	va_list args;

	exp_require(r->header_count < REPLY_HEADERS);
	va_start(args, format);
	exp_require(vasprintf(&value, format, args) >= 0);
	va_end(args);
	r->headers[r->header_count].name = name;
	r->headers[r->header_count++].value = value;
}

void reply_bytes(struct call *c, unsigned status, const char *type, const void *bytes, size_t size)
{
	struct reply *r = &c->reply;

	buf_fini(&r->body);
	r->body = (struct buf){ 0 };
	buf_add(&r->body, bytes, size);
	r->status = status;
	r->type = type;
}

void reply_empty(struct call *c, unsigned status)
{
	reply_bytes(c, status, NULL, "", 0);
}

void reply_json(struct call *c, unsigned status, json_t *value)
{
	struct buf text = { 0 };

	json_write(value, false, &text);
	buf_add_text(&text, "\n");
	reply_bytes(c, status, json_media, text.data, text.size);
	buf_fini(&text);
	json_decref(value);
}

static void etag_of(const json_t *value, char etag[ETAG])
{
	uint8_t digest[DIGEST_SIZE];
	struct buf text = { 0 };

	json_write(value, false, &text);
	sha256(text.data, text.size, digest);
	buf_fini(&text);
	etag[0] = '"';
	hex_encode(digest, (ETAG - 3) / 2, etag + 1);
	memcpy(etag + ETAG - 2, "\"", 2);
}

/* RFC 9110 section 13.1.2: a list of tags, weak ones compare as their strong twins, or "*". */
static bool names_tag(const char *list, const char *etag)
{
	return list && (!strcmp(list, "*") || strstr(list, etag));
}

bool reply_is_unchanged(const struct call *c, const json_t *value)
{
	char etag[ETAG];

	etag_of(value, etag);
	return names_tag(call_header(c, "If-None-Match"), etag);
}

void reply_json_tagged(struct call *c, json_t *value)
{
	bool unchanged = reply_is_unchanged(c, value);
	char etag[ETAG];

	etag_of(value, etag);
	reply_header(c, "ETag", "%s", etag);
	if (!unchanged) {
		reply_json(c, 200, value);
		return;
	}
	json_decref(value);
	reply_empty(c, 304);
}

void reply_file(struct call *c, const char *type, int fd, uint64_t size)
{
	struct reply *r = &c->reply;

	r->fd = fd;
	r->fd_size = size;
	r->has_file = true;
	r->type = type;
	r->status = 200;
}

static void reply_inference_error(struct call *c, unsigned status, const char *detail)
{
	reply_json(c, status, json_pack("{s:o}", "error", render_message(detail)));
}

static bool is_inference(const struct call *c)
{
	const char *path = c->match.route ? c->match.route->path : "";

	return !strncmp(path, "/v2", 3);
}

static json_t *problem_new(unsigned status, const char *slug, const char *detail)
{
	char type[64];

	snprintf(type, sizeof(type), "/problems/%s", slug);
	return json_pack("{s:s, s:s, s:i, s:o}", "type", type, "title", title_of(status), "status", (int)status,
			 "detail", render_message(detail));
}

static void reply_problem_json(struct call *c, unsigned status, json_t *problem)
{
	reply_json(c, status, problem);
	c->reply.type = problem_media;
}

void reply_problem(struct call *c, unsigned status, const char *slug, const char *detail)
{
	if (is_inference(c))
		reply_inference_error(c, status, detail);
	else
		reply_problem_json(c, status, problem_new(status, slug, detail));
}

/* What went wrong on our side may name files: it is for the log. */
static const char *public_detail(unsigned status, int code, const struct exp_error *err)
{
	if (!err || !err->message[0])
		return error_sentence(code);
	if (status != 500 && status != 507 && code != EXP_EMEMORY)
		return err->message;
	log_error("http_failed", "code=%s message=\"%s\"", error_slug(code), err->message);
	return error_sentence(code);
}

void reply_error(struct call *c, int code, const struct exp_error *err)
{
	unsigned status = reply_status(code);
	const char *detail = public_detail(status, code, err);
	json_t *problem;

	if (status == 503)
		reply_header(c, "Retry-After", "%d", RETRY_AFTER_S);
	if (is_inference(c)) {
		reply_inference_error(c, status == 422 ? 400 : status, detail);
		return;
	}
	problem = problem_new(status, error_slug(code), detail);
	if (err && err->pointer[0] && status < 500)
		json_object_set_new(problem, "errors",
				    json_pack("[{s:o, s:o}]", "pointer", render_message(err->pointer), "detail",
					      render_message(detail)));
	reply_problem_json(c, status, problem);
}

static struct MHD_Response *make_response(struct reply *r)
{
	size_t size = r->body.size;
	struct MHD_Response *response;
	char *bytes;

	if (r->has_file) {
		r->has_file = false; /* the descriptor is libmicrohttpd's now, on failure too */
		response = MHD_create_response_from_fd64(r->fd_size, r->fd);
		if (!response)
			close(r->fd);
		return response;
	}
	bytes = buf_take(&r->body);
	response = MHD_create_response_from_buffer(size, bytes, MHD_RESPMEM_MUST_FREE);
	if (!response)
		mem_free(bytes);
	return response;
}

static void add_headers(struct MHD_Response *response, const struct reply *r)
{
	bool failed = false;

	for (size_t i = 0; i < r->header_count; i++)
		failed |= !MHD_add_response_header(response, r->headers[i].name, r->headers[i].value);
	if (r->type)
		failed |= !MHD_add_response_header(response, "Content-Type", r->type);
	failed |= !MHD_add_response_header(response, "Cache-Control", "no-store");
	failed |= !MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (r->must_close)
		failed |= !MHD_add_response_header(response, "Connection", "close");
	exp_expect(!failed);
}

bool reply_queue(struct call *c)
{
	struct MHD_Response *response = make_response(&c->reply);
	bool queued;

	if (!response)
		return false;
	add_headers(response, &c->reply);
	queued = MHD_queue_response(c->connection, c->reply.status, response) == MHD_YES;
	MHD_destroy_response(response);
	return queued;
}

void reply_fini(struct reply *r)
{
	buf_fini_secret(&r->body);
	for (size_t i = 0; i < r->header_count; i++)
		mem_free(r->headers[i].value);
	if (r->has_file)
		close(r->fd);
}
