#include "api/route.h"

#include <string.h>

#include "base/mem.h"

static const struct route routes[ROUTE_COUNT] = {
#define X(name, method, path, scope, body, query)                                                                      \
	{ ROUTE_##method, path, SCOPE_##scope, ROUTE_##body, query, api_##name },
#include "api/route.def"
#undef X
};

static const char *const method_names[ROUTE_METHODS] = { "GET", "POST", "PUT", "DELETE" };

bool route_parse_method(const char *text, enum route_method *method)
{
	if (!strcmp(text, "HEAD"))
		text = "GET";
	for (int i = 0; i < ROUTE_METHODS; i++) {
		if (!strcmp(text, method_names[i])) {
			*method = (enum route_method)i;
			return true;
		}
	}
	return false;
}

const char *route_method_name(enum route_method method)
{
	return method_names[method];
}

const struct route *route_at(size_t i)
{
	return &routes[i];
}

size_t route_number(const struct route *route)
{
	return (size_t)(route - routes);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int route_decode(const char *text, size_t size, char **out)
{
	char *copy = mem_alloc(size + 1);
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (c == '%') {
			int high = size - i > 2 ? hex_digit(text[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

			if (low < 0 || !(c = (char)(high << 4 | low))) {
				mem_free(copy);
				return EXP_EPARSE;
			}
			i += 2;
		}
		copy[n++] = c;
	}
	*out = copy;
	return 0;
}

struct segment {
	const char *text;
	size_t size;
};

/* The segment at *at, which is moved behind it. False at the end. The root path has one empty segment. */
static bool next_segment(const char **at, struct segment *s)
{
	if (**at != '/')
		return false;
	s->text = *at + 1;
	s->size = strcspn(s->text, "/");
	*at = s->text + s->size;
	return true;
}

static bool is_name(const struct segment *s)
{
	return s->size > 2 && s->text[0] == '{';
}

static bool is_rest(const struct segment *s)
{
	return s->size > 5 && !memcmp(s->text + s->size - 4, "...}", 4);
}

/* Whether path fits the template; args receives the raw named segments. */
static bool fits(const char *template, const char *path, struct segment args[ROUTE_ARGS])
{
	struct segment t, p;
	size_t n = 0;

	memset(args, 0, ROUTE_ARGS * sizeof(args[0]));
	while (next_segment(&template, &t)) {
		if (!next_segment(&path, &p))
			return false;
		if (is_name(&t)) {
			if (is_rest(&t)) {
				p.size = strlen(p.text);
				path = p.text + p.size;
			}
			if (!p.size)
				return false;
			args[n++] = p;
		} else if (t.size != p.size || memcmp(t.text, p.text, t.size)) {
			return false;
		}
	}
	return !*path;
}

static size_t literal_bytes(const char *template)
{
	struct segment s;
	size_t n = 0;

	while (next_segment(&template, &s))
		n += is_name(&s) ? 0 : s.size + 1;
	return n;
}

unsigned route_allowed(const char *path)
{
	struct segment args[ROUTE_ARGS];
	unsigned allowed = 0;

	for (size_t i = 0; i < ROUTE_COUNT; i++)
		if (fits(routes[i].path, path, args))
			allowed |= 1u << routes[i].method;
	return allowed;
}

static int decode_args(const struct segment args[ROUTE_ARGS], struct route_match *out)
{
	struct route_match m = { .route = out->route };

	for (size_t i = 0; i < ROUTE_ARGS && args[i].text; i++) {
		if (route_decode(args[i].text, args[i].size, &m.args[i])) {
			route_match_fini(&m);
			return EXP_EPARSE;
		}
	}
	*out = m;
	return 0;
}

int route_find(enum route_method method, const char *path, struct route_match *out)
{
	struct segment args[ROUTE_ARGS], best_args[ROUTE_ARGS];
	const struct route *best = NULL;

	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		if (routes[i].method != method || !fits(routes[i].path, path, args))
			continue;
		if (best && literal_bytes(best->path) >= literal_bytes(routes[i].path))
			continue;
		best = &routes[i];
		memcpy(best_args, args, sizeof(args));
	}
	if (!best)
		return route_allowed(path) ? EXP_ECONFLICT : EXP_ENOTFOUND;
	out->route = best;
	return decode_args(best_args, out);
}

void route_match_fini(struct route_match *m)
{
	for (size_t i = 0; i < ROUTE_ARGS; i++) {
		mem_free(m->args[i]);
		m->args[i] = NULL;
	}
}
