#include "cli/remote.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

enum { TOKEN_FILE_MAX = 4096, TIMEOUT_S = 60, HEADER_MAX = 320 };

static const char *or_environment(const char *value, const char *variable)
{
	if (!value)
		value = getenv(variable);
	return value && *value ? value : NULL;
}

static void trim_end(char *text)
{
	size_t n = strlen(text);

	while (n && isspace((unsigned char)text[n - 1]))
		text[--n] = '\0';
}

static int read_token(const char *path, char **out, struct exp_error *err)
{
	struct buf text = { 0 };
	int rc = file_read(path, TOKEN_FILE_MAX, &text, err);

	if (!rc && text.data)
		trim_end(text.data);
	if (!rc && (!text.data || !*text.data || strpbrk(text.data, " \t\r\n")))
		rc = error_set(err, EXP_EINVAL, "%s does not hold one token on one line", path);
	if (!rc)
		*out = mem_strdup(text.data);
	buf_fini_secret(&text);
	return rc;
}

int remote_open(struct remote *r, const struct remote_options *o, struct exp_error *err)
{
	const char *server = or_environment(o->server, "EXPUNGE_SERVER");
	const char *token_file = or_environment(o->token_file, "EXPUNGE_TOKEN_FILE");
	size_t n;
	int rc;

	*r = (struct remote){ .server = mem_strdup(server ? server : REMOTE_DEFAULT_SERVER) };
	for (n = strlen(r->server); n && r->server[n - 1] == '/'; n--)
		r->server[n - 1] = '\0';
	rc = token_file ? read_token(token_file, &r->token, err) : 0;
	return rc ? rc : http_new(&r->http, err);
}

void remote_close(struct remote *r)
{
	http_free(r->http);
	if (r->token)
		mem_free_secret(r->token, strlen(r->token));
	mem_free(r->server);
	*r = (struct remote){ 0 };
}

static const struct {
	const char *slug;
	int code;
} slugs[] = {
#define X(symbol, number, class, slug, sentence) { slug, symbol },
#include "base/error.def"
#undef X
};

/* For an answer that is no problem of ours: from a proxy, say. */
static int code_of_status(long status)
{
	switch (status) {
	case 401:
		return EXP_EUNAUTH;
	case 403:
		return EXP_EFORBIDDEN;
	case 404:
		return EXP_ENOTFOUND;
	case 409:
		return EXP_ECONFLICT;
	case 413:
		return EXP_ELIMIT;
	case 429:
	case 503:
		return EXP_EBUSY;
	default:
		return status >= 500 ? EXP_EINTERNAL : EXP_EINVAL;
	}
}

static int code_of_problem(const json_t *problem, long status)
{
	const char *type = json_string_value(json_object_get(problem, "type"));
	const char *slug = type ? strrchr(type, '/') : NULL;

	for (size_t i = 0; slug && i < sizeof(slugs) / sizeof(slugs[0]); i++)
		if (!strcmp(slugs[i].slug, slug + 1))
			return slugs[i].code;
	return code_of_status(status);
}

/* {"detail": …, "errors": [{"pointer": …}]} or, below /v2, {"error": …}. */
static int set_problem(const struct http_answer *a, struct exp_error *err)
{
	json_t *problem = NULL;
	const json_t *first;
	const char *detail, *pointer;
	int rc;

	if (!a->body.data || json_parse(a->body.data, a->body.size, &problem, NULL))
		problem = json_object();
	first = json_array_get(json_object_get(problem, "errors"), 0);
	detail = json_string_value(json_object_get(problem, "detail"));
	if (!detail)
		detail = json_string_value(json_object_get(problem, "error"));
	pointer = json_string_value(json_object_get(first, "pointer"));
	rc = code_of_problem(problem, a->status);
	if (!detail)
		rc = error_set(err, rc, "the server answered with status %ld: %s", a->status, error_sentence(rc));
	else if (rc == EXP_EUNAUTH)
		rc = error_set(err, rc, "%s (--token-file or EXPUNGE_TOKEN_FILE says which token is used)", detail);
	else
		rc = error_set_field(err, rc, pointer ? pointer : "", "%s", detail);
	json_decref(problem);
	return rc;
}

struct headers {
	char lines[HTTP_HEADERS][HEADER_MAX];
	size_t count;
};

static void add_header(struct headers *h, const char *name, const char *value)
{
	snprintf(h->lines[h->count++], HEADER_MAX, "%s: %s", name, value);
}

