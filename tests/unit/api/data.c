/*
 * Datasets and models by path and by upload, and everything that is wrong with them.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
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

TestSuite(data, .init = start, .fini = stop);

static void put_file(const char *name, const void *bytes, size_t size)
{
	char *path = file_join(w.imports, name);

	cr_assert_eq(file_write_durable(path, bytes, size, NULL), 0);
	mem_free(path);
}

/* A .npy of version 1.0 with the given header and content. */
static void put_npy(const char *name, const char *header, const void *bytes, size_t size)
{
	struct buf file = { 0 };
	size_t room = (10 + strlen(header) + 1 + 63) / 64 * 64 - 10;
	uint8_t length[2] = { (uint8_t)room, (uint8_t)(room >> 8) };

	buf_add(&file, "\x93NUMPY\x01\x00", 8);
	buf_add(&file, length, 2);
	buf_format(&file, "%-*s\n", (int)room - 1, header);
	buf_add(&file, bytes, size);
	put_file(name, file.data, file.size);
	buf_fini(&file);
}

#define ROWS                                                                                                           \
	"sample_id,subject,split\ns1,email:canary.one@example.org,train\ns2,,train\ns3,email:two@example.org,"         \
	"heldout\n"

static void put_small(void)
{
	const float inputs[6] = { 1, 2, 3, 4, 5, 6 };
	const int32_t labels[3] = { 0, 1, 0 };

	put_npy("x.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", inputs, sizeof(inputs));
	put_npy("y.npy", "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }", labels, sizeof(labels));
	put_file("r.csv", ROWS, strlen(ROWS));
}

#define SMALL "\"inputs\":\"x.npy\",\"labels\":\"y.npy\",\"rows\":\"r.csv\""

static void expect(const char *path, const char *body, long status, const char *slug, const char *pointer)
{
	struct answer a = post(&w, ROLE_ML_ENGINEER, path, body);

	cr_assert_eq(a.status, status, "%s: %ld %s", body, a.status, a.body.data);
	cr_assert_str_eq(answer_slug(&a), slug, "%s: %s", body, a.body.data);
	cr_assert_str_eq(answer_pointer(&a), pointer, "%s: %s", body, a.body.data);
	cr_assert(!strstr(a.body.data, "canary"), "%s", a.body.data);
	answer_fini(&a);
}

static size_t datasets(void)
{
	struct answer a = get(&w, ROLE_AUDITOR, "/v1/datasets");
	size_t n = json_array_size(json_object_get(a.json, "items"));

	answer_fini(&a);
	return n;
}

Test(data, a_dataset_by_path)
{
	struct answer a;

	put_small();
	a = post(&w, ROLE_ML_ENGINEER, "/v1/datasets", "{\"name\":\"d\"," SMALL ",\"classes\":4}");
	cr_assert_eq(a.status, 201, "%s", a.body.data);
	cr_assert_eq(json_integer_value(json_object_get(a.json, "rows")), 3);
	cr_assert_eq(json_integer_value(json_object_get(a.json, "subjects")), 2);
	cr_assert_eq(json_integer_value(json_object_get(a.json, "classes")), 4);
	cr_assert_str_eq(answer_text(&a, "source"), "imported");
	cr_assert(!strstr(a.body.data, "example.org"));
	answer_fini(&a);
	expect("/v1/datasets", "{\"name\":\"d\"," SMALL "}", 409, "already-exists", "/name");
	cr_assert_eq(datasets(), 1);
}

static void upload(const char *path, const void *bytes, size_t size)
{
	struct answer a = ask(&w, &(struct question){ .role = ROLE_ML_ENGINEER,
						      .method = "PUT",
						      .path = path,
						      .body = bytes,
						      .body_size = size,
						      .type = "application/octet-stream" });

	cr_assert_eq(a.status, 201, "%s", a.body.data);
	cr_assert_eq(json_integer_value(json_object_get(a.json, "bytes")), (json_int_t)size);
	answer_fini(&a);
}

static void upload_import(const char *name, const char *path)
{
	char *from = file_join(w.imports, name);
	struct buf bytes = { 0 };

	cr_assert_eq(file_read(from, 1 << 20, &bytes, NULL), 0);
	upload(path, bytes.data, bytes.size);
	buf_fini(&bytes);
	mem_free(from);
}

