/*
 * api/openapi.json describes what route.def routes, both ways: paths, methods, parameters, scopes, bodies.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "api/embedded.h"
#include "api/route.h"
#include "base/json.h"

static json_t *description(void)
{
	json_t *json = NULL;
	struct exp_error err = { 0 };

	cr_assert_eq(api_files_count, 1);
	cr_assert_str_eq(api_files[0].name, "openapi.json");
	cr_assert_eq(json_parse((const char *)api_files[0].bytes, api_files[0].size, &json, &err), 0, "%s",
		     err.message);
	return json;
}

/* "{path...}" of the table is "{path}" there. */
static void path_of(const struct route *r, char path[128])
{
	const char *dots = strstr(r->path, "...");

	if (dots)
		snprintf(path, 128, "%.*s%s", (int)(dots - r->path), r->path, dots + 3);
	else
		snprintf(path, 128, "%s", r->path);
}

static const json_t *operation_of(const json_t *doc, const struct route *r)
{
	char path[128], method[8];
	const json_t *item;

	path_of(r, path);
	snprintf(method, sizeof(method), "%s", route_method_name(r->method));
	for (char *c = method; *c; c++)
		*c = (char)tolower(*c);
	item = json_object_get(json_object_get(json_object_get(doc, "paths"), path), method);
	cr_assert(item != NULL, "%s %s is not described", method, path);
	return item;
}

static size_t count_described(const json_t *doc, const char *in, const json_t *operation, const struct route *r)
{
	const json_t *list = json_object_get(operation, "parameters"), *parameter;
	size_t i, n = 0;

	(void)doc;
	json_array_foreach(list, i, parameter) {
		const char *name = json_string_value(json_object_get(parameter, "name"));

		if (strcmp(json_string_value(json_object_get(parameter, "in")), in))
			continue;
		cr_assert(strstr(!strcmp(in, "query") ? r->query : r->path, name), "%s: %s", r->path, name);
		n++;
	}
	return n;
}

static size_t count_char(const char *text, char wanted)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == wanted;
	return n;
}

Test(openapi, describes_every_route)
{
	json_t *doc = description();

	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		const struct route *r = route_at(i);
		const json_t *operation = operation_of(doc, r);
		size_t queries = r->query[0] ? count_char(r->query, ' ') + 1 : 0;
		bool body = json_object_get(operation, "requestBody") != NULL;

		cr_assert_str_eq(json_string_value(json_object_get(operation, "x-scope")), scope_name(r->scope), "%s",
				 r->path);
		cr_assert_eq(count_described(doc, "query", operation, r), queries, "%s", r->path);
		cr_assert_eq(count_described(doc, "path", operation, r), count_char(r->path, '{'), "%s", r->path);
		cr_assert_eq(body, r->body != ROUTE_NO_BODY, "%s", r->path);
		cr_assert_eq(json_array_size(json_object_get(operation, "security")), r->scope != SCOPE_PUBLIC, "%s",
			     r->path);
	}
	json_decref(doc);
}

Test(openapi, describes_nothing_else)
{
	json_t *doc = description(), *item;
	const char *path;
	size_t n = 0;

	json_object_foreach(json_object_get(doc, "paths"), path, item)
		n += json_object_size(item);
	cr_assert_eq(n, ROUTE_COUNT);
	json_decref(doc);
}

static void check_references(const json_t *doc, const json_t *value)
{
	const char *key;
	json_t *child;
	size_t i;

	json_array_foreach(value, i, child)
		check_references(doc, child);
	json_object_foreach((json_t *)value, key, child) {
		char kind[32], name[96];

		check_references(doc, child);
		if (strcmp(key, "$ref"))
			continue;
		cr_assert_eq(sscanf(json_string_value(child), "#/components/%31[^/]/%95s", kind, name), 2);
		cr_assert(json_object_get(json_object_get(json_object_get(doc, "components"), kind), name), "%s",
			  json_string_value(child));
	}
}

Test(openapi, references_lead_somewhere)
{
	json_t *doc = description();

	check_references(doc, doc);
	json_decref(doc);
}
