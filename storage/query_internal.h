/*
 * query_internal.h: binding and reading in the order of the SQL, with one error check at the end.
 *
 *   query_start(&q, db, TABLE_TOKENS, TOKENS_GET);
 *   query_bind_text(&q, id);
 *   return query_one(&q, &token_type, out, err);
 *
 * The first failure (of preparing, binding, or reading a value that cannot be) sticks and comes out of the final call.
 * Every query that was started is finished by exactly one of query_run, query_one, query_all, query_has, query_end.
 */
#ifndef STORAGE_QUERY_INTERNAL_H
#define STORAGE_QUERY_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "storage/db_internal.h"
#include "storage/names_internal.h"

struct query {
	struct db *db;
	sqlite3_stmt *stmt;
	int bound, column;
	int rc;            /* first failure */
	const char *cause; /* its text when it is not SQLite's */
	char set[3][384];  /* texts that query_bind_set made */
	int sets;
};

void query_start(struct query *q, struct db *db, enum table_id table, int statement);

void query_bind_int(struct query *q, int64_t value);
void query_bind_time(struct query *q, int64_t value);  /* 0 is NULL */
void query_bind_index(struct query *q, int64_t value); /* -1 is NULL */
void query_bind_real(struct query *q, double value);
void query_bind_text(struct query *q, const char *text); /* NULL is NULL; borrowed until the query is finished */
void query_bind_name(struct query *q, const char *text); /* as text; EXP_EINVAL when it is NULL, empty or too long */
void query_bind_optional(struct query *q, const char *text);             /* NULL and "" are NULL */
void query_bind_limited(struct query *q, const char *text, size_t room); /* as text; EXP_EINVAL when it is too long */
void query_bind_set(struct query *q, const struct names *names, unsigned bits); /* ",a,b," for instr; 0 is NULL */
void query_bind_blob(struct query *q, const void *bytes, size_t size);          /* borrowed likewise; NULL is NULL */
void query_bind_enum(struct query *q, const struct names *names, int value);

/* 1: a row; 0: no more; negative: failed. */
EXP_NODISCARD int query_step(struct query *q, struct exp_error *err);
void query_end(struct query *q);

int64_t query_int(struct query *q); /* NULL is 0 */
double query_real(struct query *q);
void query_text(struct query *q, char *out, size_t room); /* NULL is ""; what does not fit is EXP_ECORRUPT */
char *query_string(struct query *q);                      /* a copy for mem_free, or NULL */
void query_blob(struct query *q, void *out, size_t size); /* exactly size bytes, else EXP_ECORRUPT */
size_t query_size(struct query *q);                       /* bytes of the next column; stays */
uint8_t *query_bytes(struct query *q, size_t *size);      /* a copy for mem_free; NULL when size is 0 */
bool query_is_null(struct query *q);                      /* looks at the next column and stays */
void query_skip(struct query *q);
int query_enum(struct query *q, const struct names *names);

/* How a row becomes an item. */
struct row_type {
	size_t size;
	void (*read)(struct query *q, void *item);
	void (*fini)(void *item); /* may be NULL */
};

/* Runs a statement without rows; *changes (may be NULL) says how many rows it touched. */
EXP_NODISCARD int query_run(struct query *q, int64_t *changes, struct exp_error *err);

/* Runs a statement that must touch a row. EXP_ENOTFOUND names what was not there: "model 'x' does not exist". */
EXP_NODISCARD int query_run_on(struct query *q, const char *noun, const char *key, struct exp_error *err);

/* The first row. EXP_ENOTFOUND as above; noun NULL leaves err alone then. */
EXP_NODISCARD int query_one(struct query *q, const struct row_type *type, void *out, const char *noun, const char *key,
			    struct exp_error *err);

/* The one number of a statement that gives at most one row. EXP_ENOTFOUND leaves err alone. */
EXP_NODISCARD int query_number(struct query *q, int64_t *out, struct exp_error *err);

/* Exactly count rows of one hash each, into out of count * DB_HASH bytes. EXP_ENOTFOUND leaves err alone. */
EXP_NODISCARD int query_hashes(struct query *q, size_t count, uint8_t *out, struct exp_error *err);

/* All rows. */
struct row_list {
	void *items;
	size_t count;
};

EXP_NODISCARD int query_all(struct query *q, const struct row_type *type, struct row_list *out, struct exp_error *err);

/* Frees items that query_all made. */
void row_list_free(const struct row_type *type, void *items, size_t count);

#endif