Test(data, a_dataset_by_upload)
{
	char command[256];
	struct answer a;

	put_small();
	expect("/v1/datasets", "{\"name\":\"u\",\"uploaded\":true}", 422, "invalid-field", "/uploaded");
	upload_import("x.npy", "/v1/datasets/u/files/inputs");
	upload_import("y.npy", "/v1/datasets/u/files/labels");
	upload("/v1/datasets/u/files/rows", "replaced", 8);
	upload_import("r.csv", "/v1/datasets/u/files/rows");
	a = post(&w, ROLE_ML_ENGINEER, "/v1/datasets", "{\"name\":\"u\",\"uploaded\":true}");
	cr_assert_eq(a.status, 201, "%s", a.body.data);
	cr_assert_str_eq(answer_text(&a, "source"), "uploaded");
	answer_fini(&a);
	snprintf(command, sizeof(command), "test -z \"$(ls -A '%s/uploads')\"", w.folder);
	cr_assert_eq(system(command), 0);
	snprintf(command, sizeof(command), "! grep -rqa canary.one '%s'", w.folder);
	cr_assert_eq(system(command), 0);
}

/* An operator who uploads and never registers leaves identities in clear; they do not stay. */
Test(data, what_nobody_registers_is_overwritten_after_a_day)
{
	char command[256];

	put_small();
	upload_import("r.csv", "/v1/datasets/old/files/rows");
	upload_import("r.csv", "/v1/datasets/young/files/rows");
	snprintf(command, sizeof(command), "touch -d '25 hours ago' '%s/uploads/dataset-old-rows'", w.folder);
	cr_assert_eq(system(command), 0);
	upload_import("x.npy", "/v1/datasets/young/files/inputs");
	snprintf(command, sizeof(command), "test ! -e '%s/uploads/dataset-old-rows'", w.folder);
	cr_assert_eq(system(command), 0);
	world_restart(&w, NULL);
	snprintf(command, sizeof(command), "test -s '%s/uploads/dataset-young-rows'", w.folder);
	cr_assert_eq(system(command), 0, "what is a minute old stays over a restart");
}

Test(data, uploads_have_limits_and_names)
{
	struct api_options options = { .upload_limit = 1000 };
	char big[1001] = "";
	struct question q = { .role = ROLE_ML_ENGINEER,
			      .method = "PUT",
			      .path = "/v1/datasets/u/files/rows",
			      .body = big,
			      .body_size = sizeof(big),
			      .type = "application/octet-stream" };
	struct answer a;

	world_restart(&w, &options);
	for (int chunked = 0; chunked < 2; chunked++) {
		q.chunked = chunked;
		a = ask(&w, &q);
		cr_assert_eq(a.status, 413, "%s", a.body.data);
		answer_fini(&a);
	}
	q.body_size = 10;
	q.path = "/v1/datasets/u/files/else";
	a = ask(&w, &q);
	cr_assert_eq(a.status, 404);
	answer_fini(&a);
	q.path = "/v1/datasets/..%2Fx/files/rows";
	a = ask(&w, &q);
	cr_assert_eq(a.status, 422);
	answer_fini(&a);
	q.path = "/v1/models/m/files/onnx.exe";
	a = ask(&w, &q);
	cr_assert_eq(a.status, 404);
	answer_fini(&a);
	cr_assert_eq(datasets(), 0);
}

Test(data, what_was_under_way_is_swept)
{
	char *path = mem_format("%s/uploads/incoming-x", w.folder);

	cr_assert_eq(file_write_durable(path, "half", 4, NULL), 0);
	world_restart(&w, NULL);
	cr_assert(!file_exists(path));
	mem_free(path);
}

Test(data, paths_stay_below_the_root)
{
	static const char *const outside[] = {
		"../etc/passwd", "/etc/passwd", "link.npy", "folder", "x.npy/../../etc/passwd", "", "."
	};
	char *link = file_join(w.imports, "link.npy"), *folder = file_join(w.imports, "folder"), body[256];
	struct api_options options = { .import_root = "/nonexistent" };

	put_small();
	cr_assert_eq(symlink("/etc/passwd", link), 0);
	cr_assert_eq(file_make_folder(folder, NULL), 0);
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		snprintf(body, sizeof(body),
			 "{\"name\":\"d\",\"inputs\":\"%s\",\"labels\":\"y.npy\",\"rows\":\"r.csv\"}", outside[i]);
		expect("/v1/datasets", body, 422, "invalid-field", "/inputs");
	}
	snprintf(body, sizeof(body),
		 "{\"name\":\"d\",\"inputs\":\"%s/x.npy\",\"labels\":\"y.npy\",\"rows\":\"/etc/shadow\"}", w.imports);
	expect("/v1/datasets", body, 422, "invalid-field", "/rows");
	world_restart(&w, &options);
	expect("/v1/datasets", "{\"name\":\"d\"," SMALL "}", 404, "not-found", "");
	cr_assert_eq(datasets(), 0);
	mem_free(link);
	mem_free(folder);
}

