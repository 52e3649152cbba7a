/*
 * HTTP itself: paths, methods, sizes, types, broken bodies, slow clients, the stop.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "tests/unit/api/world.h"

static struct world w;

static void start(void)
{
	world_start(&w, NULL);
}

static void stop(void)
{
	world_stop(&w);
}

TestSuite(transport, .init = start, .fini = stop);

static void expect(const struct question *q, long status, const char *slug)
{
	struct answer a = ask(&w, q);
	char *type = answer_header(&a, "Content-Type");

	cr_assert_eq(a.status, status, "%s: %ld %s", q->path, a.status, a.body.data);
	cr_assert_str_eq(answer_slug(&a), slug, "%s: %s", q->path, a.body.data);
	cr_assert_str_eq(type, "application/problem+json");
	cr_assert_eq(json_integer_value(json_object_get(a.json, "status")), status);
	cr_assert(*answer_text(&a, "title") && *answer_text(&a, "detail"));
	mem_free(type);
	answer_fini(&a);
}

Test(transport, paths_that_are_not)
{
	static const char *const paths[] = { "/nowhere", "/v1",          "/v1/",           "/v1/deletion-requests/",
					     "//",       "/v1/jobs/a/b", "/../etc/passwd", "/audit/log/" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		expect(&(struct question){ .role = ROLE_ADMIN, .path = paths[i] }, 404, "not-found");
	expect(&(struct question){ .role = ROLE_ADMIN, .path = "/v1/jobs/%zz" }, 400, "malformed");
	expect(&(struct question){ .role = ROLE_ADMIN, .path = "/v1/jobs/%00" }, 400, "malformed");
	expect(&(struct question){ .role = ROLE_ADMIN, .path = "/v1/jobs/none" }, 404, "not-found");
	expect(&(struct question){ .role = ROLE_ADMIN, .path = "/v1/models/none" }, 404, "not-found");
}

Test(transport, methods_that_are_not)
{
	struct question q = { .role = ROLE_ADMIN, .method = "PATCH", .path = "/v1/deletion-requests" };
	struct answer a = ask(&w, &q);
	char *allow = answer_header(&a, "Allow");

	cr_assert_eq(a.status, 405);
	cr_assert_str_eq(answer_slug(&a), "method-not-allowed");
	cr_assert_str_eq(allow, "GET, HEAD, POST, OPTIONS");
	mem_free(allow);
	answer_fini(&a);
	q.method = "OPTIONS";
	a = ask(&w, &q);
	allow = answer_header(&a, "Allow");
	cr_assert_eq(a.status, 204);
	cr_assert_str_eq(allow, "GET, HEAD, POST, OPTIONS");
	mem_free(allow);
	answer_fini(&a);
}

Test(transport, head_is_get_without_a_body)
{
	struct answer a = ask(&w, &(struct question){ .role = NOBODY, .method = "HEAD", .path = "/livez" });
	char *length = answer_header(&a, "Content-Length");

	cr_assert_eq(a.status, 200);
	cr_assert_eq(a.body.size, 0);
	cr_assert_str_eq(length, "3");
	mem_free(length);
	answer_fini(&a);
}

Test(transport, queries_are_strict)
{
	static const char *const bad[] = { "/v1/jobs?colour=red",
					   "/v1/jobs?state=done&state=failed",
					   "/v1/jobs?state=sleeping",
					   "/v1/jobs?page_size=0",
					   "/v1/jobs?page_size=501",
					   "/v1/jobs?page_size=ten",
					   "/v1/jobs?page_size=1%zz",
					   "/v1/deletion-requests?status=gone",
					   "/v1/deletion-requests?outcome=x",
					   "/v1/deletion-requests?verdict=x",
					   "/v1/deletion-requests?due_before=now",
					   "/v1/whoami?verbose=1" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect(&(struct question){ .role = ROLE_ADMIN, .path = bad[i] }, 400, "malformed");
}

Test(transport, types_that_are_not)
{
	static const char *const types[] = { "text/plain", "application/jsonp", "multipart/form-data", "" };
	struct question q = { .role = ROLE_ADMIN, .path = "/v1/tokens", .body = "{}" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		q.type = types[i];
		expect(&q, 415, "unsupported-media-type");
	}
	q.type = "application/json; charset=utf-8";
	expect(&q, 422, "invalid-field");
	q.headers[0] = "Content-Encoding: gzip";
	expect(&q, 415, "unsupported-media-type");
}

static void expect_too_large(size_t size, bool chunked)
{
	char *body = mem_alloc(size + 1);

	memset(body, ' ', size);
	expect(&(struct question){ .role = ROLE_ADMIN,
				   .path = "/v1/tokens",
				   .body = body,
				   .body_size = size,
				   .chunked = chunked },
	       413, "too-large");
	mem_free(body);
}

Test(transport, bodies_that_are_too_large)
{
	struct api_options options = { .body_limit = 1000 };

	world_restart(&w, &options);
	expect_too_large(1001, false);
	expect_too_large(1001, true);
	expect_too_large(900000, false);
	expect_too_large(900000, true);
	expect(&(struct question){ .role = ROLE_ADMIN, .path = "/v1/tokens", .body = "{}" }, 422, "invalid-field");
}

Test(transport, broken_json)
{
	static const char *const bad[] = { "",
					   "{",
					   "{\"a\":1,\"a\":2}",
					   "{} {}",
					   "{'a':1}",
					   "{\"a\":01}",
					   "nul",
					   "[1,]",
					   "\"\\ud800\"",
					   "{\"a\"}",
					   "\xff",
					   "{\"a\":\"\t\"}",
					   "[NaN]",
					   "{\"a\":1e999}",
					   "\xef\xbb\xbf{}" };
	char deep[4096];

	for (size_t i = 1; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect(&(struct question){ .role = ROLE_ADMIN, .path = "/v1/deletion-requests", .body = bad[i] }, 400,
		       "malformed");
	expect(&(struct question){ .role = ROLE_ADMIN, .method = "POST", .path = "/v1/deletion-requests" }, 400,
	       "malformed");
	memset(deep, '[', 2000);
	memset(deep + 2000, ']', 2000);
	deep[4000] = '\0';
	expect(&(struct question){ .role = ROLE_ADMIN, .path = "/v1/deletion-requests", .body = deep }, 400,
	       "malformed");
}

static void post_vector(const char *folder, const char *name)
{
	char *path = file_join(folder, name);
	struct buf text = { 0 };
	struct answer a;

	cr_assert_eq(file_read(path, 1 << 20, &text, NULL), 0);
	mem_free(path);
	if (text.size) {
		a = ask(&w, &(struct question){ .role = ROLE_ADMIN,
						.path = "/v1/deletion-requests",
						.body = text.data,
						.body_size = text.size });
		cr_assert(a.status == 400 || (a.status == 422 && name[0] != 'n'), "%s: %ld", name, a.status);
		answer_fini(&a);
	}
	buf_fini(&text);
}

/* Nicolas Seriot's JSON test suite, where it is at hand: what must be accepted as JSON is then no request (422), what
 * must not is malformed (400), and nothing is ever more than that. */
