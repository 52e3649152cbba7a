#include "data_folder.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/identity.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/keys.h"
#include "storage/leaves.h"
#include "storage/requests.h"
#include "storage/tokens.h"
#include "storage/writer.h"

#define TOKEN "token"

const char *data_folder_person(int n)
{
	static char text[64];

	snprintf(text, sizeof(text), "email:person%d@example.com", n);
	return text;
}

const char *data_folder_file(const struct data_folder *d, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	return path;
}

void data_folder_run(const char *format, ...)
{
	char command[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	cr_assert_eq(system(command), 0, "%s", command);
}

static int token_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct stored_token token = { .id = TOKEN, .name = "tests" };

	(void)arg;
	return tokens_insert(txn, &token, err);
}

int data_folder_open(struct data_folder *d, const char *origin, struct exp_error *err)
{
	int rc;

	cr_assert_eq(store_open(d->path, NULL, &d->store, NULL), 0);
	rc = audit_open(d->store, d->path, origin, &d->audit, err);
	if (rc) {
		d->audit = NULL;
		data_folder_close(d);
	}
	return rc;
}

void data_folder_init(struct data_folder *d)
{
	char *vkey;

	memset(d, 0, sizeof(*d));
	log_set_level(LOG_ERROR);
	strcpy(d->path, "/tmp/expunge-audit-XXXXXX");
	cr_assert(mkdtemp(d->path) != NULL);
	cr_assert_eq(crypto_init(), 0);
	cr_assert_eq(data_folder_open(d, ORIGIN, NULL), 0);
	cr_assert_eq(writer_call(d->store, token_op, NULL, NULL), 0);
	vkey = audit_vkey(d->audit);
	cr_assert_eq(note_key_parse(&d->key, vkey, NULL), 0);
	mem_free(vkey);
}

void data_folder_close(struct data_folder *d)
{
	audit_close(d->audit);
	store_close(d->store);
	d->audit = NULL;
	d->store = NULL;
}

void data_folder_fini(struct data_folder *d)
{
	data_folder_close(d);
	data_folder_run("rm -rf %s", d->path);
}

void data_folder_tamper(const struct data_folder *d, const char *sql)
{
	static const char script[] =
	    "import sqlite3, sys\n"
	    "db = sqlite3.connect(sys.argv[1])\n"
	    "triggers = db.execute(\"SELECT name, sql FROM sqlite_master WHERE type = 'trigger'\").fetchall()\n"
	    "for name, _ in triggers: db.execute('DROP TRIGGER ' + name)\n"
	    "assert db.execute(sys.argv[2]).rowcount > 0\n"
	    "for _, text in triggers: db.execute(text)\n"
	    "db.commit()\n"
	    "db.execute('PRAGMA wal_checkpoint(TRUNCATE)')\n";

	cr_assert_eq(d->store, NULL);
	cr_assert_eq(file_write_durable(data_folder_file(d, "tamper.py"), script, strlen(script), NULL), 0);
	data_folder_run("python3 %s/tamper.py %s/expunge.db \"%s\"", d->path, d->path, sql);
}

struct person_op {
	int n;
	const char *id;
};

static json_t *subject_of(int n, const uint8_t key[KEYS_SIZE])
{
	uint8_t hash[DIGEST_SIZE];
	struct identity who;
	char hex[DIGEST_HEX];

	cr_assert_eq(identity_parse(&who, data_folder_person(n), NULL), 0);
	identity_hash(&who, key, hash);
	identity_fini(&who);
	return json_pack("[s]", hex_encode(hash, sizeof(hash), hex));
}

static int receive_op(struct txn *txn, void *arg, struct exp_error *err)
{
	const struct person_op *op = arg;
	struct stored_request request = {
		.status = REQUEST_RECEIVED, .submitted_by = TOKEN, .identities = 1, .leaf = -1
	};
	uint8_t key[KEYS_SIZE];
	json_t *fields;
	int rc;

	strcpy(request.id, op->id);
	request.received_at = clock_now_ms();
	request.due_at = clock_add_months(request.received_at, 1);
	crypto_random(key, sizeof(key));
	rc = requests_insert(txn, &request, err);
	if (!rc)
		rc = keys_put(txn, op->id, key, err);
	fields = json_pack("{s:s, s:o, s:s}", "request", op->id, "subject", subject_of(op->n, key), "regime", "gdpr");
	if (!rc)
		rc = audit_append(txn, LEAF_REQUEST_RECEIVED, fields, op->id, NULL, err);
	json_decref(fields);
	return rc;
}

