/*
 * Two lists under one lock: live snapshots by name, and draining ones. Whoever makes a draining snapshot's count of
 * readers zero (the swap that found it so, or the last reader) wipes it, alone, after the lock was released; gone is
 * set when that is done, and models_drain then takes the empty struct off the list.
 */
#include "model/live.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "model/live_internal.h"
#include "model/stage.h"
#include "storage/versions.h"

struct models {
	char *data_folder;
	struct lock lock;
	struct condition wiped;
	struct snapshot *live;     /* by name */
	struct snapshot *draining; /* newest first */
};

struct models *models_new(const char *data_folder)
{
	struct models *m = mem_alloc(sizeof(*m));

	m->data_folder = mem_strdup(data_folder);
	lock_init(&m->lock, LOCK_MODELS);
	condition_init(&m->wiped);
	return m;
}

static void free_list(struct snapshot *s)
{
	while (s) {
		struct snapshot *next = s->next;

		exp_expect(s->readers == 0);
		snapshot_free(s);
		s = next;
	}
}

void models_free(struct models *m)
{
	if (!m)
		return;
	free_list(m->live);
	free_list(m->draining);
	condition_fini(&m->wiped);
	lock_fini(&m->lock);
	mem_free(m->data_folder);
	mem_free(m);
}

/* The link that points to the model's live snapshot, or to where one would stand. */
static struct snapshot **find_live(struct models *m, const char *name)
{
	struct snapshot **link = &m->live;

	while (*link && strcmp((*link)->model, name) < 0)
		link = &(*link)->next;
	return link;
}

static bool is_model(const struct snapshot *s, const char *name)
{
	return s && !strcmp(s->model, name);
}

static struct snapshot **find_draining(struct models *m, const char *name, int64_t version)
{
	struct snapshot **link = &m->draining;

	while (*link && ((*link)->version != version || !is_model(*link, name)))
		link = &(*link)->next;
	return link;
}

/* Outside the lock, by the one who found that nobody reads s any more. */
static void wipe(struct models *m, struct snapshot *s)
{
	snapshot_wipe(s);
	lock_take(&m->lock);
	s->gone = true;
	condition_broadcast(&m->wiped);
	lock_release(&m->lock);
}

/* Moves the snapshot at link to the draining ones. True when the caller has to wipe it. */
static bool start_draining(struct models *m, struct snapshot **link)
{
	struct snapshot *s = *link;

	*link = s->next;
	s->draining = true;
	s->next = m->draining;
	m->draining = s;
	return s->readers == 0;
}

void models_swap(struct models *m, struct snapshot *s, int64_t version)
{
	struct snapshot **link, *old = NULL;
	bool known, idle = false;

	lock_take(&m->lock);
	link = find_live(m, s->model);
	known = is_model(*link, s->model) && (*link)->version == version;
	if (!known) {
		if (is_model(*link, s->model)) {
			old = *link;
			idle = start_draining(m, link);
		}
		s->version = version;
		s->next = *link;
		*link = s;
	}
	lock_release(&m->lock);
	if (known)
		snapshot_free(s);
	if (idle)
		wipe(m, old);
}

void models_withdraw(struct models *m, const char *name)
{
	struct snapshot **link, *old = NULL;
	bool idle = false;

	lock_take(&m->lock);
	link = find_live(m, name);
	if (is_model(*link, name)) {
		old = *link;
		idle = start_draining(m, link);
	}
	lock_release(&m->lock);
	if (idle)
		wipe(m, old);
}

int models_take(struct models *m, const char *name, int64_t version, struct snapshot **out, struct exp_error *err)
{
	struct snapshot *s;
	bool served;

	lock_take(&m->lock);
	s = *find_live(m, name);
	served = is_model(s, name);
	if (served && version && s->version != version)
		s = NULL;
	if (served && s) {
		s->readers++;
		*out = s;
	}
	lock_release(&m->lock);
	if (!served)
		return error_set(err, EXP_ENOTFOUND, "no such model is served");
	return s ? 0 : error_set(err, EXP_ENOTFOUND, "version %lld is not the one that is served", (long long)version);
}

void models_give(struct models *m, struct snapshot *s)
{
	bool last;

	lock_take(&m->lock);
	exp_require(s->readers > 0);
	last = --s->readers == 0 && s->draining;
	lock_release(&m->lock);
	if (last)
		wipe(m, s);
}

/* One look under the lock. True when there is nothing to wait for; *collected is then the struct to free, or NULL. */
static bool look(struct models *m, const char *name, int64_t version, struct models_drained *out,
		 struct snapshot **collected)
{
	struct snapshot **link = find_draining(m, name, version), *s = *link;

	out->drained = !s || s->gone;
	if (s)
		out->last_served_ms = atomic_load(&s->last_served_ms);
	if (s && s->gone) {
		*collected = s;
		*link = s->next;
	}
	return out->drained;
}

int models_drain(struct models *m, const char *name, int64_t version, int64_t timeout_ms, struct models_drained *out,
		 struct exp_error *err)
{
	int64_t end = clock_monotonic_ms() + timeout_ms, left;
	struct models_drained result = { 0 };
	struct snapshot *live, *collected = NULL;
	bool is_live;

	lock_take(&m->lock);
	live = *find_live(m, name);
	is_live = is_model(live, name) && live->version == version;
	while (!is_live && !look(m, name, version, &result, &collected)) {
		left = end - clock_monotonic_ms();
		if (left <= 0)
			break;
		condition_wait_for(&m->wiped, &m->lock, left);
	}
	lock_release(&m->lock);
	mem_free(collected);
	if (is_live)
		return error_set(err, EXP_ECONFLICT, "version %lld of model %s is live; swap it first",
				 (long long)version, name);
	*out = result;
	return 0;
}

void models_each(struct models *m, void (*visit)(const struct snapshot *s, void *arg), void *arg)
{
	lock_take(&m->lock);
	for (const struct snapshot *s = m->live; s; s = s->next)
		visit(s, arg);
	lock_release(&m->lock);
}

static int load_version(struct models *m, struct store *store, const struct stored_version *v, struct exp_error *err)
{
	struct snapshot *s;
	int rc = model_open_version(m->data_folder, store, v, &s, err);

	if (rc)
		return error_wrap(err, rc, "version %lld of model %s", (long long)v->version, v->model);
	models_swap(m, s, v->version);
	return 0;
}

int models_load(struct models *m, struct store *store, struct exp_error *err)
{
	struct stored_version_list list;
	struct db *db;
	int failed = 0, rc = reader_take(store, &db, err);

	if (rc)
		return rc;
	rc = versions_in_state(db, VERSION_LIVE, &list, err);
	reader_give(store, db);
	if (rc)
		return rc;
	for (size_t i = 0; i < list.count; i++) {
		struct exp_error cause = { 0 };

		rc = load_version(m, store, &list.items[i], &cause);
		if (!rc)
			continue;
		log_error("model_not_loaded", "error=\"%s\"", cause.message);
		if (!failed && err)
			*err = cause;
		failed = failed ? failed : rc;
	}
	stored_version_list_fini(&list);
	return failed;
}