static void write_headers(const struct remote_call *call, struct headers *h)
{
	char number[24];

	if (call->file)
		add_header(h, "Content-Type", "application/octet-stream");
	else if (call->body)
		add_header(h, "Content-Type", "application/json");
	if (call->idempotency_key)
		add_header(h, "Idempotency-Key", call->idempotency_key);
	if (call->etag && call->etag[0])
		add_header(h, "If-None-Match", call->etag);
	if (call->wait_s) {
		snprintf(number, sizeof(number), "wait=%d", call->wait_s);
		add_header(h, "Prefer", number);
	}
}

static int exchange(struct remote *r, const struct remote_call *call, struct http_answer *answer, struct exp_error *err)
{
	struct buf body = { 0 };
	struct headers headers = { 0 };
	struct http_request request = { .method = call->method, .token = r->token, .file = call->file };
	char *url = mem_format("%s%s", r->server, call->path);
	int rc;

	write_headers(call, &headers);
	for (size_t i = 0; i < headers.count; i++)
		request.headers[i] = headers.lines[i];
	if (call->body) {
		json_write(call->body, false, &body);
		request.body = body.data;
		request.body_size = body.size;
	}
	request.url = url;
	if (!call->file)
		request.timeout_s = call->wait_s + (call->timeout_s ? call->timeout_s : TIMEOUT_S);
	rc = http_exchange(r->http, &request, answer, err);
	if (!rc && answer->status >= 300 && answer->status != 304) {
		rc = set_problem(answer, err);
		http_answer_fini(answer);
	}
	buf_fini_secret(&body);
	mem_free(url);
	return rc;
}

int remote_send(struct remote *r, const struct remote_call *call, struct remote_answer *out, struct exp_error *err)
{
	struct http_answer answer;
	struct exp_error cause = { 0 };
	json_t *json = NULL;
	int rc = exchange(r, call, &answer, err);

	if (rc)
		return rc;
	if (answer.body.size && json_parse(answer.body.data, answer.body.size, &json, &cause))
		rc = error_set(err, EXP_ENETWORK, "%s does not answer as expunged does: %s", r->server, cause.message);
	if (!rc) {
		*out = (struct remote_answer){ .status = answer.status, .json = json };
		memcpy(out->etag, answer.etag, sizeof(out->etag));
	}
	http_answer_fini(&answer);
	return rc;
}

static int send_for_json(struct remote *r, const struct remote_call *call, json_t **out, struct exp_error *err)
{
	struct remote_answer answer;
	int rc = remote_send(r, call, &answer, err);

	if (!rc && !answer.json)
		rc = error_set(err, EXP_ENETWORK, "%s answered without a body where one was due", r->server);
	if (!rc)
		*out = answer.json;
	return rc;
}

int remote_get(struct remote *r, const char *path, json_t **out, struct exp_error *err)
{
	return send_for_json(r, &(struct remote_call){ .method = "GET", .path = path }, out, err);
}

int remote_post(struct remote *r, const char *path, const json_t *body, json_t **out, struct exp_error *err)
{
	return send_for_json(r, &(struct remote_call){ .method = "POST", .path = path, .body = body }, out, err);
}

int remote_get_bytes(struct remote *r, const char *path, struct buf *out, struct exp_error *err)
{
	struct http_answer answer;
	int rc = exchange(r, &(struct remote_call){ .method = "GET", .path = path }, &answer, err);

	if (rc)
		return rc;
	buf_add(out, answer.body.data, answer.body.size);
	http_answer_fini(&answer);
	return 0;
}

/* Percent-encodes all but the unreserved characters (RFC 3986 section 2.3). */
static void add_encoded(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || strchr("-._~", *text))
			buf_add(out, text, 1);
		else
			buf_format(out, "%%%02X", (unsigned char)*text);
	}
}

char *remote_path(const char *base, const char *part)
{
	struct buf path = { 0 };

	buf_format(&path, "%s/", base);
	add_encoded(&path, part);
	return buf_take(&path);
}

void remote_query_start(struct remote_query *q, const char *path)
{
	buf_add_text(&q->path, path);
}

void remote_query_add(struct remote_query *q, const char *name, const char *value)
{
	if (!value)
		return;
	buf_format(&q->path, "%c%s=", q->has_any ? '&' : '?', name);
	add_encoded(&q->path, value);
	q->has_any = true;
}

void remote_query_add_int(struct remote_query *q, const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	remote_query_add(q, name, value ? text : NULL);
}

void remote_query_fini(struct remote_query *q)
{
	buf_fini(&q->path);
}

const char *remote_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "-";
}

int remote_run(const struct remote_options *o, int (*do_it)(struct remote *r, void *arg, struct exp_error *err),
	       void *arg, struct exp_error *err)
{
	struct remote r;
	int rc = remote_open(&r, o, err);

	if (!rc)
		rc = do_it(&r, arg, err);
	remote_close(&r);
	return rc;
}
