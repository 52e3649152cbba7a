#include "storage/query_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* What sticks in rc is an EXP_E… code with its own cause, or this, for a failure that SQLite explains. */
enum { ASK_SQLITE = 1 };

static void stick(struct query *q, int rc, const char *cause)
{
	if (q->rc)
		return;
	q->rc = rc;
	q->cause = cause;
}

void query_start(struct query *q, struct db *db, enum table_id table, int statement)
{
	q->db = db;
	q->stmt = db_statement(db, table, statement);
	q->bound = q->column = q->rc = q->sets = 0;
	q->cause = NULL;
	if (!q->stmt)
		stick(q, ASK_SQLITE, NULL);
}

static void bound(struct query *q, int sqlite)
{
	if (sqlite != SQLITE_OK)
		stick(q, ASK_SQLITE, NULL);
}

void query_bind_int(struct query *q, int64_t value)
{
	if (!q->rc)
		bound(q, sqlite3_bind_int64(q->stmt, ++q->bound, value));
}

static void bind_null(struct query *q)
{
	if (!q->rc)
		bound(q, sqlite3_bind_null(q->stmt, ++q->bound));
}

void query_bind_time(struct query *q, int64_t value)
{
	if (value)
		query_bind_int(q, value);
	else
		bind_null(q);
}

void query_bind_index(struct query *q, int64_t value)
{
	if (value >= 0)
		query_bind_int(q, value);
	else
		bind_null(q);
}

void query_bind_real(struct query *q, double value)
{
	if (!q->rc)
		bound(q, sqlite3_bind_double(q->stmt, ++q->bound, value));
}

void query_bind_text(struct query *q, const char *text)
{
	if (!q->rc)
		bound(q, sqlite3_bind_text(q->stmt, ++q->bound, text, -1, SQLITE_STATIC));
}

void query_bind_name(struct query *q, const char *text)
{
	if (!text || !*text || strlen(text) >= DB_NAME)
		stick(q, EXP_EINVAL, "a name has 1 to 128 bytes");
	query_bind_text(q, text);
}

void query_bind_optional(struct query *q, const char *text)
{
	query_bind_text(q, text && *text ? text : NULL);
}

void query_bind_limited(struct query *q, const char *text, size_t room)
{
	if (text && strlen(text) >= room)
		stick(q, EXP_EINVAL, "a text is longer than it may be");
	query_bind_text(q, text);
}

/* A NULL name is written as "unset". */
void query_bind_set(struct query *q, const struct names *names, unsigned bits)
{
	char *text;
	size_t room = sizeof(q->set[0]), size = 1;

	if (!bits) {
		bind_null(q);
		return;
	}
	exp_require((size_t)q->sets < sizeof(q->set) / room);
	text = q->set[q->sets++];
	text[0] = ',';
	text[1] = '\0';
	for (size_t i = 0; i < names->count; i++)
		if (bits & 1u << i)
			size += (size_t)snprintf(text + size, room - size, "%s,",
						 names->items[i] ? names->items[i] : "unset");
	exp_require(size < room);
	query_bind_text(q, text);
}

void query_bind_blob(struct query *q, const void *bytes, size_t size)
{
	if (!q->rc)
		bound(q, sqlite3_bind_blob64(q->stmt, ++q->bound, bytes, size, SQLITE_STATIC));
}

void query_bind_enum(struct query *q, const struct names *names, int value)
{
	query_bind_text(q, names_text(names, value));
}

static int failure(struct query *q, struct exp_error *err)
{
	if (q->rc == ASK_SQLITE)
		return db_fail(q->db, err);
	return error_set(err, q->rc, "%s", q->cause);
}

int query_step(struct query *q, struct exp_error *err)
{
	int sqlite;

	if (q->rc)
		return failure(q, err);
	q->column = 0;
	sqlite = sqlite3_step(q->stmt);
	if (sqlite == SQLITE_ROW)
		return 1;
	return sqlite == SQLITE_DONE ? 0 : db_fail(q->db, err);
}

/* Bindings are cleared because what they borrowed ends with the caller. */
void query_end(struct query *q)
{
	if (!q->stmt)
		return;
	sqlite3_reset(q->stmt);
	sqlite3_clear_bindings(q->stmt);
}

int64_t query_int(struct query *q)
{
	return sqlite3_column_int64(q->stmt, q->column++);
}

double query_real(struct query *q)
{
	return sqlite3_column_double(q->stmt, q->column++);
}

void query_text(struct query *q, char *out, size_t room)
{
	const char *text = (const char *)sqlite3_column_text(q->stmt, q->column);
	size_t size = (size_t)sqlite3_column_bytes(q->stmt, q->column++);

	if (size >= room) {
		stick(q, EXP_ECORRUPT, "a stored text is longer than it may be");
		return;
	}
	if (size)
		memcpy(out, text, size);
	out[size] = '\0';
}

char *query_string(struct query *q)
{
	const char *text = (const char *)sqlite3_column_text(q->stmt, q->column++);

	return text ? mem_strdup(text) : NULL;
}