void data_folder_receive(struct data_folder *d, int n, char id[ID_TEXT])
{
	struct person_op op = { n, id_new(id) };
	struct exp_error err = { 0 };

	cr_assert_eq(writer_call(d->store, receive_op, &op, &err), 0, "%s", err.message);
}

static int complete_op(struct txn *txn, void *arg, struct exp_error *err)
{
	const struct person_op *op = arg;
	uint8_t key[KEYS_SIZE], hash[DIGEST_SIZE];
	char hex[DIGEST_HEX];
	json_t *fields;
	int rc = keys_get(txn, op->id, key, err);

	if (rc)
		return rc;
	sha256(key, sizeof(key), hash);
	fields = json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:[], s:{s:i, s:i}, s:s}", "request", op->id, "subject",
			   subject_of(op->n, key), "key_sha256", hex_encode(hash, sizeof(hash), hex), "status",
			   "completed", "outcome", "not_found", "verdict", "none", "models", "rows", "train", 0,
			   "heldout", 0, "scope", "operator-originals-not-covered");
	rc = audit_append(txn, LEAF_REQUEST_COMPLETED, fields, op->id, NULL, err);
	json_decref(fields);
	return rc;
}

void data_folder_complete(struct data_folder *d, int n, const char *id)
{
	struct person_op op = { n, id };
	struct exp_error err = { 0 };

	cr_assert_eq(writer_call(d->store, complete_op, &op, &err), 0, "%s", err.message);
}

static int destroy_op(struct txn *txn, void *arg, struct exp_error *err)
{
	const struct person_op *op = arg;
	int rc = leaves_unlink_request(txn, op->id, err);

	return rc ? rc : keys_destroy(txn, op->id, err);
}

void data_folder_destroy_key(struct data_folder *d, const char *id)
{
	struct person_op op = { 0, id };
	struct exp_error err = { 0 };

	cr_assert_eq(writer_call(d->store, destroy_op, &op, &err), 0, "%s", err.message);
}

static int leaves_op(struct txn *txn, void *arg, struct exp_error *err)
{
	int count = *(int *)arg, rc = 0;

	for (int i = 0; !rc && i < count; i++) {
		uint8_t hash[DIGEST_SIZE];
		char hex[DIGEST_HEX];
		json_t *fields;

		sha256(&i, sizeof(i), hash);
		fields = json_pack("{s:s}", "policy_sha256", hex_encode(hash, sizeof(hash), hex));
		rc = audit_append(txn, LEAF_POLICY_RECORDED, fields, NULL, NULL, err);
		json_decref(fields);
	}
	return rc;
}

void data_folder_add_leaves(struct data_folder *d, int count)
{
	struct exp_error err = { 0 };

	cr_assert_eq(writer_call(d->store, leaves_op, &count, &err), 0, "%s", err.message);
}

bool data_folder_checkpoint(struct data_folder *d)
{
	struct exp_error err = { 0 };
	bool advanced = false;

	cr_assert_eq(audit_checkpoint(d->audit, &advanced, &err), 0, "%s", err.message);
	return advanced;
}

struct buf data_folder_published(const struct data_folder *d)
{
	struct buf b = { 0 };

	cr_assert_eq(file_read(data_folder_file(d, "log/checkpoint"), 1 << 16, &b, NULL), 0);
	return b;
}

int data_folder_verify(const struct data_folder *d, const struct buf *pin, struct verifier_report *report,
		       struct exp_error *err)
{
	struct verifier_pin p = { pin ? pin->data : NULL, pin ? pin->size : 0 };

	return verifier_check_folder(data_folder_file(d, "log"), &d->key, &p, report, err);
}
