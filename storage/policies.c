#include "storage/policies.h"

#include "base/clock.h"
#include "base/mem.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum { PUT, GET, LATEST, LIST };

#define COLUMNS "digest, name, version, body, created_at"

static const struct statement statements[] = {
	[PUT] = { "INSERT INTO policies (" COLUMNS ") VALUES (?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING", NULL },
	[GET] = { "SELECT " COLUMNS " FROM policies WHERE digest = ?", "policies" },
	[LATEST] = { "SELECT " COLUMNS " FROM policies WHERE name = ? ORDER BY version DESC LIMIT 1", "policies" },
	[LIST] = { "SELECT " COLUMNS " FROM policies ORDER BY name, version", NULL },
};

const struct table policies_table = TABLE("policies", statements);

static void read_policy(struct query *q, void *item)
{
	struct stored_policy *p = item;

	query_blob(q, p->digest, sizeof(p->digest));
	query_text(q, p->name, sizeof(p->name));
	p->version = query_int(q);
	p->body = query_string(q);
	p->created_at = query_int(q);
}

static void free_policy(void *item)
{
	stored_policy_fini(item);
}

static const struct row_type policy_type = { sizeof(struct stored_policy), read_policy, free_policy };

void stored_policy_fini(struct stored_policy *policy)
{
	mem_free(policy->body);
	policy->body = NULL;
}

int policies_put(struct txn *txn, const struct stored_policy *policy, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_POLICIES, PUT);
	query_bind_blob(&q, policy->digest, sizeof(policy->digest));
	query_bind_name(&q, policy->name);
	query_bind_int(&q, policy->version);
	query_bind_text(&q, policy->body);
	query_bind_int(&q, clock_now_ms());
	rc = query_run(&q, NULL, err);
	if (rc == EXP_EEXISTS)
		return error_set(err, rc, "policy '%s' version %lld exists with another body; give it the next version",
				 policy->name, (long long)policy->version);
	return rc;
}

int policies_get(struct db *db, const uint8_t digest[DB_HASH], struct stored_policy *out, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, db, TABLE_POLICIES, GET);
	query_bind_blob(&q, digest, DB_HASH);
	rc = query_one(&q, &policy_type, out, NULL, NULL, err);
	return rc == EXP_ENOTFOUND ? error_set(err, rc, "no policy has this digest") : rc;
}

int policies_latest(struct db *db, const char *name, struct stored_policy *out, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_POLICIES, LATEST);
	query_bind_text(&q, name);
	return query_one(&q, &policy_type, out, "policy", name, err);
}

int policies_list(struct db *db, struct stored_policy_list *out, struct exp_error *err)
{
	struct row_list list;
	struct query q;
	int rc;

	query_start(&q, db, TABLE_POLICIES, LIST);
	rc = query_all(&q, &policy_type, &list, err);
	if (!rc)
		*out = (struct stored_policy_list){ list.items, list.count };
	return rc;
}

void stored_policy_list_fini(struct stored_policy_list *list)
{
	row_list_free(&policy_type, list->items, list->count);
	*list = (struct stored_policy_list){ 0 };
}
