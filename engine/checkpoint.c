#include "engine/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

enum { PREFIX = 8, HEADER_LIMIT = 1 << 16, BLOCKS = 3 };

static const char metadata_key[] = "__metadata__", seal_key[] = "sha256";

/* ---- what a file says of itself ---- */

enum { FORMAT, RECIPE, SEED, MODEL, DATA, STEPS, LABELS };
static const char *const keys[LABELS] = { "format", "recipe_sha256", "seed", "model_sha256", "data_sha256", "steps" };

struct labels {
	char text[LABELS][DIGEST_HEX];
};

/* One flat tensor. */
struct block {
	const char *name;
	float *values;
	size_t count;
};

static void digest_recipe(const struct recipe *r, char hex[DIGEST_HEX])
{
	json_t *json = recipe_to_json(r);
	uint8_t digest[DIGEST_SIZE];
	struct buf text = { 0 };

	json_write(json, false, &text);
	sha256(text.data, text.size, digest);
	hex_encode(digest, sizeof(digest), hex);
	buf_fini(&text);
	json_decref(json);
}

static void digest_model(const struct graph *g, char hex[DIGEST_HEX])
{
	uint8_t digest[DIGEST_SIZE];
	struct digest d;

	digest_init(&d);
	for (size_t i = 0; i < graph_parameter_count(g); i++) {
		const struct graph_parameter *p = graph_parameter(g, i);

		digest_add(&d, p->name, strlen(p->name) + 1);
		digest_add(&d, &p->rank, sizeof(p->rank));
		digest_add(&d, p->dims, p->rank * sizeof(p->dims[0]));
	}
	digest_final(&d, digest);
	hex_encode(digest, sizeof(digest), hex);
}

static void describe(const struct checkpoint *c, struct labels *out)
{
	snprintf(out->text[FORMAT], DIGEST_HEX, "expunge training checkpoint 1");
	digest_recipe(c->recipe, out->text[RECIPE]);
	snprintf(out->text[SEED], DIGEST_HEX, "%" PRIu64, c->seed);
	digest_model(c->params->graph, out->text[MODEL]);
	hex_encode(c->data, sizeof(c->data), out->text[DATA]);
	snprintf(out->text[STEPS], DIGEST_HEX, "%" PRIu64, c->optim->steps);
}

/* The tensors in the order of the file; returns how many. */
static size_t list_blocks(const struct checkpoint *c, struct block out[BLOCKS])
{
	size_t count = 0;

	out[count++] = (struct block){ "parameters", c->params->values, c->params->count };
	if (c->optim->first)
		out[count++] = (struct block){ "first", c->optim->first, c->optim->count };
	if (c->optim->second)
		out[count++] = (struct block){ "second", c->optim->second, c->optim->count };
	return count;
}

static size_t data_size(const struct checkpoint *c)
{
	struct block blocks[BLOCKS];
	size_t count = list_blocks(c, blocks), size = 0;

	for (size_t i = 0; i < count; i++)
		size += blocks[i].count * sizeof(float);
	return size;
}

/* Over labels and tensors: what is damaged does not have it. */
static void seal(const struct labels *labels, const void *data, size_t size, char hex[DIGEST_HEX])
{
	uint8_t digest[DIGEST_SIZE];
	struct digest d;

	digest_init(&d);
	digest_add(&d, labels->text, sizeof(labels->text));
	digest_add(&d, data, size);
	digest_final(&d, digest);
	hex_encode(digest, sizeof(digest), hex);
}

/* The whole file but for its data: the header's length, and the header padded to a multiple of 8 bytes. */
static void build_header(const struct checkpoint *c, const struct labels *labels, const char *sealed, struct buf *out)
{
	json_t *header = json_object(), *metadata = json_object();
	struct block blocks[BLOCKS];
	size_t count = list_blocks(c, blocks), at = 0;
	uint8_t length[PREFIX];
	struct buf text = { 0 };

	for (size_t i = 0; i < LABELS; i++)
		json_object_set_new(metadata, keys[i], json_string(labels->text[i]));
	json_object_set_new(metadata, seal_key, json_string(sealed));
	json_object_set_new(header, metadata_key, metadata);
	for (size_t i = 0; i < count; i++) {
		size_t end = at + blocks[i].count * sizeof(float);

		json_object_set_new(header, blocks[i].name,
				    json_pack("{s:s, s:[I], s:[I, I]}", "dtype", "F32", "shape",
					      (json_int_t)blocks[i].count, "data_offsets", (json_int_t)at,
					      (json_int_t)end));
		at = end;
	}
	json_write(header, false, &text);
	while (text.size % PREFIX)
		buf_add_text(&text, " ");
	for (size_t i = 0; i < PREFIX; i++)
		length[i] = (uint8_t)(text.size >> (8 * i));
	buf_add(out, length, sizeof(length));
	buf_add(out, text.data, text.size);
	buf_fini(&text);
	json_decref(header);
}

/* ---- writing ---- */

/* The data stand at their place in the file's buffer before the header, whose seal they decide. */
static void fill(const struct checkpoint *c, char *data)
{
	struct block blocks[BLOCKS];
	size_t count = list_blocks(c, blocks);

	for (size_t i = 0; i < count; i++) {
		memcpy(data, blocks[i].values, blocks[i].count * sizeof(float));
		data += blocks[i].count * sizeof(float);
	}
}