void query_blob(struct query *q, void *out, size_t size)
{
	const void *bytes = sqlite3_column_blob(q->stmt, q->column);

	if ((size_t)sqlite3_column_bytes(q->stmt, q->column++) != size || !bytes) {
		stick(q, EXP_ECORRUPT, "a stored blob does not have its size");
		return;
	}
	memcpy(out, bytes, size);
}

size_t query_size(struct query *q)
{
	return (size_t)sqlite3_column_bytes(q->stmt, q->column);
}

uint8_t *query_bytes(struct query *q, size_t *size)
{
	const void *bytes = sqlite3_column_blob(q->stmt, q->column);
	uint8_t *copy = NULL;

	*size = query_size(q);
	q->column++;
	if (*size)
		copy = mem_try_alloc(*size, 1);
	if (copy)
		memcpy(copy, bytes, *size);
	else if (*size)
		stick(q, EXP_EMEMORY, "no memory for a blob");
	return copy;
}

bool query_is_null(struct query *q)
{
	return sqlite3_column_type(q->stmt, q->column) == SQLITE_NULL;
}

void query_skip(struct query *q)
{
	q->column++;
}

int query_enum(struct query *q, const struct names *names)
{
	int value = 0;

	if (names_find(names, (const char *)sqlite3_column_text(q->stmt, q->column++), &value))
		stick(q, EXP_ECORRUPT, "a stored word is not in its table");
	return value;
}

int query_run(struct query *q, int64_t *changes, struct exp_error *err)
{
	int rc = query_step(q, err);

	query_end(q);
	if (rc > 0)
		return error_set(err, EXP_EINTERNAL, "a statement gave rows that nobody asked for");
	if (!rc && changes)
		*changes = sqlite3_changes64(q->db->handle);
	return rc;
}

static int missing(const char *noun, const char *key, struct exp_error *err)
{
	if (noun)
		error_set(err, EXP_ENOTFOUND, "%s '%s' does not exist", noun, key);
	return EXP_ENOTFOUND;
}

int query_run_on(struct query *q, const char *noun, const char *key, struct exp_error *err)
{
	int64_t changes;
	int rc = query_run(q, &changes, err);

	if (rc)
		return rc;
	return changes ? 0 : missing(noun, key, err);
}

/* An item is read aside, so that the caller's stays as it was when a column cannot be. */
int query_one(struct query *q, const struct row_type *type, void *out, const char *noun, const char *key,
	      struct exp_error *err)
{
	int rc = query_step(q, err);
	void *item;

	if (rc <= 0) {
		query_end(q);
		return rc ? rc : missing(noun, key, err);
	}
	item = mem_alloc(type->size);
	type->read(q, item);
	query_end(q);
	if (!q->rc)
		memcpy(out, item, type->size);
	else if (type->fini)
		type->fini(item);
	mem_free_secret(item, type->size);
	return q->rc ? failure(q, err) : 0;
}

/* References are checked when a statement ends, so one that writes and returns a row is run to its end. */
int query_number(struct query *q, int64_t *out, struct exp_error *err)
{
	int64_t number = 0;
	bool found = false;
	int rc;

	while ((rc = query_step(q, err)) > 0) {
		number = query_int(q);
		found = true;
	}
	query_end(q);
	if (!rc && found)
		*out = number;
	return rc ? rc : found ? 0 : EXP_ENOTFOUND;
}

int query_hashes(struct query *q, size_t count, uint8_t *out, struct exp_error *err)
{
	size_t i = 0;
	int rc;

	while ((rc = query_step(q, err)) > 0 && i < count)
		query_blob(q, out + i++ * DB_HASH, DB_HASH);
	query_end(q);
	if (rc < 0)
		return rc;
	return i == count ? 0 : EXP_ENOTFOUND;
}

void row_list_free(const struct row_type *type, void *items, size_t count)
{
	for (size_t i = 0; type->fini && i < count; i++)
		type->fini((char *)items + i * type->size);
	mem_free(items);
}

/* Room for one more item: doubled whenever count is a power of two. */
static int make_room(struct row_list *list, size_t size, struct exp_error *err)
{
	size_t capacity = list->count ? 2 * list->count : 1;
	void *items;

	if (list->count & (list->count - 1))
		return 0;
	items = mem_try_realloc(list->items, capacity, size);
	if (!items)
		return error_set(err, EXP_EMEMORY, "no memory for %zu rows", capacity);
	list->items = items;
	return 0;
}

int query_all(struct query *q, const struct row_type *type, struct row_list *out, struct exp_error *err)
{
	struct row_list list = { 0 };
	int rc;

	while ((rc = query_step(q, err)) > 0) {
		void *item;

		rc = make_room(&list, type->size, err);
		if (rc)
			break;
		item = (char *)list.items + list.count++ * type->size;
		memset(item, 0, type->size);
		type->read(q, item);
	}
	query_end(q);
	if (rc)
		row_list_free(type, list.items, list.count);
	else
		*out = list;
	return rc;
}
