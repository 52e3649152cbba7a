/*
 * Who may do what, written down a second time: the table of the server is not asked what it should be.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "api/route.h"
#include "base/clock.h"
#include "base/mem.h"
#include "storage/tokens.h"
#include "storage/writer.h"
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

TestSuite(access, .init = start, .fini = stop);

#define ID "/019b0000-0000-7000-8000-000000000000"

/* S submitter, E engineer, A auditor, * everybody also without a token. Administrators may all. */
static const struct {
	const char *method, *path, *roles;
} matrix[] = {
	{ "GET", "/", "*" },
	{ "GET", "/livez", "*" },
	{ "GET", "/readyz", "*" },
	{ "GET", "/metrics", "*" },
	{ "GET", "/openapi.json", "*" },
	{ "POST", "/v1/deletion-requests", "S" },
	{ "POST", "/v1/deletion-requests/preview", "S" },
	{ "GET", "/v1/deletion-requests", "SA" },
	{ "GET", "/v1/deletion-requests" ID, "SA" },
	{ "POST", "/v1/deletion-requests" ID "/cancel", "S" },
	{ "POST", "/v1/deletion-requests" ID "/retry", "E" },
	{ "GET", "/v1/deletion-requests" ID "/receipt", "SA" },
	{ "GET", "/v1/deletion-requests" ID "/events", "SA" },
	{ "GET", "/v1/jobs", "EA" },
	{ "GET", "/v1/jobs" ID, "EA" },
	{ "POST", "/v1/jobs" ID "/cancel", "E" },
	{ "POST", "/v1/datasets", "E" },
	{ "PUT", "/v1/datasets/d/files/rows", "E" },
	{ "GET", "/v1/datasets", "EA" },
	{ "GET", "/v1/datasets/d", "EA" },
	{ "POST", "/v1/models", "E" },
	{ "PUT", "/v1/models/m/files/onnx", "E" },
	{ "GET", "/v1/models", "EA" },
	{ "GET", "/v1/models/m", "EA" },
	{ "GET", "/v1/models/m/versions/1", "EA" },
	{ "POST", "/v1/tokens", "" },
	{ "GET", "/v1/tokens", "" },
	{ "DELETE", "/v1/tokens/none", "" },
	{ "GET", "/v1/whoami", "SEA" },
	{ "GET", "/v1/audit/key", "SEA" },
	{ "GET", "/v1/audit/checkpoint", "A" },
	{ "GET", "/audit/log/checkpoint", "A" },
	{ "GET", "/v2", "SEA" },
	{ "GET", "/v2/health/live", "*" },
	{ "GET", "/v2/health/ready", "*" },
	{ "GET", "/v2/models/m", "SEA" },
	{ "GET", "/v2/models/m/versions/1", "SEA" },
	{ "GET", "/v2/models/m/ready", "SEA" },
	{ "GET", "/v2/models/m/versions/1/ready", "SEA" },
	{ "POST", "/v2/models/m/infer", "SEA" },
	{ "POST", "/v2/models/m/versions/1/infer", "SEA" },
};

static long status_of(size_t i, int role)
{
	bool has_body = strcmp(matrix[i].method, "GET") && strcmp(matrix[i].method, "DELETE");
	struct answer a =
	    ask(&w,
		&(struct question){
		    .role = role, .method = matrix[i].method, .path = matrix[i].path, .body = has_body ? "{}" : NULL });
	long status = a.status;

	cr_assert(status < 500, "%s %s: %ld %s", matrix[i].method, matrix[i].path, status, a.body.data);
	answer_fini(&a);
	return status;
}

static bool is_allowed(size_t i, int role)
{
	static const char letters[] = { [ROLE_SUBMITTER] = 'S', [ROLE_ML_ENGINEER] = 'E', [ROLE_AUDITOR] = 'A' };

	return role == ROLE_ADMIN || matrix[i].roles[0] == '*' || strchr(matrix[i].roles, letters[role]);
}

Test(access, every_route_and_every_role)
{
	cr_assert_eq(sizeof(matrix) / sizeof(matrix[0]), ROUTE_COUNT);
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		long nobody = status_of(i, NOBODY);

		cr_assert_eq(nobody == 401, matrix[i].roles[0] != '*', "%s %s: %ld", matrix[i].method, matrix[i].path,
			     nobody);
		for (int role = 0; role < ROLE_COUNT; role++) {
			long status = status_of(i, role);

			cr_assert_neq(status, 401, "%s %s", matrix[i].method, matrix[i].path);
			cr_assert_eq(status == 403, !is_allowed(i, role), "%s %s as %s: %ld", matrix[i].method,
				     matrix[i].path, role_name((enum role)role), status);
		}
	}
}

static struct answer with_token(const char *token)
{
	return ask(&w, &(struct question){ .role = NOBODY, .token = token, .path = "/v1/whoami" });
}