Test(transport, json_test_suite)
{
	const char *kat = getenv("EXPUNGE_KAT");
	char folder[] = "/tmp/expunge-json-XXXXXX", command[512];
	struct dirent *entry;
	int posted = 0;
	DIR *dir;

	if (!kat)
		cr_skip_test("EXPUNGE_KAT is not set");
	cr_assert(mkdtemp(folder) != NULL);
	snprintf(command, sizeof(command),
		 "tar -xzf '%s/json-test-suite/json-test-suite.tar.gz' -C '%s' --strip-components=1 test_parsing", kat,
		 folder);
	cr_assert_eq(system(command), 0);
	dir = opendir(folder);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.') {
			post_vector(folder, entry->d_name);
			posted++;
		}
	}
	closedir(dir);
	cr_assert_eq(posted, 318);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	cr_assert_eq(system(command), 0);
}

static int dial(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(api_port(w.api)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
	cr_assert_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	/* The server may have answered and closed before the end. */
	send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Reads until the server closes. */
static char *hear(int fd)
{
	struct buf all = { 0 };
	char part[1024];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) > 0)
		buf_add(&all, part, (size_t)n);
	close(fd);
	return buf_take(&all);
}

Test(transport, malformed_http)
{
	static const char *const lines[] = { "GARBAGE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
					     "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
					     "GET /livez HTTP/1.1\r\n\r\n" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int fd = dial();
		char *heard;

		say(fd, lines[i]);
		shutdown(fd, SHUT_WR);
		heard = hear(fd);
		cr_assert(!strstr(heard, " 200 "), "%s", heard);
		mem_free(heard);
	}
}

