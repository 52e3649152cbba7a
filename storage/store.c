#include "storage/store.h"

#include <sys/stat.h>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/store_internal.h"
#include "storage/writer.h"

enum { DEFAULT_READERS = 4, DEFAULT_QUEUE = 1024, DEFAULT_GROUP = 256, READER_WAIT_MS = 5000 };

/* SQLite would create the file with the process's umask; its log and shared memory take the file's own mode. */
static int create_private(const char *path, struct exp_error *err)
{
	return file_exists(path) ? 0 : file_write_durable(path, "", 0, err);
}

static int open_database(const char *path, enum database database, struct db **out, struct exp_error *err)
{
	bool is_main = database == DATABASE_MAIN;
	int rc = create_private(path, err);

	if (!rc)
		rc = db_open(path, database, DB_WRITER, out, err);
	if (!rc)
		rc = db_check(*out, path, err);
	if (rc)
		return rc;
	rc = db_migrate(*out, is_main ? migrations_main : migrations_keys,
			is_main ? migrations_main_count : migrations_keys_count, err);
	return rc ? error_wrap(err, rc, "%s", path) : 0;
}

static int open_readers(struct store *s, int count, struct exp_error *err)
{
	int rc = 0;

	s->readers = mem_alloc((size_t)count * sizeof(*s->readers));
	while (!rc && s->reader_count < count) {
		rc = db_open(s->main_path, DATABASE_MAIN, DB_READER, &s->readers[s->reader_count], err);
		s->reader_count += !rc;
	}
	s->reader_idle = s->reader_count;
	return rc;
}

static int lock_folder(struct store *s, struct exp_error *err)
{
	char *path = file_join(s->folder, "expunge.lock");
	int rc = file_lock(path, &s->lock_fd, err);

	mem_free(path);
	return rc ? error_wrap(err, rc, "data folder %s", s->folder) : 0;
}

static int limit_pages(struct store *s, int64_t pages, struct exp_error *err)
{
	char *sql;
	int rc;

	if (!pages)
		return 0;
	sql = mem_format("PRAGMA max_page_count=%lld", (long long)pages);
	rc = db_run(s->main, sql, err);
	mem_free(sql);
	return rc;
}

static struct store *new_store(const char *folder)
{
	struct store *s = mem_alloc(sizeof(*s));

	s->folder = mem_strdup(folder);
	s->main_path = file_join(folder, "expunge.db");
	s->keys_path = file_join(folder, "keys.db");
	s->wal_path = file_join(folder, "expunge.db-wal");
	s->lock_fd = -1;
	lock_init(&s->readers_lock, LOCK_READERS);
	condition_init(&s->reader_free);
	return s;
}

static int open_all(struct store *s, const struct store_options *o, struct exp_error *err)
{
	int rc = file_make_folder(s->folder, err);

	if (!rc)
		rc = lock_folder(s, err);
	if (!rc)
		rc = open_database(s->main_path, DATABASE_MAIN, &s->main, err);
	if (!rc)
		rc = open_database(s->keys_path, DATABASE_KEYS, &s->keys, err);
	if (!rc)
		rc = db_number(s->main, "PRAGMA user_version", &s->schema_version, err);
	if (!rc)
		rc = limit_pages(s, o->max_pages, err);
	if (!rc)
		rc = open_readers(s, o->readers ? o->readers : DEFAULT_READERS, err);
	if (!rc)
		rc = writer_start(s, o->queue_capacity ? o->queue_capacity : DEFAULT_QUEUE,
				  o->group_max ? o->group_max : DEFAULT_GROUP, err);
	return rc;
}

int store_open(const char *folder, const struct store_options *options, struct store **out, struct exp_error *err)
{
	static const struct store_options defaults;
	struct store *s = new_store(folder);
	int rc = open_all(s, options ? options : &defaults, err);

	if (rc) {
		store_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

static void truncate_at_close(struct db *db, const char *path)
{
	struct exp_error err = { 0 };

	if (db && db_truncate(db, &err))
		log_warn("wal_not_truncated", "file=%s reason=\"%s\"", path, err.message);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	writer_stop(s);
	exp_expect(s->reader_idle == s->reader_count);
	for (int i = 0; i < s->reader_idle; i++)
		db_close(s->readers[i]);
	truncate_at_close(s->main, s->main_path);
	truncate_at_close(s->keys, s->keys_path);
	db_close(s->main);
	db_close(s->keys);
	if (s->lock_fd >= 0)
		file_unlock(s->lock_fd);
	condition_fini(&s->reader_free);
	lock_fini(&s->readers_lock);
	mem_free(s->readers);
	mem_free(s->folder);
	mem_free(s->main_path);
	mem_free(s->keys_path);
	mem_free(s->wal_path);
	mem_free(s);
}

static struct db *take_idle(struct store *s)
{
	struct db *db = NULL;

	lock_take(&s->readers_lock);
	while (!s->reader_idle && condition_wait_for(&s->reader_free, &s->readers_lock, READER_WAIT_MS))
		;
	if (s->reader_idle)
		db = s->readers[--s->reader_idle];
	lock_release(&s->readers_lock);
	return db;
}

static void put_idle(struct store *s, struct db *db)
{
	lock_take(&s->readers_lock);
	s->readers[s->reader_idle++] = db;
	condition_signal(&s->reader_free);
	lock_release(&s->readers_lock);
}

int reader_take(struct store *s, struct db **out, struct exp_error *err)
{
	struct db *db = take_idle(s);
	int rc;

	if (!db)
		return error_set(err, EXP_EBUSY, "all %d reading connections are in use; try again", s->reader_count);
	rc = db_run(db, "BEGIN", err);
	if (rc)
		put_idle(s, db);
	else
		*out = db;
	return rc;
}

void reader_give(struct store *s, struct db *db)
{
	struct exp_error err = { 0 };

	if (!db)
		return;
	if (db_in_transaction(db) && db_run(db, "COMMIT", &err))
		log_error("reader_stuck", "reason=\"%s\"", err.message);
	put_idle(s, db);
}

static int64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_size;
}

void store_health(struct store *s, struct store_health *out)
{
	*out = (struct store_health){
		.schema_version = s->schema_version,
		.database_bytes = size_of(s->main_path),
		.wal_bytes = size_of(s->wal_path),
		.queue_depth = writer_depth(s),
		.groups = atomic_load(&s->writer.groups),
		.operations = atomic_load(&s->writer.operations),
		.progress_ms = atomic_load(&s->writer.progress_ms),
	};
}

static int ask_for_truncation(struct txn *txn, void *arg, struct exp_error *err)
{
	(void)arg;
	(void)err;
	txn->truncate = true;
	return 0;
}

int store_truncate_wal(struct store *s, struct exp_error *err)
{
	return writer_call(s, ask_for_truncation, NULL, err);
}

static int check_statements(struct txn *txn, void *arg, struct exp_error *err)
{
	int rc = db_check_statements(txn->main, err);

	(void)arg;
	return rc ? rc : db_check_statements(txn->keys, err);
}

int store_check_statements(struct store *s, struct exp_error *err)
{
	return writer_call(s, check_statements, NULL, err);
}