int checkpoint_save(const struct checkpoint *c, const char *path, struct exp_error *err)
{
	size_t size = data_size(c);
	char *bytes = mem_try_alloc(1, HEADER_LIMIT + size), *data;
	struct labels labels = { 0 };
	char sealed[DIGEST_HEX];
	struct buf header = { 0 };
	int rc;

	if (!bytes)
		return error_set(err, EXP_EMEMORY, "no memory to write the checkpoint %s (%zu bytes)", path, size);
	data = bytes + HEADER_LIMIT;
	describe(c, &labels);
	fill(c, data);
	seal(&labels, data, size, sealed);
	build_header(c, &labels, sealed, &header);
	memcpy(data - header.size, header.data, header.size);
	rc = file_write_durable(path, data - header.size, header.size + size, err);
	buf_fini(&header);
	mem_free_secret(bytes, HEADER_LIMIT + size);
	return rc;
}

/* ---- reading ---- */

struct reader {
	const char *path;
	struct buf file;
	struct labels labels;
	char sealed[DIGEST_HEX];
	size_t header_size; /* with its prefix */
};

static int parse_failure(const struct reader *r, struct exp_error *err)
{
	return error_set(err, EXP_EPARSE, "%s is not a training checkpoint", r->path);
}

static bool take_text(const json_t *metadata, const char *key, char out[DIGEST_HEX])
{
	const char *text = json_string_value(json_object_get(metadata, key));

	if (!text || strlen(text) >= DIGEST_HEX)
		return false;
	memcpy(out, text, strlen(text));
	return true;
}

static int read_labels(struct reader *r, const json_t *metadata, struct exp_error *err)
{
	for (size_t i = 0; i < LABELS; i++)
		if (!take_text(metadata, keys[i], r->labels.text[i]))
			return parse_failure(r, err);
	return take_text(metadata, seal_key, r->sealed) ? 0 : parse_failure(r, err);
}

static int read_header(struct reader *r, struct exp_error *err)
{
	json_t *header = NULL;
	uint64_t length = 0;
	int rc;

	if (r->file.size < PREFIX)
		return parse_failure(r, err);
	for (size_t i = 0; i < PREFIX; i++)
		length |= (uint64_t)(uint8_t)r->file.data[i] << (8 * i);
	if (length > HEADER_LIMIT - PREFIX || length > r->file.size - PREFIX)
		return parse_failure(r, err);
	r->header_size = PREFIX + (size_t)length;
	if (json_parse(r->file.data + PREFIX, (size_t)length, &header, NULL))
		return parse_failure(r, err);
	rc = read_labels(r, json_object_get(header, metadata_key), err);
	json_decref(header);
	return rc;
}

static int check_seal(const struct reader *r, struct exp_error *err)
{
	char sealed[DIGEST_HEX];

	seal(&r->labels, r->file.data + r->header_size, r->file.size - r->header_size, sealed);
	if (strcmp(sealed, r->sealed))
		return error_set(err, EXP_ECORRUPT, "the checkpoint %s is damaged: its bytes do not have their digest",
				 r->path);
	return 0;
}

static int check_origin(const struct reader *r, const struct labels *own, struct exp_error *err)
{
	static const struct {
		int label;
		const char *name;
	} origins[] = {
		{ RECIPE, "recipe" }, { SEED, "seed" }, { MODEL, "model" }, { DATA, "rows, or order of rows," }
	};

	if (strcmp(r->labels.text[FORMAT], own->text[FORMAT]))
		return parse_failure(r, err);
	for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++)
		if (strcmp(r->labels.text[origins[i].label], own->text[origins[i].label]))
			return error_set(err, EXP_ECONFLICT,
					 "the checkpoint %s is of another %s than this run; remove it to start anew",
					 r->path, origins[i].name);
	return 0;
}

/* With the same labels and seal this run would write the same header, to the byte. */
static int check_header(const struct reader *r, const struct checkpoint *c, struct exp_error *err)
{
	struct buf expected = { 0 };
	bool same;

	build_header(c, &r->labels, r->sealed, &expected);
	same = expected.size == r->header_size && !memcmp(expected.data, r->file.data, expected.size) &&
	       r->file.size - r->header_size == data_size(c);
	buf_fini(&expected);
	return same ? 0 : error_set(err, EXP_ECORRUPT, "the header of the checkpoint %s is damaged", r->path);
}

static void take(const struct reader *r, const struct checkpoint *c)
{
	const char *data = r->file.data + r->header_size;
	struct block blocks[BLOCKS];
	size_t count = list_blocks(c, blocks);

	for (size_t i = 0; i < count; i++) {
		memcpy(blocks[i].values, data, blocks[i].count * sizeof(float));
		data += blocks[i].count * sizeof(float);
	}
	c->optim->steps = strtoull(r->labels.text[STEPS], NULL, 10);
}

int checkpoint_load(const struct checkpoint *c, const char *path, struct exp_error *err)
{
	struct reader r = { .path = path };
	struct labels own = { 0 };
	int rc = file_read(path, HEADER_LIMIT + data_size(c), &r.file, err);

	if (rc == EXP_ELIMIT)
		rc = error_set(err, EXP_ECONFLICT,
			       "the checkpoint %s is of another model than this run: it is too large", path);
	if (!rc)
		rc = read_header(&r, err);
	if (!rc)
		rc = check_seal(&r, err);
	if (!rc) {
		describe(c, &own);
		rc = check_origin(&r, &own, err);
	}
	if (!rc)
		rc = check_header(&r, c, err);
	if (!rc)
		take(&r, c);
	buf_fini_secret(&r.file);
	return rc;
}