Test(data, bodies_that_are_wrong)
{
	put_small();
	expect("/v1/datasets", "{" SMALL "}", 422, "invalid-field", "/name");
	expect("/v1/datasets", "{\"name\":\"../x\"," SMALL "}", 422, "invalid-field", "/name");
	expect("/v1/datasets", "{\"name\":\"d\"}", 422, "invalid-field", "/inputs");
	expect("/v1/datasets", "{\"name\":\"d\"," SMALL ",\"uploaded\":true}", 422, "invalid-field", "/inputs");
	expect("/v1/datasets", "{\"name\":\"d\"," SMALL ",\"colour\":1}", 422, "invalid-field", "/colour");
	expect("/v1/datasets", "{\"name\":\"d\"," SMALL ",\"classes\":\"two\"}", 422, "invalid-field", "/classes");
	expect("/v1/datasets", "{\"name\":\"d\"," SMALL ",\"classes\":0}", 422, "invalid-field", "/classes");
	expect("/v1/datasets", "{\"name\":\"d\"," SMALL ",\"scale\":-1}", 422, "invalid-field", "/scale");
	cr_assert_eq(datasets(), 0);
}

Test(data, files_that_are_wrong)
{
	const float nan_inputs[6] = { 1, 2, 3, __builtin_nanf(""), 5, 6 };
	const int32_t far_labels[3] = { 0, 9, 0 }, two_labels[2] = { 0, 1 };

	put_small();
	put_npy("x.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", nan_inputs, sizeof(nan_inputs));
	expect("/v1/datasets", "{\"name\":\"d\"," SMALL "}", 422, "not-finite", "");
	put_small();
	put_npy("y.npy", "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }", far_labels, sizeof(far_labels));
	expect("/v1/datasets", "{\"name\":\"d\"," SMALL ",\"classes\":2}", 422, "out-of-range", "");
	put_npy("y.npy", "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", two_labels, sizeof(two_labels));
	expect("/v1/datasets", "{\"name\":\"d\"," SMALL "}", 422, "shape-mismatch", "");
	put_small();
	put_file("x.npy", "not an array", 12);
	expect("/v1/datasets", "{\"name\":\"d\"," SMALL "}", 400, "malformed", "");
	put_small();
	put_file("r.csv", "sample_id,subject,split\ns1,canary,train\n", 39);
	{
		struct answer a = post(&w, ROLE_ML_ENGINEER, "/v1/datasets", "{\"name\":\"d\"," SMALL "}");

		cr_assert(a.status == 422 || a.status == 400, "%s", a.body.data);
		cr_assert(!strstr(a.body.data, "canary"), "%s", a.body.data);
		answer_fini(&a);
	}
	cr_assert_eq(datasets(), 0);
}

