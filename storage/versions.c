#include "storage/versions.h"

#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum { STAGE, DRAIN_LIVE, MOVE, SET_LIVE, SERVED, GET, LIST, IN_STATE };

#define COLUMNS "model, version, sha256, parent, job, state, created_at, published_at, last_served_at, destroyed_at"

static const struct statement statements[] = {
	[STAGE] = { "INSERT INTO versions (model, version, sha256, parent, job, state, created_at) SELECT ?1, "
		    "coalesce(max(version), 0) + 1, ?2, ?3, ?4, 'staged', ?5 FROM versions WHERE model = ?1 "
		    "RETURNING version",
		    "versions" },
	[DRAIN_LIVE] = { "UPDATE versions SET state = 'draining' WHERE model = ? AND state = 'live'", "versions" },
	[MOVE] = { "UPDATE versions SET state = ?1, published_at = CASE ?1 WHEN 'live' THEN ?2 ELSE published_at "
		   "END, destroyed_at = CASE ?1 WHEN 'destroyed' THEN ?2 ELSE destroyed_at END WHERE model = ?3 "
		   "AND version = ?4",
		   "versions" },
	[SET_LIVE] = { "UPDATE models SET live_version = ? WHERE name = ?", "models" },
	[SERVED] = { "UPDATE versions SET last_served_at = max(coalesce(last_served_at, 0), ?) WHERE model = ? AND "
		     "version = ?",
		     "versions" },
	[GET] = { "SELECT " COLUMNS " FROM versions WHERE model = ? AND version = ?", "versions" },
	[LIST] = { "SELECT " COLUMNS " FROM versions WHERE model = ? ORDER BY version", "versions" },
	[IN_STATE] = { "SELECT " COLUMNS " FROM versions WHERE state = ? ORDER BY model, version",
		       "versions_by_state" },
};

const struct table versions_table = TABLE("versions", statements);

static const char *const states[] = {
#define X(symbol, name, next) name,
#include "storage/version_state.def"
#undef X
};

static const unsigned next_states[] = {
#define X(symbol, name, next) next,
#include "storage/version_state.def"
#undef X
};

static const struct names state_names = NAMES("version state", states);

const char *version_state_name(enum version_state state)
{
	return names_text(&state_names, (int)state);
}

bool version_state_may_move(enum version_state from, enum version_state to)
{
	exp_require((unsigned)from < VERSION_STATE_COUNT && (unsigned)to < VERSION_STATE_COUNT);
	return next_states[from] & 1u << to;
}

static void read_version(struct query *q, void *item)
{
	struct stored_version *v = item;

	query_text(q, v->model, sizeof(v->model));
	v->version = query_int(q);
	query_blob(q, v->sha256, sizeof(v->sha256));
	v->parent = query_int(q);
	query_text(q, v->job, sizeof(v->job));
	v->state = (enum version_state)query_enum(q, &state_names);
	v->created_at = query_int(q);
	v->published_at = query_int(q);
	v->last_served_at = query_int(q);
	v->destroyed_at = query_int(q);
}

static const struct row_type version_type = { sizeof(struct stored_version), read_version, NULL };

int versions_stage(struct txn *txn, const char *model, const uint8_t sha256[DB_HASH], int64_t parent, const char *job,
		   int64_t *version, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_VERSIONS, STAGE);
	query_bind_name(&q, model);
	query_bind_blob(&q, sha256, DB_HASH);
	query_bind_time(&q, parent);
	query_bind_optional(&q, job);
	query_bind_int(&q, clock_now_ms());
	rc = query_number(&q, version, err);
	if (rc == EXP_ECONFLICT)
		return error_set(err, rc,
				 "a new version of model '%s': the model, version %lld or the job does not exist",
				 model, (long long)parent);
	return rc;
}

static int set_state(struct txn *txn, const char *model, int64_t version, enum version_state to, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_VERSIONS, MOVE);
	query_bind_enum(&q, &state_names, (int)to);
	query_bind_int(&q, clock_now_ms());
	query_bind_text(&q, model);
	query_bind_int(&q, version);
	return query_run_on(&q, "version of model", model, err);
}

/* 0 when the version may move there; *there says that it is there already. */
static int check_move(struct txn *txn, const char *model, int64_t version, enum version_state to, bool *there,
		      struct exp_error *err)
{
	struct stored_version v;
	int rc = versions_get(txn_db(txn), model, version, &v, err);

	if (rc)
		return rc;
	*there = v.state == to;
	if (*there || version_state_may_move(v.state, to))
		return 0;
	return error_set(err, EXP_ECONFLICT, "version %lld of model '%s' is %s and cannot become %s",
			 (long long)version, model, version_state_name(v.state), version_state_name(to));
}

static int set_live(struct txn *txn, const char *model, int64_t version, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_VERSIONS, SET_LIVE);
	query_bind_int(&q, version);
	query_bind_text(&q, model);
	return query_run_on(&q, "model", model, err);
}

int versions_publish(struct txn *txn, const char *model, int64_t version, struct exp_error *err)
{
	struct query q;
	bool live;
	int rc = check_move(txn, model, version, VERSION_LIVE, &live, err);

	if (!rc && live)
		rc = error_set(err, EXP_ECONFLICT, "version %lld of model '%s' is live already", (long long)version,
			       model);
	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_VERSIONS, DRAIN_LIVE);
	query_bind_text(&q, model);
	rc = query_run(&q, NULL, err);
	if (!rc)
		rc = set_state(txn, model, version, VERSION_LIVE, err);
	return rc ? rc : set_live(txn, model, version, err);
}

int versions_move(struct txn *txn, const char *model, int64_t version, enum version_state to, struct exp_error *err)
{
	bool there;
	int rc;

	if (to == VERSION_LIVE)
		return error_set(err, EXP_EINVAL, "a version becomes live by versions_publish");
	rc = check_move(txn, model, version, to, &there, err);
	return rc || there ? rc : set_state(txn, model, version, to, err);
}

int versions_served(struct txn *txn, const char *model, int64_t version, int64_t at, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_VERSIONS, SERVED);
	query_bind_int(&q, at);
	query_bind_text(&q, model);
	query_bind_int(&q, version);
	return query_run_on(&q, "version of model", model, err);
}

int versions_get(struct db *db, const char *model, int64_t version, struct stored_version *out, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, db, TABLE_VERSIONS, GET);
	query_bind_text(&q, model);
	query_bind_int(&q, version);
	rc = query_one(&q, &version_type, out, NULL, NULL, err);
	if (rc == EXP_ENOTFOUND)
		return error_set(err, rc, "model '%s' has no version %lld", model, (long long)version);
	return rc;
}

static int collect(struct query *q, struct stored_version_list *out, struct exp_error *err)
{
	struct row_list list;
	int rc = query_all(q, &version_type, &list, err);

	if (!rc)
		*out = (struct stored_version_list){ list.items, list.count };
	return rc;
}

int versions_list(struct db *db, const char *model, struct stored_version_list *out, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_VERSIONS, LIST);
	query_bind_text(&q, model);
	return collect(&q, out, err);
}

int versions_in_state(struct db *db, enum version_state state, struct stored_version_list *out, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_VERSIONS, IN_STATE);
	query_bind_enum(&q, &state_names, (int)state);
	return collect(&q, out, err);
}

void stored_version_list_fini(struct stored_version_list *list)
{
	row_list_free(&version_type, list->items, list->count);
	*list = (struct stored_version_list){ 0 };
}