Test(access, wrong_tokens)
{
	char changed[AUTH_TOKEN], other_role[AUTH_TOKEN];
	const char *good = w.tokens[ROLE_AUDITOR];
	const char *tokens[] = {
		"x",     "expunge_", "expunge_admin_0000_1",
		changed, other_role, "expunge_admin_0123456789abcdef_0123456789abcdef0123456789abcdef0123456789abcdef"
	};

	strcpy(changed, good);
	changed[strlen(changed) - 1] = changed[strlen(changed) - 1] == '0' ? '1' : '0';
	snprintf(other_role, sizeof(other_role), "expunge_admin%s", good + strlen("expunge_auditor"));
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		struct answer a = with_token(tokens[i]);
		char *challenge = answer_header(&a, "WWW-Authenticate");

		cr_assert_eq(a.status, 401, "%s", tokens[i]);
		cr_assert_str_eq(answer_slug(&a), "unauthorized");
		cr_assert(challenge && strstr(challenge, "invalid_token"));
		cr_assert(!strstr(a.body.data, tokens[i]) || !strcmp(tokens[i], "x") || !strcmp(tokens[i], "expunge_"));
		mem_free(challenge);
		answer_fini(&a);
	}
}

Test(access, insufficient_scope_is_said)
{
	struct answer a = get(&w, ROLE_SUBMITTER, "/v1/jobs");
	char *challenge = answer_header(&a, "WWW-Authenticate");

	cr_assert_eq(a.status, 403);
	cr_assert_str_eq(answer_slug(&a), "insufficient-scope");
	cr_assert(strstr(challenge, "insufficient_scope") && strstr(challenge, "jobs:read"));
	mem_free(challenge);
	answer_fini(&a);
}

static int expire(struct txn *txn, void *arg, struct exp_error *err)
{
	struct auth_token *token = arg;
	struct stored_token stored = { .role = ROLE_ADMIN, .expires_at = clock_now_ms() - 1 };

	auth_token_new(ROLE_ADMIN, token);
	memcpy(stored.id, token->id, sizeof(token->id));
	strcpy(stored.name, "old");
	memcpy(stored.secret_sha256, token->sha256, DIGEST_SIZE);
	return tokens_insert(txn, &stored, err);
}

Test(access, expired_tokens_do_not_count)
{
	struct auth_token token;
	struct answer a;

	cr_assert_eq(writer_call(w.store, expire, &token, NULL), 0);
	a = with_token(token.text);
	cr_assert_eq(a.status, 401);
	cr_assert(strstr(answer_text(&a, "detail"), "expired"));
	answer_fini(&a);
}

Test(access, tokens_are_made_shown_once_and_revoked)
{
	struct answer a = post(&w, ROLE_ADMIN, "/v1/tokens", "{\"name\":\"ci\",\"role\":\"auditor\"}"), b;
	char *secret, *path;

	cr_assert_eq(a.status, 201, "%s", a.body.data);
	secret = mem_strdup(answer_text(&a, "token"));
	path = mem_format("/v1/tokens/%s", answer_text(&a, "id"));
	answer_fini(&a);
	b = with_token(secret);
	cr_assert_eq(b.status, 200);
	cr_assert_str_eq(answer_text(&b, "role"), "auditor");
	cr_assert_str_eq(answer_text(&b, "name"), "ci");
	answer_fini(&b);
	b = get(&w, ROLE_ADMIN, "/v1/tokens");
	cr_assert_eq(json_array_size(json_object_get(b.json, "items")), ROLE_COUNT + 1);
	cr_assert(!strstr(b.body.data, strrchr(secret, '_') + 1));
	answer_fini(&b);
	b = ask(&w, &(struct question){ .role = ROLE_ADMIN, .method = "DELETE", .path = path });
	cr_assert_eq(b.status, 204);
	answer_fini(&b);
	b = with_token(secret);
	cr_assert_eq(b.status, 401);
	cr_assert(strstr(answer_text(&b, "detail"), "revoked"));
	answer_fini(&b);
	mem_free(secret);
	mem_free(path);
}

Test(access, bad_tokens_are_refused)
{
	static const struct {
		const char *body, *pointer;
	} cases[] = {
		{ "{\"role\":\"admin\"}", "/name" },
		{ "{\"name\":\"x\",\"role\":\"king\"}", "/role" },
		{ "{\"name\":\"x\",\"role\":\"admin\",\"expires_at\":\"soon\"}", "/expires_at" },
		{ "{\"name\":\"x\",\"role\":\"admin\",\"expires_at\":\"2001-01-01T00:00:00Z\"}", "/expires_at" },
		{ "{\"name\":\"x\",\"role\":\"admin\",\"secret\":\"mine\"}", "/secret" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer a = post(&w, ROLE_ADMIN, "/v1/tokens", cases[i].body);

		cr_assert_eq(a.status, 422, "%s", a.body.data);
		cr_assert_str_eq(answer_pointer(&a), cases[i].pointer);
		answer_fini(&a);
	}
}

Test(access, open_inference_lets_strangers_in)
{
	struct api_options options = { .open_inference = true };
	struct answer a;

	world_restart(&w, &options);
	a = get(&w, NOBODY, "/v2");
	cr_assert_eq(a.status, 200);
	answer_fini(&a);
	a = get(&w, NOBODY, "/v1/whoami");
	cr_assert_eq(a.status, 401);
	answer_fini(&a);
}
