#include "api/route.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"

static const char *found(enum route_method method, const char *path, struct route_match *m)
{
	memset(m, 0, sizeof(*m));
	return route_find(method, path, m) ? NULL : m->route->path;
}

Test(route, finds_templates)
{
	static const struct {
		enum route_method method;
		const char *path, *template, *first, *second;
	} cases[] = {
		{ ROUTE_GET, "/", "/", NULL, NULL },
		{ ROUTE_GET, "/v1/deletion-requests", "/v1/deletion-requests", NULL, NULL },
		{ ROUTE_GET, "/v1/deletion-requests/abc", "/v1/deletion-requests/{id}", "abc", NULL },
		{ ROUTE_POST, "/v1/deletion-requests/preview", "/v1/deletion-requests/preview", NULL, NULL },
		{ ROUTE_GET, "/v1/deletion-requests/a%20b/events", "/v1/deletion-requests/{id}/events", "a b", NULL },
		{ ROUTE_GET, "/v1/models/m/versions/12", "/v1/models/{name}/versions/{version}", "m", "12" },
		{ ROUTE_GET, "/audit/log/tile/0/x001/067", "/audit/log/{path...}", "tile/0/x001/067", NULL },
		{ ROUTE_GET, "/audit/log/a%2Fb", "/audit/log/{path...}", "a/b", NULL },
		{ ROUTE_GET, "/v1/datasets/a%2Fb", "/v1/datasets/{name}", "a/b", NULL },
		{ ROUTE_GET, "/v1/deletion-requests/", NULL, NULL, NULL },
		{ ROUTE_GET, "/v1/deletion-requests/a/b/c", NULL, NULL, NULL },
		{ ROUTE_GET, "/v1//deletion-requests", NULL, NULL, NULL },
		{ ROUTE_GET, "/v1/deletion-request", NULL, NULL, NULL },
		{ ROUTE_GET, "/audit/log/", NULL, NULL, NULL },
		{ ROUTE_GET, "", NULL, NULL, NULL },
		{ ROUTE_DELETE, "/v1/deletion-requests", NULL, NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct route_match m;
		const char *path = found(cases[i].method, cases[i].path, &m);

		cr_assert_eq(!path, !cases[i].template, "%s", cases[i].path);
		if (!path)
			continue;
		cr_assert_str_eq(path, cases[i].template);
		cr_assert_eq(!m.args[0], !cases[i].first, "%s", cases[i].path);
		if (m.args[0])
			cr_assert_str_eq(m.args[0], cases[i].first);
		if (cases[i].second)
			cr_assert_str_eq(m.args[1], cases[i].second);
		route_match_fini(&m);
	}
}

Test(route, tells_wrong_methods_from_wrong_paths)
{
	struct route_match m;

	cr_assert_eq(route_find(ROUTE_PUT, "/v1/deletion-requests", &m), EXP_ECONFLICT);
	cr_assert_eq(route_allowed("/v1/deletion-requests"), 1u << ROUTE_GET | 1u << ROUTE_POST);
	cr_assert_eq(route_find(ROUTE_GET, "/nowhere", &m), EXP_ENOTFOUND);
	cr_assert_eq(route_allowed("/nowhere"), 0);
}

Test(route, refuses_bad_escapes)
{
	static const char *const bad[] = { "%", "%4", "%zz", "%00", "a%2", "%0", "ab%f" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *out;

		cr_assert_eq(route_decode(bad[i], strlen(bad[i]), &out), EXP_EPARSE, "%s", bad[i]);
	}
}

Test(route, decodes)
{
	char *out;

	cr_assert_eq(route_decode("a%2Fb%41%c3%A9", 14, &out), 0);
	cr_assert_str_eq(out, "a/bA\xc3\xa9");
	mem_free(out);
	cr_assert_eq(route_decode("abc", 2, &out), 0);
	cr_assert_str_eq(out, "ab");
	mem_free(out);
}

Test(route, every_row_finds_itself)
{
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		const struct route *r = route_at(i);
		struct route_match m;

		cr_assert_eq(route_find(r->method, r->path, &m), 0, "%s", r->path);
		cr_assert_eq(m.route, r, "%s", r->path);
		cr_assert_eq(route_number(r), i);
		route_match_fini(&m);
	}
}
