#include "cli/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/mem.h"

enum { CONNECT_TIMEOUT_S = 10, STALL_S = 60, ANSWER_LIMIT = 256 << 20 };

struct http {
	CURL *curl;
};

/* One exchange under way. */
struct exchange {
	struct http_answer answer;
	struct curl_slist *headers;
	FILE *file;
	bool is_too_large;
	char cause[CURL_ERROR_SIZE];
};

int http_new(struct http **out, struct exp_error *err)
{
	struct http *h = mem_alloc(sizeof(*h));

	h->curl = curl_global_init(CURL_GLOBAL_DEFAULT) ? NULL : curl_easy_init();
	if (!h->curl) {
		mem_free(h);
		return error_set(err, EXP_EMEMORY, "libcurl cannot be started");
	}
	*out = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	curl_global_cleanup();
	mem_free(h);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct exchange *x = arg;

	if (buf_add_limited(&x->answer.body, bytes, size * count, ANSWER_LIMIT)) {
		x->is_too_large = true;
		return 0;
	}
	return size * count;
}

static size_t take_header(char *line, size_t size, size_t count, void *arg)
{
	struct exchange *x = arg;
	size_t length = size * count, skip = sizeof("ETag:") - 1;

	if (length <= skip || strncasecmp(line, "ETag:", skip))
		return length;
	while (skip < length && line[skip] == ' ')
		skip++;
	snprintf(x->answer.etag, sizeof(x->answer.etag), "%.*s", (int)strcspn(line + skip, "\r\n"), line + skip);
	return length;
}

/* A name that only begins like a loopback address may be anybody's. */
static bool is_loopback(const char *host)
{
	struct in_addr address;

	if (!strcmp(host, "localhost") || !strcmp(host, "[::1]"))
		return true;
	return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* Whether the host is this machine, and whether the way there is encrypted. */
static int look_at(const char *url, bool *is_local, bool *is_encrypted, struct exp_error *err)
{
	char *host = NULL, *scheme = NULL;
	CURLU *parts = curl_url();
	int rc = 0;

	if (!parts || curl_url_set(parts, CURLUPART_URL, url, 0) || curl_url_get(parts, CURLUPART_HOST, &host, 0) ||
	    curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0)) {
		rc = error_set(err, EXP_EINVAL, "\"%.100s\" is not the URL of a server", url);
	} else {
		*is_local = is_loopback(host);
		*is_encrypted = !strcmp(scheme, "https");
	}
	curl_free(host);
	curl_free(scheme);
	curl_url_cleanup(parts);
	return rc;
}

static int check_way(CURL *curl, const struct http_request *r, struct exp_error *err)
{
	bool is_local = false, is_encrypted = false;
	int rc = look_at(r->url, &is_local, &is_encrypted, err);

	if (rc)
		return rc;
	if (r->token && !is_local && !is_encrypted)
		return error_set(err, EXP_EINVAL, "the token would travel in clear: reach another machine by https://");
	if (is_local)
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	return 0;
}

static void add_header(struct exchange *x, const char *line)
{
	struct curl_slist *longer = curl_slist_append(x->headers, line);

	if (longer)
		x->headers = longer;
}

static void add_token(struct exchange *x, const char *token)
{
	char *line = mem_format("Authorization: Bearer %s", token);

	add_header(x, line);
	mem_free_secret(line, strlen(line));
}

static void set_headers(CURL *curl, struct exchange *x, const struct http_request *r)
{
	if (r->token)
		add_token(x, r->token);
	add_header(x, "Expect:"); /* no round trip before a body */
	for (size_t i = 0; i < HTTP_HEADERS && r->headers[i]; i++)
		add_header(x, r->headers[i]);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, x->headers);
}

static int set_file(CURL *curl, struct exchange *x, const struct http_request *r, struct exp_error *err)
{
	struct stat st;

	x->file = fopen(r->file, "rbe");
	if (!x->file || fstat(fileno(x->file), &st))
		return error_set_errno(err, "opening", r->file);
	if (!S_ISREG(st.st_mode))
		return error_set(err, EXP_EINVAL, "%s is not a file", r->file);
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_READDATA, x->file);
	curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)st.st_size);
	return 0;
}

static int set_body(CURL *curl, struct exchange *x, const struct http_request *r, struct exp_error *err)
{
	if (r->file)
		return set_file(curl, x, r, err);
	if (!r->body)
		return 0;
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_size);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body);
	return 0;
}

static void set_limits(CURL *curl, struct exchange *x, const struct http_request *r)
{
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, r->timeout_s);
	if (!r->timeout_s) {
		curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
	}
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, x->cause);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, x);
}

static int perform(CURL *curl, struct exchange *x, const struct http_request *r, struct exp_error *err)
{
	CURLcode code;

	curl_easy_setopt(curl, CURLOPT_URL, r->url);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
	set_headers(curl, x, r);
	code = curl_easy_perform(curl);
	if (x->is_too_large)
		return error_set(err, EXP_ELIMIT, "the server's answer is larger than %d MiB", ANSWER_LIMIT >> 20);
	if (code)
		return error_set(err, EXP_ENETWORK, "%s: %s", r->url,
				 x->cause[0] ? x->cause : curl_easy_strerror(code));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &x->answer.status);
	return 0;
}

int http_exchange(struct http *h, const struct http_request *r, struct http_answer *out, struct exp_error *err)
{
	struct exchange x = { 0 };
	int rc;

	curl_easy_reset(h->curl);
	rc = check_way(h->curl, r, err);
	set_limits(h->curl, &x, r);
	if (!rc)
		rc = set_body(h->curl, &x, r, err);
	if (!rc)
		rc = perform(h->curl, &x, r, err);
	curl_slist_free_all(x.headers);
	if (x.file)
		fclose(x.file);
	if (rc)
		http_answer_fini(&x.answer);
	else
		*out = x.answer;
	return rc;
}

void http_answer_fini(struct http_answer *a)
{
	buf_fini_secret(&a->body);
}