Test(transport, headers_that_are_too_large)
{
	int fd = dial();
	char *line = mem_alloc(70000), *heard;

	strcpy(line, "GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: ");
	memset(line + strlen(line), 'a', 65000);
	say(fd, line);
	say(fd, "\r\n\r\n");
	heard = hear(fd);
	cr_assert(strstr(heard, " 431 ") || !*heard, "%.80s", heard);
	mem_free(heard);
	mem_free(line);
}

/* A client that stops in the middle is dropped, and holds up nobody meanwhile. */
Test(transport, slow_clients)
{
	struct api_options options = { .idle_timeout_s = 1 };
	struct answer a;
	char *heard;
	int fds[8];

	world_restart(&w, &options);
	for (int i = 0; i < 8; i++) {
		fds[i] = dial();
		say(fds[i],
		    "POST /v1/tokens HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer ");
		say(fds[i], w.tokens[ROLE_ADMIN]);
		say(fds[i], "\r\nContent-Length: 100\r\n\r\n{\"na");
	}
	a = get(&w, NOBODY, "/livez");
	cr_assert_eq(a.status, 200);
	answer_fini(&a);
	for (int i = 0; i < 8; i++) {
		heard = hear(fds[i]);
		cr_assert(!strstr(heard, " 200 ") && !strstr(heard, " 201 "), "%s", heard);
		mem_free(heard);
	}
}

Test(transport, ready_follows_the_daemon)
{
	struct answer a;

	atomic_store(&w.is_ready, false);
	a = get(&w, NOBODY, "/readyz?verbose=1");
	cr_assert_eq(a.status, 503);
	cr_assert_str_eq(a.body.data, "[-] daemon\n[+] writer\n[+] storage\nnot ready\n");
	answer_fini(&a);
	a = get(&w, NOBODY, "/v2/health/ready");
	cr_assert_eq(a.status, 503);
	answer_fini(&a);
	atomic_store(&w.is_ready, true);
	a = get(&w, NOBODY, "/readyz");
	cr_assert_eq(a.status, 200);
	cr_assert_str_eq(a.body.data, "ready\n");
	answer_fini(&a);
}

Test(transport, metrics_speak_prometheus)
{
	struct answer a = get(&w, ROLE_ADMIN, "/v1/whoami");

	answer_fini(&a);
	a = get(&w, NOBODY, "/metrics");
	cr_assert_eq(a.status, 200);
	cr_assert(strstr(a.body.data, "\nexpunge_build_info{version="));
	cr_assert(strstr(a.body.data, "\nexpunge_requests{status=\"queued\"} 0\n"));
	cr_assert(strstr(a.body.data, "\nexpunge_jobs{state=\"failed\"} 0\n"));
	cr_assert(strstr(a.body.data, "\nexpunge_request_overdue 0\n"));
	cr_assert(
	    strstr(a.body.data, "http_server_requests_total{method=\"GET\",route=\"/v1/whoami\",status=\"200\"} 1\n"));
	cr_assert(!strstr(a.body.data, w.token_ids[ROLE_ADMIN]));
	answer_fini(&a);
}

Test(transport, addresses)
{
	struct exp_error err = { 0 };
	struct api *other;
	struct api_options options = { .listen_address = "localhost",
				       .data_folder = w.folder,
				       .store = w.store,
				       .audit = w.audit,
				       .models = w.models,
				       .lookup_key = w.lookup };

	cr_assert_eq(api_start(&options, &other, &err), EXP_EINVAL);
	options.listen_address = "127.0.0.1";
	options.port = api_port(w.api);
	cr_assert_neq(api_start(&options, &other, &err), 0);
	cr_assert(strstr(err.message, "cannot listen"));
	options.port = 0;
	options.threads = 1;
	cr_assert_eq(api_start(&options, &other, &err), 0, "%s", err.message);
	cr_assert_neq(api_port(other), api_port(w.api));
	api_stop(other);
	api_stop(NULL);
}
