/*
 * The client against a server that says what a test wants it to say, and notes what it was sent.
 */
#include "cli/remote.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"

enum { HEARD_MAX = 1 << 16 };

static struct server {
	struct thread thread;
	int fd;
	const char *answer;
	char heard[HEARD_MAX];
	char url[48], token_file[40];
} server;

static void serve(void *arg)
{
	size_t size = 0;
	ssize_t n;
	int fd = accept(server.fd, NULL, NULL);

	(void)arg;
	while (fd >= 0 && !strstr(server.heard, "\r\n\r\n") &&
	       (n = read(fd, server.heard + size, HEARD_MAX - 1 - size)) > 0)
		size += (size_t)n;
	if (fd >= 0 && write(fd, server.answer, strlen(server.answer)) < 0)
		abort();
	close(fd);
}

static void start(const char *answer)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	FILE *file;

	server = (struct server){ .fd = socket(AF_INET, SOCK_STREAM, 0),
				  .answer = answer,
				  .token_file = "/tmp/expunge-remote-XXXXXX" };
	cr_assert_eq(bind(server.fd, (struct sockaddr *)&address, size), 0);
	cr_assert_eq(listen(server.fd, 1), 0);
	cr_assert_eq(getsockname(server.fd, (struct sockaddr *)&address, &size), 0);
	snprintf(server.url, sizeof(server.url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
	file = fdopen(mkstemp(server.token_file), "w");
	fputs("expunge_admin_id_hidden\n", file);
	fclose(file);
	cr_assert_eq(thread_start(&server.thread, "server", serve, NULL), 0);
}

static void stop(void)
{
	thread_join(&server.thread);
	close(server.fd);
	unlink(server.token_file);
}

static void open_remote(struct remote *r)
{
	cr_assert_eq(remote_open(r, &(struct remote_options){ server.url, server.token_file }, NULL), 0);
}

static int get(const char *path, json_t **out, struct exp_error *err)
{
	struct remote r;
	int rc;

	open_remote(&r);
	rc = remote_get(&r, path, out, err);
	remote_close(&r);
	return rc;
}

Test(remote, token_and_wait_travel_in_headers)
{
	struct remote_call call = {
		.method = "GET", .path = "/v1/x", .etag = "\"e\"", .wait_s = 9, .idempotency_key = "k"
	};
	struct remote_answer answer;
	struct remote r;

	start("HTTP/1.1 200 OK\r\nETag: \"f\"\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
	open_remote(&r);
	cr_assert_eq(remote_send(&r, &call, &answer, NULL), 0);
	cr_assert_str_eq(answer.etag, "\"f\"");
	cr_assert_eq(json_integer_value(json_object_get(answer.json, "a")), 1);
	json_decref(answer.json);
	remote_close(&r);
	stop();
	cr_assert(strstr(server.heard, "GET /v1/x HTTP/1.1\r\n") == server.heard, "%s", server.heard);
	cr_assert(strstr(server.heard, "\r\nAuthorization: Bearer expunge_admin_id_hidden\r\n"));
	cr_assert(strstr(server.heard, "\r\nIf-None-Match: \"e\"\r\n"));
	cr_assert(strstr(server.heard, "\r\nPrefer: wait=9\r\n"));
	cr_assert(strstr(server.heard, "\r\nIdempotency-Key: k\r\n"));
}

Test(remote, a_problem_becomes_its_error)
{
	struct exp_error err = { 0 };
	json_t *json;

	start("HTTP/1.1 422 Unprocessable Content\r\nConnection: close\r\n\r\n"
	      "{\"type\":\"/problems/invalid-field\",\"status\":422,\"detail\":\"/x must be a number\","
	      "\"errors\":[{\"pointer\":\"/x\",\"detail\":\"\"}]}");
	cr_assert_eq(get("/v1/x", &json, &err), EXP_EFIELD);
	stop();
	cr_assert_str_eq(err.message, "/x must be a number");
	cr_assert_str_eq(err.pointer, "/x");
}

Test(remote, an_error_of_another_server_is_told_by_its_status)
{
	struct exp_error err = { 0 };
	json_t *json;

	start("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n<html>");
	cr_assert_eq(get("/v1/x", &json, &err), EXP_EBUSY);
	stop();
	cr_assert(strstr(err.message, "503"));
}

Test(remote, a_redirect_is_not_followed)
{
	struct exp_error err = { 0 };
	json_t *json;

	start("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\n{}");
	cr_assert_eq(get("/v1/x", &json, &err), EXP_EINVAL);
	stop();
	cr_assert(strstr(err.message, "302"), "%s", err.message);
}

Test(remote, what_is_not_json_is_not_ours)
{
	struct exp_error err = { 0 };
	json_t *json;

	start("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	cr_assert_eq(get("/v1/x", &json, &err), EXP_ENETWORK);
	stop();
	cr_assert(strstr(err.message, "does not answer as expunged does"), "%s", err.message);
}

Test(remote, a_token_goes_in_clear_to_this_machine_only)
{
	static const char *const far[] = { "http://expunge.example", "http://10.0.0.1:8790",
					   "http://127.0.0.1.example" };
	char path[] = "/tmp/expunge-remote-XXXXXX";
	struct exp_error err = { 0 };

	cr_assert_eq(write(mkstemp(path), "t", 1), 1);
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		struct remote r;
		json_t *json;

		cr_assert_eq(remote_open(&r, &(struct remote_options){ far[i], path }, NULL), 0);
		cr_assert_eq(remote_get(&r, "/livez", &json, &err), EXP_EINVAL, "%s", far[i]);
		cr_assert(strstr(err.message, "clear"), "%s: %s", far[i], err.message);
		remote_close(&r);
	}
	unlink(path);
}

Test(remote, nobody_there)
{
	struct exp_error err = { 0 };
	struct remote r;
	json_t *json;

	unsetenv("EXPUNGE_TOKEN_FILE");
	cr_assert_eq(remote_open(&r, &(struct remote_options){ "http://127.0.0.1:1", NULL }, NULL), 0);
	cr_assert_null(r.token);
	cr_assert_eq(remote_get(&r, "/livez", &json, &err), EXP_ENETWORK);
	remote_close(&r);
}

Test(remote, a_token_file_holds_one_token)
{
	char path[] = "/tmp/expunge-remote-XXXXXX";
	struct exp_error err = { 0 };
	struct remote r;

	cr_assert_eq(write(mkstemp(path), "two tokens\n", 11), 11);
	cr_assert_eq(remote_open(&r, &(struct remote_options){ NULL, path }, &err), EXP_EINVAL);
	cr_assert_null(strstr(err.message, "two"), "a token is never quoted");
	remote_close(&r);
	unlink(path);
}

Test(remote, parts_of_paths_are_encoded)
{
	struct remote_query q = { 0 };
	char *path = remote_path("/v1/models", "../a b/ä?");

	cr_assert_str_eq(path, "/v1/models/..%2Fa%20b%2F%C3%A4%3F");
	mem_free(path);
	remote_query_start(&q, "/v1/jobs");
	remote_query_add(&q, "state", NULL);
	remote_query_add(&q, "model", "a&b");
	remote_query_add_int(&q, "page_size", 7);
	cr_assert_str_eq(q.path.data, "/v1/jobs?model=a%26b&page_size=7");
	remote_query_fini(&q);
}
