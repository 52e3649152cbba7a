/*
 * What a client sends about a person is nowhere afterwards: not in an answer, not in the log at its most talkative, not
 * in any file. And the log of the service as auditors see it.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/store.h"
#include "tests/unit/api/world.h"

#define CANARY "canary-7f3a"

static struct world w;
static char log_path[] = "/tmp/expunge-log-XXXXXX";

static void start(void)
{
	int fd = mkstemp(log_path);

	cr_assert(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
	log_set_level(LOG_DEBUG);
	world_start(&w, NULL);
}

static void stop(void)
{
	world_stop(&w);
	unlink(log_path);
}

TestSuite(secrecy, .init = start, .fini = stop);

static void expect_no_canary(const char *where)
{
	char command[256];

	snprintf(command, sizeof(command), "! grep -rqai '%s' '%s'", CANARY, where);
	cr_assert_eq(system(command), 0, "the canary is in %s", where);
}

static void submit(const char *body, const char *header)
{
	static const char *const paths[] = { "/v1/deletion-requests/preview", "/v1/deletion-requests" };

	for (int i = 0; i < 2; i++) {
		struct answer a =
		    ask(&w, &(struct question){
				.role = ROLE_SUBMITTER, .path = paths[i], .body = body, .headers = { header } });

		cr_assert(!a.body.data || !strstr(a.body.data, CANARY), "%s", a.body.data);
		cr_assert(!strstr(a.head.data, CANARY), "%s", a.head.data);
		answer_fini(&a);
	}
}

Test(secrecy, no_identity_anywhere)
{
	static const char *const bodies[] = {
		"{\"subject\":{\"identities\":[{\"type\":\"email\",\"value\":\"" CANARY "@example.org\"}]}}",
		"{\"subject\":{\"identities\":[{\"type\":\"email\",\"value\":\"" CANARY
		"@example.org\"}]},\"request_id\":\"" CANARY "\"}",
		"{\"subject\":{\"identities\":[{\"type\":\"" CANARY "\",\"value\":\"x\"}]}}",
		"{\"subject\":{\"identities\":[{\"type\":\"email\",\"value\":\"" CANARY "\",\"" CANARY "\":1}]}}",
		"{\"subject\":{\"identities\":[\"" CANARY "\"]}}",
		"{\"subject\":{\"" CANARY "\":1}}",
		"{\"" CANARY "\":1}",
		"{\"reason\":\"" CANARY "\",\"subject\":{\"identities\":[{\"type\":\"n\",\"value\":\"1\"}]}}",
		"{\"regime\":\"" CANARY "\",\"subject\":{\"identities\":[{\"type\":\"n\",\"value\":\"1\"}]}}",
		"{\"received_at\":\"" CANARY "\",\"subject\":{\"identities\":[{\"type\":\"n\",\"value\":\"1\"}]}}",
		"{\"subject\":{\"identities\":[{\"type\":\"email\",\"value\":\"" CANARY "\"}",
		"\"" CANARY "\"",
	};
	struct answer a;
	bool advanced;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		submit(bodies[i], "Idempotency-Key: \"" CANARY "\"");
	submit(bodies[0], NULL);
	a = get(&w, ROLE_SUBMITTER, "/v1/deletion-requests/" CANARY);
	cr_assert_eq(a.status, 404);
	answer_fini(&a);
	a = get(&w, ROLE_SUBMITTER, "/" CANARY "?" CANARY "=" CANARY);
	answer_fini(&a);
	a = get(&w, ROLE_SUBMITTER, "/v1/whoami?" CANARY "=" CANARY);
	cr_assert(!strstr(a.body.data, CANARY));
	answer_fini(&a);
	a = get(&w, ROLE_ADMIN, "/metrics");
	cr_assert(!strstr(a.body.data, CANARY));
	answer_fini(&a);
	cr_assert_eq(audit_checkpoint(w.audit, &advanced, NULL), 0);
	expect_no_canary(w.folder);
	expect_no_canary(log_path);
}

Test(secrecy, no_token_in_the_log)
{
	char command[256];
	struct answer a = get(&w, ROLE_ADMIN, "/v1/whoami");

	answer_fini(&a);
	world_restart(&w, NULL); /* every line is written by now */
	snprintf(command, sizeof(command), "grep -q 'event=http_request.*route=/v1/whoami' '%s'", log_path);
	cr_assert_eq(system(command), 0, "the log has no line of the call, so it proves nothing");
	snprintf(command, sizeof(command), "! grep -qF '%s' '%s'", strrchr(w.tokens[ROLE_ADMIN], '_') + 1, log_path);
	cr_assert_eq(system(command), 0);
	snprintf(command, sizeof(command), "! grep -rqaF '%s' '%s'", strrchr(w.tokens[ROLE_ADMIN], '_') + 1, w.folder);
	cr_assert_eq(system(command), 0);
}

Test(secrecy, the_log_as_files)
{
	static const char body[] = "{\"subject\":{\"identities\":[{\"type\":\"n\",\"value\":\"1\"}]}}";
	struct answer a = post(&w, ROLE_SUBMITTER, "/v1/deletion-requests", body), b;
	bool advanced;

	answer_fini(&a);
	a = get(&w, ROLE_AUDITOR, "/audit/log/checkpoint");
	cr_assert_eq(a.status, 404);
	answer_fini(&a);
	cr_assert_eq(audit_checkpoint(w.audit, &advanced, NULL), 0);
	cr_assert(advanced);
	a = get(&w, ROLE_AUDITOR, "/audit/log/checkpoint");
	b = get(&w, ROLE_AUDITOR, "/v1/audit/checkpoint");
	cr_assert_eq(a.status, 200, "%s", a.body.data);
	cr_assert_str_eq(a.body.data, b.body.data);
	cr_assert(!strncmp(a.body.data, "log.example/test\n2\n", 19), "%s", a.body.data);
	answer_fini(&a);
	answer_fini(&b);
	a = get(&w, ROLE_AUDITOR, "/audit/log/tile/0/000.p/2");
	cr_assert_eq(a.status, 200);
	cr_assert_eq(a.body.size, 64);
	answer_fini(&a);
	a = get(&w, ROLE_AUDITOR, "/v1/audit/key");
	cr_assert(!strncmp(answer_text(&a, "vkey"), "log.example/test+", 17), "%s", a.body.data);
	answer_fini(&a);
}

Test(secrecy, nothing_but_the_log_as_files)
{
	static const char *const paths[] = {
		"../expunge.db",  "..%2Fexpunge.db", "tile/../../keys.db", "tile/0/999", "tile", "",
		"tile/0/000.p/0", "/etc/passwd",     "%2Fetc%2Fpasswd",    "checkpoint/"
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char *path = mem_format("/audit/log/%s", paths[i]);
		struct answer a = get(&w, ROLE_AUDITOR, path);

		cr_assert_eq(a.status, 404, "%s", path);
		answer_fini(&a);
		mem_free(path);
	}
}
