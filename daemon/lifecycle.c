#include "daemon/lifecycle.h"

#include <string.h>

#include "api/auth.h"
#include "api/server.h"
#include "audit/audit.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/live.h"
#include "storage/keys.h"
#include "storage/store.h"
#include "storage/tokens.h"
#include "storage/writer.h"
#include "workers/workers.h"

static void wake_workers(void *arg)
{
	workers_wake(((struct lifecycle *)arg)->workers);
}

static void notify_api(void *arg)
{
	struct lifecycle *l = arg;

	lock_take(&l->lock);
	if (l->api)
		api_notify(l->api);
	lock_release(&l->lock);
}

static int start_store(struct lifecycle *l, struct exp_error *err)
{
	return store_open(l->config->data_folder, NULL, &l->store, err);
}

static void stop_store(struct lifecycle *l)
{
	store_close(l->store);
}

static int lookup_key_op(struct txn *txn, void *arg, struct exp_error *err)
{
	return secrets_get_or_create(txn, "lookup", arg, DIGEST_KEY_SIZE, err);
}

static int start_keys(struct lifecycle *l, struct exp_error *err)
{
	return writer_call(l->store, lookup_key_op, l->lookup_key, err);
}

static void stop_keys(struct lifecycle *l)
{
	sodium_memzero(l->lookup_key, sizeof(l->lookup_key));
}

static int start_audit(struct lifecycle *l, struct exp_error *err)
{
	return audit_open(l->store, l->config->data_folder, l->config->origin, &l->audit, err);
}

static void stop_audit(struct lifecycle *l)
{
	audit_close(l->audit);
}

static int start_models(struct lifecycle *l, struct exp_error *err)
{
	l->models = models_new(l->config->data_folder);
	return models_load(l->models, l->store, err);
}

static void stop_models(struct lifecycle *l)
{
	models_free(l->models);
	l->models = NULL;
}

static int start_workers(struct lifecycle *l, struct exp_error *err)
{
	struct workers_options options = {
		.store = l->store,
		.audit = l->audit,
		.models = l->models,
		.data_folder = l->config->data_folder,
		.workers = (unsigned)l->config->worker_threads,
		.trainers = (unsigned)l->config->trainer_threads,
		.lease_ms = l->config->lease_s * 1000,
		.drain_timeout_ms = l->config->drain_timeout_s * 1000,
		.checkpoint_ms = l->config->checkpoint_ms,
		.changed = notify_api,
		.changed_arg = l,
	};

	return workers_start(&options, &l->workers, err);
}

static void stop_workers(struct lifecycle *l)
{
	workers_stop(l->workers);
}

static int start_api(struct lifecycle *l, struct exp_error *err)
{
	const struct config *c = l->config;
	struct api_options options = {
		.listen_address = c->listen_address,
		.port = (uint16_t)c->port,
		.threads = (unsigned)c->http_threads,
		.body_limit = (size_t)c->body_limit_kib << 10,
		.upload_limit = (size_t)c->upload_limit_mib << 20,
		.open_inference = c->open_inference,
		.data_folder = c->data_folder,
		.import_root = *c->import_root ? c->import_root : NULL,
		.store = l->store,
		.audit = l->audit,
		.models = l->models,
		.lookup_key = l->lookup_key,
		.wake = wake_workers,
		.wake_arg = l,
	};
	struct api *api;
	int rc = api_start(&options, &api, err);

	if (rc)
		return rc;
	lock_take(&l->lock);
	l->api = api;
	lock_release(&l->lock);
	return 0;
}

static void stop_api(struct lifecycle *l)
{
	struct api *api;

	lock_take(&l->lock);
	api = l->api;
	l->api = NULL;
	lock_release(&l->lock);
	api_stop(api);
}

static const struct part {
	const char *name;
	int (*start)(struct lifecycle *l, struct exp_error *err);
	void (*stop)(struct lifecycle *l);
} parts[] = {
	{ "storage", start_store, stop_store },     { "keys", start_keys, stop_keys },
	{ "audit log", start_audit, stop_audit },   { "models", start_models, stop_models },
	{ "workers", start_workers, stop_workers }, { "http", start_api, stop_api },
};

static int start_first(struct lifecycle *l, size_t count, struct exp_error *err)
{
	int rc = 0;

	for (l->started = 0; l->started < count; l->started++) {
		rc = parts[l->started].start(l, err);
		if (rc)
			break;
	}
	if (rc) {
		error_wrap(err, rc, "cannot start the %s", parts[l->started].name);
		lifecycle_stop(l);
	}
	return rc;
}

static char *token_path(const struct config *c)
{
	return file_join(c->data_folder, "admin.token");
}

static void begin(struct lifecycle *l, const struct config *config)
{
	*l = (struct lifecycle){ .config = config };
	lock_init(&l->lock, LOCK_LIFECYCLE);
}

int lifecycle_start(struct lifecycle *l, const struct config *config, struct exp_error *err)
{
	char *database = file_join(config->data_folder, "expunge.db");
	bool is_made = file_exists(database);

	mem_free(database);
	if (!is_made)
		return error_set(err, EXP_ENOTFOUND, "%s is not a data folder yet: run expunged --data %s --init first",
				 config->data_folder, config->data_folder);
	begin(l, config);
	return start_first(l, sizeof(parts) / sizeof(parts[0]), err);
}

void lifecycle_stop(struct lifecycle *l)
{
	while (l->started > 0) {
		log_debug("stopping", "part=\"%s\"", parts[l->started - 1].name);
		parts[--l->started].stop(l);
	}
	lock_fini(&l->lock);
}

static int insert_token_op(struct txn *txn, void *arg, struct exp_error *err)
{
	return tokens_insert(txn, arg, err);
}

static int make_token(struct lifecycle *l, struct exp_error *err)
{
	struct stored_token stored = { .name = "first admin", .role = ROLE_ADMIN };
	char *path = token_path(l->config);
	struct auth_token token;
	struct buf text = { 0 };
	int rc;

	auth_token_new(ROLE_ADMIN, &token);
	memcpy(stored.id, token.id, sizeof(token.id));
	memcpy(stored.secret_sha256, token.sha256, sizeof(stored.secret_sha256));
	buf_format(&text, "%s\n", token.text);
	rc = writer_call(l->store, insert_token_op, &stored, err);
	if (!rc)
		rc = file_write_durable(path, text.data, text.size, err);
	sodium_memzero(&token, sizeof(token));
	buf_fini_secret(&text);
	mem_free(path);
	return rc;
}

int lifecycle_init(const struct config *config, char **vkey, struct exp_error *err)
{
	enum { STORE_KEYS_AUDIT = 3 };
	char *path = token_path(config);
	bool is_made = file_exists(path);
	struct lifecycle l;
	int rc;

	mem_free(path);
	if (is_made)
		return error_set(err, EXP_EEXISTS, "%s has an admin token already", config->data_folder);
	rc = file_make_folder(config->data_folder, err);
	if (rc)
		return rc;
	begin(&l, config);
	rc = start_first(&l, STORE_KEYS_AUDIT, err);
	if (rc)
		return rc;
	rc = make_token(&l, err);
	if (!rc)
		*vkey = audit_vkey(l.audit);
	lifecycle_stop(&l);
	return rc;
}
