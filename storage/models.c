#include "storage/models.h"

#include "base/clock.h"
#include "base/mem.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum { INSERT, GET, LIST, LIST_OF_DATASET, SET_STATE, SET_FINDINGS, SET_POLICY, NEXT_GENERATION, SET_DEBT };

#define COLUMNS                                                                                                        \
	"name, dataset, state, error, live_version, recipe, policy, classes, input_name, input_dims, capped, "         \
	"retrain_seconds, generation, debt, registered_at, options"

static const struct statement statements[] = {
	[INSERT] = { "INSERT INTO models (name, dataset, state, recipe, policy, classes, input_name, input_dims, "
		     "capped, retrain_seconds, generation, debt, registered_at, options) VALUES (?, ?, ?, ?, ?, "
		     "?, ?, ?, ?, ?, 0, 0, ?, ?)",
		     NULL },
	[GET] = { "SELECT " COLUMNS " FROM models WHERE name = ?", "models" },
	[LIST] = { "SELECT " COLUMNS " FROM models ORDER BY name", NULL },
	[LIST_OF_DATASET] = { "SELECT " COLUMNS " FROM models WHERE dataset = ? ORDER BY name", "models_by_dataset" },
	[SET_STATE] = { "UPDATE models SET state = ?, error = ? WHERE name = ?", "models" },
	[SET_FINDINGS] = { "UPDATE models SET capped = ?, retrain_seconds = ? WHERE name = ?", "models" },
	[SET_POLICY] = { "UPDATE models SET policy = ? WHERE name = ?", "models" },
	[NEXT_GENERATION] = { "UPDATE models SET generation = generation + 1 WHERE name = ? RETURNING generation",
			      "models" },
	[SET_DEBT] = { "UPDATE models SET debt = ? WHERE name = ?", "models" },
};

const struct table models_table = TABLE("models", statements);

static const char *const states[] = {
#define X(symbol, name) name,
#include "storage/model_state.def"
#undef X
};

static const struct names state_names = NAMES("model state", states);

const char *model_state_name(enum model_state state)
{
	return names_text(&state_names, (int)state);
}

static void read_model(struct query *q, void *item)
{
	struct stored_model *m = item;

	query_text(q, m->name, sizeof(m->name));
	query_text(q, m->dataset, sizeof(m->dataset));
	m->state = (enum model_state)query_enum(q, &state_names);
	m->error = query_string(q);
	m->live_version = query_int(q);
	m->recipe = query_string(q);
	m->has_policy = !query_is_null(q);
	if (m->has_policy)
		query_blob(q, m->policy, sizeof(m->policy));
	else
		query_skip(q);
	m->classes = query_int(q);
	query_text(q, m->input_name, sizeof(m->input_name));
	m->input_dims = query_string(q);
	query_text(q, m->capped, sizeof(m->capped));
	m->retrain_seconds = query_real(q);
	m->generation = query_int(q);
	m->debt = query_int(q);
	m->registered_at = query_int(q);
	m->options = query_string(q);
}

static void free_model(void *item)
{
	stored_model_fini(item);
}

static const struct row_type model_type = { sizeof(struct stored_model), read_model, free_model };

void stored_model_fini(struct stored_model *model)
{
	mem_free(model->error);
	mem_free(model->recipe);
	mem_free(model->input_dims);
	mem_free(model->options);
	model->error = model->recipe = model->input_dims = model->options = NULL;
}

static int explain_insert(int rc, const struct stored_model *m, struct exp_error *err)
{
	if (rc == EXP_EEXISTS)
		return error_set(err, rc, "model '%s' exists already", m->name);
	if (rc == EXP_ECONFLICT)
		return error_set(err, rc, "model '%s': dataset '%s' or the policy does not exist", m->name, m->dataset);
	return rc;
}

int models_insert(struct txn *txn, const struct stored_model *model, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_MODELS, INSERT);
	query_bind_name(&q, model->name);
	query_bind_text(&q, model->dataset);
	query_bind_enum(&q, &state_names, (int)model->state);
	query_bind_text(&q, model->recipe);
	query_bind_blob(&q, model->has_policy ? model->policy : NULL, sizeof(model->policy));
	query_bind_int(&q, model->classes);
	query_bind_name(&q, model->input_name);
	query_bind_text(&q, model->input_dims);
	query_bind_optional(&q, model->capped);
	query_bind_real(&q, model->retrain_seconds);
	query_bind_int(&q, clock_now_ms());
	query_bind_text(&q, model->options);
	return explain_insert(query_run(&q, NULL, err), model, err);
}

int models_get(struct db *db, const char *name, struct stored_model *out, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_MODELS, GET);
	query_bind_text(&q, name);
	return query_one(&q, &model_type, out, "model", name, err);
}

int models_list(struct db *db, const char *dataset, struct stored_model_list *out, struct exp_error *err)
{
	struct row_list list;
	struct query q;
	int rc;

	query_start(&q, db, TABLE_MODELS, dataset ? LIST_OF_DATASET : LIST);
	if (dataset)
		query_bind_text(&q, dataset);
	rc = query_all(&q, &model_type, &list, err);
	if (!rc)
		*out = (struct stored_model_list){ list.items, list.count };
	return rc;
}

void stored_model_list_fini(struct stored_model_list *list)
{
	row_list_free(&model_type, list->items, list->count);
	*list = (struct stored_model_list){ 0 };
}

int models_set_state(struct txn *txn, const char *name, enum model_state state, const char *error,
		     struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_MODELS, SET_STATE);
	query_bind_enum(&q, &state_names, (int)state);
	query_bind_optional(&q, error);
	query_bind_text(&q, name);
	return query_run_on(&q, "model", name, err);
}

int models_set_findings(struct txn *txn, const char *name, const char *capped, double retrain_seconds,
			struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_MODELS, SET_FINDINGS);
	query_bind_limited(&q, capped && *capped ? capped : NULL, DB_REASON);
	query_bind_real(&q, retrain_seconds);
	query_bind_text(&q, name);
	return query_run_on(&q, "model", name, err);
}

int models_set_policy(struct txn *txn, const char *name, const uint8_t digest[DB_HASH], struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_MODELS, SET_POLICY);
	query_bind_blob(&q, digest, DB_HASH);
	query_bind_text(&q, name);
	return query_run_on(&q, "model", name, err);
}

int models_next_generation(struct txn *txn, const char *name, int64_t *generation, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_MODELS, NEXT_GENERATION);
	query_bind_text(&q, name);
	rc = query_number(&q, generation, err);
	return rc == EXP_ENOTFOUND ? error_set(err, rc, "model '%s' does not exist", name) : rc;
}

int models_set_debt(struct txn *txn, const char *name, int64_t debt, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_MODELS, SET_DEBT);
	query_bind_int(&q, debt);
	query_bind_text(&q, name);
	return query_run_on(&q, "model", name, err);
}
