#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "proof/receipt.h"

struct options {
	const char *path;
};

/* "  " for each level; parts per million are written as the decimals that they stand for. */
static void print_value(const char *key, const json_t *value, int level)
{
	static const char suffix[] = "_ppm";
	size_t size = strlen(key), cut = size > 4 && !strcmp(key + size - 4, suffix) ? 4 : 0;
	int width = 24 - 2 * level;

	printf("%*s%-*.*s", 2 * level, "", width, (int)(size - cut), key);
	if (json_is_integer(value) && cut)
		printf("%.6g\n", (double)json_integer_value(value) / 1e6);
	else if (json_is_integer(value))
		printf("%lld\n", (long long)json_integer_value(value));
	else
		printf("%s\n", json_string_value(value));
}

static void print_object(const json_t *object, int level);

static void print_list(const char *key, const json_t *list, int level)
{
	json_t *item;
	size_t i;

	if (!json_array_size(list))
		printf("%*s%-*snone\n", 2 * level, "", 24 - 2 * level, key);
	json_array_foreach(list, i, item) {
		if (!json_is_object(item)) {
			print_value(key, item, level);
			continue;
		}
		printf("%*s%s %zu\n", 2 * level, "", key, i + 1);
		print_object(item, level + 1);
	}
}

static void print_object(const json_t *object, int level)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		if (json_is_array(value)) {
			print_list(key, value, level);
		} else if (json_is_object(value)) {
			printf("%*s%s\n", 2 * level, "", key);
			print_object(value, level + 1);
		} else {
			print_value(key, value, level);
		}
	}
}

static void print_leaf(const struct receipt *r, struct leaf *leaf, bool json)
{
	json_object_del(leaf->body, "pad");
	if (json) {
		command_print_json(json_incref(leaf->body));
		return;
	}
	print_object(leaf->body, 0);
	printf("\nEntry %llu of the log. Nothing was verified: see `expunge audit verify --help`.\n",
	       (unsigned long long)r->index);
}

static int show(const struct buf *bytes, bool json, struct exp_error *err)
{
	struct receipt r = { 0 };
	struct leaf leaf;
	int rc = receipt_parse(bytes->data ? bytes->data : "", bytes->size, &r, err);

	if (!rc)
		rc = leaf_check(r.leaf.data ? r.leaf.data : "", r.leaf.size, &leaf, err);
	if (!rc) {
		print_leaf(&r, &leaf, json);
		leaf_fini(&leaf);
	}
	receipt_fini(&r);
	return rc;
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct buf bytes = { 0 };
	int rc = file_read(o->path, RECEIPT_SIZE_MAX, &bytes, err);

	if (!rc)
		rc = show(&bytes, c->json, err);
	buf_fini_secret(&bytes);
	return rc;
}

static const struct option_row rows[] = {
	{ .name = "RECEIPT",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = offsetof(struct options, path),
	  .help = "a receipt (.tlog-proof)" },
};

const struct command cmd_audit_show = {
	.group = "audit",
	.name = "show",
	.summary = "print what a receipt says",
	.text =
	    "Prints the leaf in a receipt: what was done, with which method, verdict and scores, and the digests of\n"
	    "the weights before and after. Nothing is verified; use `expunge audit verify` for that. Scores are\n"
	    "kept as parts per million and shown as decimals; --json prints the leaf as it stands.",
	.example = "  expunge audit show ada.tlog-proof",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};
