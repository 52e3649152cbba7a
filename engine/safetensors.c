#include "engine/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

enum { PREFIX = 8, HEADER_LIMIT = 16 << 20 };

static const char metadata_key[] = "__metadata__";

/* ---- writing ---- */

static json_t *describe_tensor(const struct graph_parameter *g, size_t begin)
{
	json_t *shape = json_array();

	for (size_t d = 0; d < g->rank; d++)
		json_array_append_new(shape, json_integer((json_int_t)g->dims[d]));
	return json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets", (json_int_t)begin,
			 (json_int_t)(begin + g->count * sizeof(float)));
}

static int build_header(const struct graph *g, const json_t *metadata, json_t *header, struct exp_error *err)
{
	size_t begin = 0;

	if (metadata)
		json_object_set(header, metadata_key, (json_t *)metadata);
	for (size_t i = 0; i < graph_parameter_count(g); i++) {
		const struct graph_parameter *p = graph_parameter(g, i);

		if (!strcmp(p->name, metadata_key) || json_object_set_new(header, p->name, describe_tensor(p, begin)))
			return error_set(err, EXP_EUNSUPPORTED, "parameter %zu has a name that safetensors cannot hold",
					 i);
		begin += p->count * sizeof(float);
	}
	return 0;
}

/* The JSON text, padded with spaces so that data start at a multiple of 8 bytes, after its length. */
static void add_prefix(struct buf *out, const json_t *header)
{
	struct buf text = { 0 };
	uint8_t length[PREFIX];

	json_write(header, false, &text);
	while (text.size % PREFIX)
		buf_add_text(&text, " ");
	for (size_t i = 0; i < PREFIX; i++)
		length[i] = (uint8_t)(text.size >> (8 * i));
	buf_add(out, length, sizeof(length));
	buf_add(out, text.data, text.size);
	buf_fini(&text);
}

static int write_whole(const char *path, const struct buf *prefix, const struct params *p, struct exp_error *err)
{
	size_t size = prefix->size + graph_parameter_floats(p->graph) * sizeof(float);
	char *bytes = mem_try_alloc(1, size), *at = bytes;
	int rc;

	if (!bytes)
		return error_set(err, EXP_EMEMORY, "no memory to write %s (%zu bytes)", path, size);
	memcpy(at, prefix->data, prefix->size);
	at += prefix->size;
	for (size_t i = 0; i < graph_parameter_count(p->graph); i++) {
		const struct graph_parameter *g = graph_parameter(p->graph, i);

		memcpy(at, p->values + g->offset, g->count * sizeof(float));
		at += g->count * sizeof(float);
	}
	rc = file_write_durable(path, bytes, (size_t)(at - bytes), err);
	mem_free(bytes);
	return rc;
}

int safetensors_save(const char *path, const struct params *p, const json_t *metadata, struct exp_error *err)
{
	json_t *header = json_object();
	struct buf prefix = { 0 };
	int rc = build_header(p->graph, metadata, header, err);

	if (!rc) {
		add_prefix(&prefix, header);
		rc = write_whole(path, &prefix, p, err);
	}
	buf_fini(&prefix);
	json_decref(header);
	return rc;
}

/* ---- reading ---- */

struct span {
	size_t begin, end; /* bytes, within the data */
};

struct reader {
	json_t *header;
	const char *data; /* after the header, not aligned */
	size_t data_size;
	struct span *spans; /* one a parameter */
};

static int parse_header(const struct buf *file, struct reader *r, struct exp_error *err)
{
	uint64_t length = 0;
	int rc;

	if (file->size < PREFIX)
		return error_set(err, EXP_EPARSE, "not a safetensors file: it has only %zu bytes", file->size);
	for (size_t i = 0; i < PREFIX; i++)
		length |= (uint64_t)(uint8_t)file->data[i] << (8 * i);
	if (length > HEADER_LIMIT || length > file->size - PREFIX)
		return error_set(err, EXP_EPARSE,
				 "not a safetensors file: the announced header is longer than the file");
	rc = json_parse(file->data + PREFIX, (size_t)length, &r->header, err);
	if (rc)
		return error_wrap(err, rc, "safetensors header");
	if (!json_is_object(r->header))
		return error_set(err, EXP_EPARSE, "the safetensors header is not an object");
	r->data = file->data + PREFIX + length;
	r->data_size = file->size - PREFIX - (size_t)length;
	return 0;
}

static int check_metadata(const json_t *metadata, struct exp_error *err)
{
	const char *key;
	json_t *value;

	if (!metadata)
		return 0;
	if (!json_is_object(metadata))
		return error_set(err, EXP_EPARSE, "__metadata__ is not an object");
	json_object_foreach((json_t *)metadata, key, value)
		if (!json_is_string(value))
			return error_set(err, EXP_EPARSE, "__metadata__ holds something other than strings");
	return 0;
}