Test(data, a_model)
{
	char job[ID_TEXT], path[128];
	struct answer a;

	world_add_dataset(&w);
	world_add_model(&w, job);
	snprintf(path, sizeof(path), "/v1/jobs/%s", job);
	a = get(&w, ROLE_ML_ENGINEER, path);
	cr_assert_str_eq(answer_text(&a, "kind"), "register");
	cr_assert_str_eq(answer_text(&a, "state"), "queued");
	answer_fini(&a);
	a = get(&w, ROLE_ML_ENGINEER, "/v1/models/wages");
	cr_assert_str_eq(answer_text(&a, "state"), "registering");
	cr_assert(json_is_null(json_object_get(a.json, "capped")));
	cr_assert_str_eq(json_string_value(json_object_get(json_object_get(a.json, "recipe"), "optimizer")), "adamw");
	cr_assert_str_eq(json_string_value(json_object_get(json_object_get(a.json, "policy"), "name")), "default");
	cr_assert_eq(json_array_size(json_object_get(a.json, "versions")), 1);
	answer_fini(&a);
	a = get(&w, ROLE_ML_ENGINEER, "/v1/models/wages/versions/1");
	cr_assert_str_eq(answer_text(&a, "state"), "staged");
	cr_assert_str_eq(answer_text(&a, "job"), job);
	answer_fini(&a);
	a = get(&w, ROLE_ML_ENGINEER, "/v1/models/wages/versions/2");
	cr_assert_eq(a.status, 404);
	answer_fini(&a);
	a = get(&w, ROLE_ML_ENGINEER, "/v1/models/wages/versions/01");
	cr_assert_eq(a.status, 404);
	answer_fini(&a);
	expect("/v1/models", "{\"name\":\"wages\",\"dataset\":\"wages\",\"onnx\":\"model.onnx\"}", 409,
	       "already-exists", "/name");
	expect("/v1/models", "{\"name\":\"bare\",\"dataset\":\"wages\",\"onnx\":\"model.onnx\"}", 202, "", "");
	a = get(&w, ROLE_ML_ENGINEER, "/v1/models/bare");
	cr_assert_str_eq(answer_text(&a, "capped"), "no_recipe");
	answer_fini(&a);
}

Test(data, models_that_are_wrong)
{
	struct buf nested = { 0 };
	struct answer a;

	world_add_dataset(&w);
	world_add_model(&w, NULL);
	put_small();
	a = post(&w, ROLE_ML_ENGINEER, "/v1/datasets", "{\"name\":\"d\"," SMALL "}");
	answer_fini(&a);
	put_file("text.onnx", "this is no model", 16);
	for (int i = 0; i < 30000; i++)
		buf_add(&nested, "\x3a\xff\xff\x03", 4);
	put_file("bomb.onnx", nested.data, nested.size);
	buf_fini(&nested);
#define MODEL "{\"name\":\"m\",\"dataset\":\"wages\",\"onnx\":\"model.onnx\""
	expect("/v1/models", "{\"name\":\"m\",\"dataset\":\"wages\",\"onnx\":\"text.onnx\"}", 400, "malformed", "");
	expect("/v1/models", "{\"name\":\"m\",\"dataset\":\"wages\",\"onnx\":\"bomb.onnx\"}", 400, "malformed", "");
	expect("/v1/models", "{\"name\":\"m\",\"dataset\":\"d\",\"onnx\":\"model.onnx\"}", 422, "shape-mismatch", "");
	expect("/v1/models", "{\"name\":\"m\",\"dataset\":\"none\",\"onnx\":\"model.onnx\"}", 404, "not-found",
	       "/dataset");
	expect("/v1/models", "{\"name\":\"m\",\"dataset\":\"wages\"}", 422, "invalid-field", "/onnx");
	expect("/v1/models", "{\"name\":\"m\",\"dataset\":\"wages\",\"uploaded\":true}", 422, "invalid-field",
	       "/uploaded");
	expect("/v1/models", MODEL ",\"recipe\":{\"optimizer\":\"sgd\"}}", 422, "invalid-field",
	       "/recipe/learning_rate");
	expect("/v1/models", MODEL ",\"recipe\":7}", 422, "invalid-field", "/recipe");
	expect("/v1/models", MODEL ",\"policy\":{\"alfa\":1}}", 422, "invalid-field", "/policy/alfa");
	expect("/v1/models", MODEL ",\"more\":1}", 422, "invalid-field", "/more");
	a = get(&w, ROLE_ML_ENGINEER, "/v1/models");
	cr_assert_eq(json_array_size(json_object_get(a.json, "items")), 1);
	answer_fini(&a);
	a = get(&w, ROLE_ML_ENGINEER, "/v1/jobs");
	cr_assert_eq(json_array_size(json_object_get(a.json, "items")), 1);
	answer_fini(&a);
}

/* The dimension of 14 features becomes one without number and symbol: TensorShapeProto.dim {dim_value: 14}. */
static void put_open_model(void)
{
	char *path = file_join(w.imports, "model.onnx");
	struct buf model = { 0 };
	char *dim;

	cr_assert_eq(file_read(path, 1 << 20, &model, NULL), 0);
	dim = memmem(model.data, model.size, "\x0a\x02\x08\x0e", 4);
	cr_assert_not_null(dim);
	memcpy(dim, "\x0a\x02\x12\x00", 4);
	put_file("open.onnx", model.data, model.size);
	buf_fini(&model);
	mem_free(path);
}

