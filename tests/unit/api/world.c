#include "tests/unit/api/world.h"

#include <criterion/criterion.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/file.h"
#include "base/mem.h"
#include "model/live.h"
#include "model/stage.h"
#include "storage/keys.h"
#include "storage/tokens.h"
#include "storage/versions.h"
#include "storage/writer.h"

static int insert_token(struct txn *txn, void *arg, struct exp_error *err)
{
	return tokens_insert(txn, arg, err);
}

static void add_token(struct world *w, enum role role)
{
	struct stored_token stored = { .role = role };
	struct auth_token token;

	auth_token_new(role, &token);
	memcpy(stored.id, token.id, sizeof(token.id));
	snprintf(stored.name, sizeof(stored.name), "test %s", role_name(role));
	memcpy(stored.secret_sha256, token.sha256, sizeof(stored.secret_sha256));
	memcpy(w->tokens[role], token.text, sizeof(token.text));
	memcpy(w->token_ids[role], token.id, sizeof(token.id));
	cr_assert_eq(writer_call(w->store, insert_token, &stored, NULL), 0);
}

static int lookup_op(struct txn *txn, void *arg, struct exp_error *err)
{
	return secrets_get_or_create(txn, "lookup", arg, DIGEST_KEY_SIZE, err);
}

static void count_wake(void *arg)
{
	atomic_fetch_add(&((struct world *)arg)->wakes, 1);
}

static bool tell_ready(void *arg)
{
	return atomic_load(&((struct world *)arg)->is_ready);
}

static void start_api(struct world *w, const struct api_options *options)
{
	struct api_options o = options ? *options : (struct api_options){ 0 };
	struct exp_error err = { 0 };

	o.data_folder = w->folder;
	o.import_root = o.import_root ? o.import_root : w->imports;
	o.store = w->store;
	o.audit = w->audit;
	o.models = w->models;
	o.lookup_key = w->lookup;
	o.wake = count_wake;
	o.wake_arg = w;
	o.is_ready = tell_ready;
	o.ready_arg = w;
	cr_assert_eq(api_start(&o, &w->api, &err), 0, "%s", err.message);
}

void world_start(struct world *w, const struct api_options *options)
{
	struct exp_error err = { 0 };

	memset(w, 0, sizeof(*w));
	cr_assert_eq(crypto_init(), 0);
	curl_global_init(CURL_GLOBAL_ALL);
	strcpy(w->folder, "/tmp/expunge-api-XXXXXX");
	strcpy(w->imports, "/tmp/expunge-imports-XXXXXX");
	cr_assert(mkdtemp(w->folder) && mkdtemp(w->imports));
	cr_assert_eq(store_open(w->folder, NULL, &w->store, &err), 0, "%s", err.message);
	cr_assert_eq(audit_open(w->store, w->folder, "log.example/test", &w->audit, &err), 0, "%s", err.message);
	cr_assert_eq(writer_call(w->store, lookup_op, w->lookup, NULL), 0);
	w->models = models_new(w->folder);
	atomic_store(&w->is_ready, true);
	for (int role = 0; role < ROLE_COUNT; role++)
		add_token(w, (enum role)role);
	start_api(w, options);
}

static void remove_folder(const char *path)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	cr_assert_eq(system(command), 0);
}

void world_restart(struct world *w, const struct api_options *options)
{
	api_stop(w->api);
	start_api(w, options);
}

void world_stop(struct world *w)
{
	api_stop(w->api);
	models_free(w->models);
	audit_close(w->audit);
	store_close(w->store);
	remove_folder(w->folder);
	remove_folder(w->imports);
	curl_global_cleanup();
}

static size_t take(char *bytes, size_t size, size_t count, void *arg)
{
	buf_add(arg, bytes, size * count);
	return size * count;
}

struct sending {
	const char *at;
	size_t left;
};

static size_t give(char *to, size_t size, size_t count, void *arg)
{
	struct sending *s = arg;
	size_t n = size * count < s->left ? size * count : s->left;

	memcpy(to, s->at, n);
	s->at += n;
	s->left -= n;
	return n;
}

static struct curl_slist *headers_of(const struct world *w, const struct question *q)
{
	const char *token = q->token ? q->token : q->role >= 0 ? w->tokens[q->role] : NULL;
	struct curl_slist *list = NULL;
	char line[512];

	if (token) {
		snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
		list = curl_slist_append(list, line);
	}
	snprintf(line, sizeof(line), "Content-Type:%s%s", q->type && !*q->type ? "" : " ",
		 q->type ? q->type : "application/json");
	if (q->body)
		list = curl_slist_append(list, line);
	if (q->chunked)
		list = curl_slist_append(list, "Transfer-Encoding: chunked");
	list = curl_slist_append(list, "Expect:");
	for (size_t i = 0; i < 4 && q->headers[i]; i++)
		list = curl_slist_append(list, q->headers[i]);
	return list;
}

static void set_body(CURL *curl, const struct question *q, struct sending *s)
{
	const char *method = q->method ? q->method : q->body ? "POST" : "GET";

	if (q->body) {
		*s = (struct sending){ q->body, q->body_size ? q->body_size : strlen(q->body) };
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
		curl_easy_setopt(curl, CURLOPT_READDATA, s);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, q->chunked ? (curl_off_t)-1 : (curl_off_t)s->left);
	}
	if (!strcmp(method, "HEAD"))
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