static bool has_shape(const json_t *shape, const struct graph_parameter *p)
{
	if (!json_is_array(shape) || json_array_size(shape) != p->rank)
		return false;
	for (size_t d = 0; d < p->rank; d++) {
		const json_t *size = json_array_get(shape, d);

		if (!json_is_integer(size) || json_integer_value(size) != (json_int_t)p->dims[d])
			return false;
	}
	return true;
}

static bool take_span(const json_t *offsets, size_t data_size, struct span *out)
{
	json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);

	if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
		return false;
	if (json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin) ||
	    (uint64_t)json_integer_value(end) > data_size)
		return false;
	out->begin = (size_t)json_integer_value(begin);
	out->end = (size_t)json_integer_value(end);
	return true;
}

static int find_tensor(const struct reader *r, const struct graph_parameter *p, struct span *out, struct exp_error *err)
{
	const json_t *entry = json_object_get(r->header, p->name);
	const char *dtype = json_string_value(json_object_get(entry, "dtype"));

	if (!entry)
		return error_set(err, EXP_EFIELD, "tensor \"%s\" is missing", p->name);
	if (!dtype || strcmp(dtype, "F32"))
		return error_set(err, EXP_EUNSUPPORTED, "tensor \"%s\" is not F32", p->name);
	if (!has_shape(json_object_get(entry, "shape"), p))
		return error_set(err, EXP_ESHAPE, "tensor \"%s\" does not have the shape of the model's parameter",
				 p->name);
	if (!take_span(json_object_get(entry, "data_offsets"), r->data_size, out))
		return error_set(err, EXP_EPARSE, "tensor \"%s\" has offsets that do not lie in the file", p->name);
	if (out->end - out->begin != p->count * sizeof(float))
		return error_set(err, EXP_ESHAPE, "tensor \"%s\" has offsets that do not fit its shape", p->name);
	return 0;
}

static int check_unknown(const struct reader *r, const struct graph *g, struct exp_error *err)
{
	json_t *entry;
	const char *key;

	json_object_foreach(r->header, key, entry) {
		size_t i = 0;

		while (i < graph_parameter_count(g) && strcmp(graph_parameter(g, i)->name, key))
			i++;
		if (i == graph_parameter_count(g) && strcmp(key, metadata_key))
			return error_set(err, EXP_EFIELD, "tensor \"%s\" is not a parameter of the model", key);
	}
	return 0;
}

static int by_begin(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* The format forbids holes and overlaps: sorted, the spans follow each other from the first byte to the last. */
static int check_cover(struct span *spans, size_t count, size_t data_size, struct exp_error *err)
{
	size_t at = 0;

	qsort(spans, count, sizeof(*spans), by_begin);
	for (size_t i = 0; i < count; i++) {
		if (spans[i].begin != at)
			return error_set(err, EXP_EPARSE, "the safetensors data have a hole or overlap at byte %zu",
					 at);
		at = spans[i].end;
	}
	if (at != data_size)
		return error_set(err, EXP_EPARSE, "the safetensors file has %zu bytes after its last tensor",
				 data_size - at);
	return 0;
}

static int read_tensors(struct reader *r, const struct graph *g, struct params *p, struct exp_error *err)
{
	size_t count = graph_parameter_count(g);
	int rc = check_unknown(r, g, err);

	r->spans = mem_try_alloc(count, sizeof(*r->spans));
	if (!r->spans)
		return error_set(err, EXP_EMEMORY, "no memory for %zu tensors", count);
	for (size_t i = 0; !rc && i < count; i++) {
		const struct graph_parameter *at = graph_parameter(g, i);

		rc = find_tensor(r, at, &r->spans[i], err);
		if (!rc)
			memcpy(p->values + at->offset, r->data + r->spans[i].begin, at->count * sizeof(float));
	}
	return rc ? rc : check_cover(r->spans, count, r->data_size, err);
}

static int load_from(const struct buf *file, struct params *p, json_t **metadata, struct exp_error *err)
{
	struct reader r = { 0 };
	json_t *found;
	int rc = parse_header(file, &r, err);

	if (rc)
		goto out;
	found = json_object_get(r.header, metadata_key);
	rc = check_metadata(found, err);
	if (!rc)
		rc = read_tensors(&r, p->graph, p, err);
	if (!rc)
		rc = params_check_finite(p, err);
	if (!rc && metadata)
		*metadata = found ? json_incref(found) : json_object();
out:
	mem_free(r.spans);
	json_decref(r.header);
	return rc;
}

int safetensors_load(struct graph *g, const char *path, struct params **out, json_t **metadata, struct exp_error *err)
{
	size_t limit = PREFIX + HEADER_LIMIT + graph_parameter_floats(g) * sizeof(float);
	struct params *p = NULL;
	struct buf file = { 0 };
	int rc = params_new(g, &p);

	if (rc)
		return error_set(err, rc, "no memory for the parameters");
	rc = file_read(path, limit, &file, err);
	if (!rc) {
		rc = load_from(&file, p, metadata, err);
		if (rc)
			rc = error_wrap(err, rc, "%s", path);
	}
	buf_fini(&file);
	if (rc)
		params_free(p);
	else
		*out = p;
	return rc;
}