Test(data, a_model_whose_file_leaves_something_open)
{
	struct answer a;

	world_add_dataset(&w);
	world_add_model(&w, NULL);
	put_open_model();
#define OPEN "{\"name\":\"open\",\"dataset\":\"wages\",\"onnx\":\"open.onnx\""
	expect("/v1/models", OPEN "}", 422, "shape-mismatch", "");
	expect("/v1/models", OPEN ",\"shapes\":{\"input\":[13]}}", 422, "shape-mismatch", "");
	expect("/v1/models", OPEN ",\"shapes\":{\"inputs\":[14]}}", 422, "invalid-argument", "");
	expect("/v1/models", OPEN ",\"shapes\":{\"input\":14}}", 422, "invalid-field", "/shapes");
	expect("/v1/models", OPEN ",\"sizes\":{\"features\":14}}", 422, "invalid-argument", "");
	expect("/v1/models", OPEN ",\"sizes\":{\"features\":\"14\"}}", 422, "invalid-field", "/sizes");
	expect("/v1/models", OPEN ",\"frozen\":{}}", 422, "invalid-field", "/frozen");
	expect("/v1/models", OPEN ",\"shapes\":{\"input\":[14]},\"frozen\":[\"output.biass\"]}", 422,
	       "invalid-argument", "");
	expect("/v1/models", OPEN ",\"shapes\":{\"input\":[14]},\"frozen\":[\"output.bias\"]}", 202, "", "");
	a = get(&w, ROLE_ML_ENGINEER, "/v1/models/open");
	cr_assert_eq(json_integer_value(json_array_get(json_object_get(json_object_get(a.json, "shapes"), "input"), 0)),
		     14);
	cr_assert_str_eq(json_string_value(json_array_get(json_object_get(a.json, "frozen"), 0)), "output.bias");
	cr_assert_eq(json_object_size(json_object_get(a.json, "sizes")), 0);
	answer_fini(&a);
	a = get(&w, ROLE_ML_ENGINEER, "/v1/models/wages");
	cr_assert(json_is_object(json_object_get(a.json, "shapes")) &&
		  json_is_array(json_object_get(a.json, "frozen")));
	answer_fini(&a);
}

/* The model's last layer is a factor, whose start no layer says: tools/golden/make_offline_goldens.py. */
static void put_factor_model(void)
{
	const float inputs[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	char *path = mem_format("%s/../../tests/golden/offline/norm.onnx", getenv("EXPUNGE_EXAMPLE"));
	struct buf model = { 0 };

	cr_assert_eq(file_read(path, 1 << 20, &model, NULL), 0);
	put_file("factor.onnx", model.data, model.size);
	put_small();
	put_npy("x.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", inputs, sizeof(inputs));
	buf_fini(&model);
	mem_free(path);
}

Test(data, a_recipe_that_would_keep_what_was_learned)
{
	struct answer a;

	put_factor_model();
	a = post(&w, ROLE_ML_ENGINEER, "/v1/datasets", "{\"name\":\"d\"," SMALL "}");
	cr_assert_eq(a.status, 201, "%s", a.body.data);
	answer_fini(&a);
#define FACTOR "{\"name\":\"f\",\"dataset\":\"d\",\"onnx\":\"factor.onnx\""
#define TRAIN  "\"recipe\":{\"optimizer\":\"sgd\",\"learning_rate\":0.1,\"epochs\":1,\"batch\":2"
	expect("/v1/models", FACTOR "," TRAIN "}}", 422, "unsupported", "/recipe/start");
	expect("/v1/models", FACTOR "," TRAIN ",\"start\":[{\"parameters\":\"factor\",\"constant\":1}]}}", 422,
	       "invalid-argument", "/policy"); /* too few held-out people, which comes after */
	expect("/v1/models", FACTOR "}", 202, "", "");
}

Test(data, a_policy_that_could_never_flag_anybody)
{
	world_add_dataset(&w);
	world_add_model(&w, NULL);
	expect("/v1/models",
	       "{\"name\":\"strict\",\"dataset\":\"wages\",\"onnx\":\"model.onnx\",\"policy\":{\"min_heldout\":200},"
	       "\"recipe\":{\"optimizer\":\"sgd\",\"learning_rate\":0.1,\"epochs\":1,\"batch\":8}}",
	       422, "invalid-argument", "/policy");
}
