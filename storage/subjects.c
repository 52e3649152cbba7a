#include "storage/subjects.h"

#include "storage/query_internal.h"
#include "storage/writer.h"

enum { FIND, INSERT, DELETE };

static const struct statement statements[] = {
	[FIND] = { "SELECT id FROM subjects WHERE lookup = ?", "subjects" },
	[INSERT] = { "INSERT INTO subjects (lookup) VALUES (?) RETURNING id", NULL },
	[DELETE] = { "DELETE FROM subjects WHERE id = ?", "subjects" },
};

const struct table subjects_table = TABLE("subjects", statements);

static int number_of(struct db *db, int statement, const uint8_t lookup[DB_HASH], int64_t *subject,
		     struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_SUBJECTS, statement);
	query_bind_blob(&q, lookup, DB_HASH);
	return query_number(&q, subject, err);
}

int subjects_find(struct db *db, const uint8_t lookup[DB_HASH], int64_t *subject, struct exp_error *err)
{
	int rc = number_of(db, FIND, lookup, subject, err);

	return rc == EXP_ENOTFOUND ? error_set(err, rc, "the subject is not known") : rc;
}

int subjects_ensure(struct txn *txn, const uint8_t lookup[DB_HASH], int64_t *subject, struct exp_error *err)
{
	int rc = number_of(txn_db(txn), FIND, lookup, subject, err);

	return rc == EXP_ENOTFOUND ? number_of(txn_db(txn), INSERT, lookup, subject, err) : rc;
}

int subjects_delete(struct txn *txn, int64_t subject, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_SUBJECTS, DELETE);
	query_bind_int(&q, subject);
	rc = query_run(&q, NULL, err);
	return rc == EXP_ECONFLICT ? error_set(err, rc, "rows or requests still refer to the subject") : rc;
}
