/*
 * Files come from below the import root, or were uploaded before. The import itself checks everything before it writes
 * anything (dataset/import.h); it takes as long as the files are large, so it runs on the pool for blocking work.
 */
#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/dataset_json.h"
#include "api/import_path.h"
#include "api/record.h"
#include "api/render.h"
#include "api/upload.h"
#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"
#include "dataset/import.h"
#include "storage/writer.h"

enum { FILES = 3 };

static const char *const file_names[FILES] = { "inputs", "labels", "rows" };

struct registration {
	char name[64];
	char *given[FILES]; /* paths of the body */
	char *paths[FILES]; /* real ones */
	bool is_uploaded;
	double scale;
	int64_t classes;
	struct dataset_summary summary;
};

#define AT(member) .offset = offsetof(struct registration, member)
static const struct json_field fields[] = {
	{ .name = "name", .kind = JSON_FIELD_TEXT, .required = true, AT(name), .size = 64 },
	{ .name = "inputs", .kind = JSON_FIELD_STRING, AT(given[0]) },
	{ .name = "labels", .kind = JSON_FIELD_STRING, AT(given[1]) },
	{ .name = "rows", .kind = JSON_FIELD_STRING, AT(given[2]) },
	{ .name = "uploaded", .kind = JSON_FIELD_BOOL, AT(is_uploaded) },
	{ .name = "scale", .kind = JSON_FIELD_NUMBER, AT(scale) },
	{ .name = "classes", .kind = JSON_FIELD_INT, AT(classes), .min = 1, .max = 1000000 },
};

static void state_free(void *state)
{
	struct registration *r = state;

	for (size_t i = 0; i < FILES; i++) {
		mem_free(r->given[i]);
		mem_free(r->paths[i]);
	}
}

static int resolve_one(const struct api *a, struct registration *r, size_t i, struct exp_error *err)
{
	char pointer[16];

	snprintf(pointer, sizeof(pointer), "/%s", file_names[i]);
	if (r->is_uploaded) {
		if (r->given[i])
			return error_set_field(err, EXP_EFIELD, pointer, "%s cannot be given together with /uploaded",
					       pointer);
		r->paths[i] = upload_path(a, "dataset", r->name, file_names[i]);
		if (!file_exists(r->paths[i]))
			return error_set_field(err, EXP_EFIELD, "/uploaded",
					       "%s was not uploaded: PUT /v1/datasets/%s/files/%s first", file_names[i],
					       r->name, file_names[i]);
		return 0;
	}
	if (!r->given[i])
		return error_set_field(
		    err, EXP_EFIELD, pointer,
		    "%s is missing: give inputs, labels and rows, or upload them and say \"uploaded\": true", pointer);
	return import_path_resolve(a->options.import_root, r->given[i], pointer, &r->paths[i], err);
}

/* One digest for both arrays, as registered. */
static json_t *leaf_fields(const struct registration *r, const struct stored_dataset *d)
{
	uint8_t both[2 * DIGEST_SIZE], digest[DIGEST_SIZE];

	memcpy(both, d->inputs_sha256, DIGEST_SIZE);
	memcpy(both + DIGEST_SIZE, d->labels_sha256, DIGEST_SIZE);
	sha256(both, sizeof(both), digest);
	return json_pack("{s:s, s:o, s:{s:I, s:I}}", "dataset", r->name, "sha256", render_digest(digest), "rows",
			 "train", (json_int_t)r->summary.train, "heldout", (json_int_t)r->summary.heldout);
}

static int record(struct txn *txn, void *state, struct exp_error *err)
{
	const struct registration *r = state;
	struct stored_dataset d;
	json_t *leaf;
	int rc = datasets_get(txn_db(txn), r->name, &d, err);

	if (rc)
		return rc;
	leaf = leaf_fields(r, &d);
	stored_dataset_fini(&d);
	return record_leaf(txn, LEAF_DATASET_REGISTERED, leaf, NULL, NULL, err);
}

/* What was uploaded holds people's rows in clear. They do not wait on: they are registered by now, or refused. */
static int discard_uploads(const struct api *a, const struct registration *r, struct exp_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && r->is_uploaded && i < FILES; i++)
		rc = upload_discard(a, "dataset", r->name, file_names[i], err);
	return rc;
}

static int work(struct call *c, struct exp_error *err)
{
	struct registration *r = c->state;
	const struct api *a = c->api;
	struct dataset_home home = { a->options.store, a->options.data_folder, a->lookup_key };
	struct dataset_spec spec = { .name = r->name,
				     .scale = r->scale,
				     .classes = r->classes,
				     .source = r->is_uploaded ? DATASET_UPLOADED : DATASET_IMPORTED };
	int rc = 0, left;

	for (size_t i = 0; !rc && i < FILES; i++)
		rc = resolve_one(a, r, i, err);
	if (rc)
		return rc;
	spec.inputs = r->paths[0];
	spec.labels = r->paths[1];
	spec.rows = r->paths[2];
	rc = dataset_import(&home, &spec, &r->summary, err);
	if (!rc)
		rc = writer_call(a->options.store, record, r, err);
	left = discard_uploads(a, r, rc ? NULL : err);
	return rc ? rc : left;
}

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	return dataset_json_render(db, ((struct registration *)c->state)->name, out, err);
}

static int answer(struct call *c, struct exp_error *err)
{
	const struct registration *r = c->state;
	json_t *json;
	int rc = render_read(c, build, &json, err);

	if (rc)
		return rc;
	json_object_set_new(json, "subjects", json_integer((json_int_t)r->summary.subjects));
	json_object_set_new(json, "rows_without_subject", json_integer((json_int_t)r->summary.without_subject));
	reply_header(c, "Location", "/v1/datasets/%s", r->name);
	reply_json(c, 201, json);
	return 0;
}

int api_dataset_create(struct call *c, struct exp_error *err)
{
	struct registration *r = call_state_new(c, sizeof(*r), state_free);
	int rc = json_fill(c->json, "", fields, sizeof(fields) / sizeof(fields[0]), r, err);

	if (rc)
		return rc;
	if (!id_is_name(r->name))
		return error_set_field(err, EXP_EFIELD, "/name",
				       "/name must have 1 to 63 letters, digits, '.', '_' or '-'");
	if (json_object_get(c->json, "scale") && !(r->scale > 0))
		return error_set_field(err, EXP_EFIELD, "/scale", "/scale must be above 0");
	return call_offload(c, work, answer);
}