struct answer ask(struct world *w, const struct question *q)
{
	struct answer a = { 0 };
	struct curl_slist *list = headers_of(w, q);
	struct sending sending;
	CURL *curl = curl_easy_init();
	char url[512];
	CURLcode code;

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", api_port(w->api), q->path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &a.body);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &a.head);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, q->timeout_s ? q->timeout_s : 20L);
	set_body(curl, q, &sending);
	code = curl_easy_perform(curl);
	cr_assert_eq(code, CURLE_OK, "%s %s: %s", q->method ? q->method : "", q->path, curl_easy_strerror(code));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a.status);
	curl_easy_cleanup(curl);
	curl_slist_free_all(list);
	if (a.body.size)
		a.json = json_loadb(a.body.data, a.body.size, 0, NULL);
	return a;
}

void answer_fini(struct answer *a)
{
	buf_fini(&a->head);
	buf_fini(&a->body);
	json_decref(a->json);
	*a = (struct answer){ 0 };
}

struct answer get(struct world *w, int role, const char *path)
{
	return ask(w, &(struct question){ .role = role, .path = path });
}

struct answer post(struct world *w, int role, const char *path, const char *body)
{
	return ask(w, &(struct question){ .role = role, .path = path, .body = body });
}

char *answer_header(const struct answer *a, const char *name)
{
	size_t size = strlen(name);

	for (const char *line = a->head.data; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : "") {
		const char *value = line + size + 1;

		if (strncasecmp(line, name, size) || line[size] != ':')
			continue;
		value += strspn(value, " ");
		return mem_format("%.*s", (int)strcspn(value, "\r\n"), value);
	}
	return NULL;
}

const char *answer_text(const struct answer *a, const char *member)
{
	const char *text = json_string_value(json_object_get(a->json, member));

	return text ? text : "";
}

const char *answer_slug(const struct answer *a)
{
	const char *type = answer_text(a, "type");

	return strncmp(type, "/problems/", 10) ? "" : type + 10;
}

const char *answer_pointer(const struct answer *a)
{
	const json_t *first = json_array_get(json_object_get(a->json, "errors"), 0);
	const char *text = json_string_value(json_object_get(first, "pointer"));

	return text ? text : "";
}

static const char *example(void)
{
	const char *folder = getenv("EXPUNGE_EXAMPLE");

	cr_assert(folder != NULL, "EXPUNGE_EXAMPLE names the folder of the example data");
	return folder;
}

static void copy_example(const struct world *w, const char *name)
{
	char *from = file_join(example(), name), *to = file_join(w->imports, name);
	uint8_t digest[DIGEST_SIZE];

	if (!file_exists(to))
		cr_assert_eq(file_copy_durable(from, to, 1 << 26, digest, NULL), 0);
	mem_free(from);
	mem_free(to);
}

void world_add_dataset(struct world *w)
{
	struct answer a;

	copy_example(w, "inputs.npy");
	copy_example(w, "labels.npy");
	copy_example(w, "rows.csv");
	a = post(w, ROLE_ML_ENGINEER, "/v1/datasets",
		 "{\"name\":\"wages\",\"inputs\":\"inputs.npy\",\"labels\":\"labels.npy\",\"rows\":\"rows.csv\"}");
	cr_assert_eq(a.status, 201, "%s", a.body.data);
	answer_fini(&a);
}

void world_add_model(struct world *w, char job[ID_TEXT])
{
	char *path = file_join(example(), "recipe.json"), *body;
	struct buf recipe = { 0 };
	struct answer a;

	copy_example(w, "model.onnx");
	cr_assert_eq(file_read(path, 1 << 16, &recipe, NULL), 0);
	body =
	    mem_format("{\"name\":\"wages\",\"dataset\":\"wages\",\"onnx\":\"model.onnx\",\"recipe\":%s}", recipe.data);
	a = post(w, ROLE_ML_ENGINEER, "/v1/models", body);
	cr_assert_eq(a.status, 202, "%s", a.body.data);
	if (job)
		snprintf(job, ID_TEXT, "%s", answer_text(&a, "job"));
	answer_fini(&a);
	mem_free(body);
	mem_free(path);
	buf_fini(&recipe);
}

static int publish(struct txn *txn, void *arg, struct exp_error *err)
{
	(void)arg;
	return versions_publish(txn, "wages", 1, err);
}

void world_serve(struct world *w)
{
	struct stored_version version;
	struct snapshot *snapshot;
	struct db *db;

	cr_assert_eq(writer_call(w->store, publish, NULL, NULL), 0);
	cr_assert_eq(reader_take(w->store, &db, NULL), 0);
	cr_assert_eq(versions_get(db, "wages", 1, &version, NULL), 0);
	reader_give(w->store, db);
	cr_assert_eq(model_open_version(w->folder, w->store, &version, &snapshot, NULL), 0);
	models_swap(w->models, snapshot, 1);
}

void world_person(bool heldout, size_t n, char type[32], char value[64])
{
	char *path = file_join(example(), "rows.csv"), line[256], split[16];
	FILE *f = fopen(path, "r");

	cr_assert(f != NULL);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*[^,],%31[^:]:%63[^,],%15s", type, value, split) != 3)
			continue;
		if (!strcmp(split, heldout ? "heldout" : "train") && n-- == 0)
			break;
	}
	fclose(f);
	mem_free(path);
}

char *world_claim(bool heldout, size_t n)
{
	char type[32], value[64];

	world_person(heldout, n, type, value);
	return mem_format("{\"subject\":{\"identities\":[{\"type\":\"%s\",\"value\":\"%s\"}]}}", type, value);
}
