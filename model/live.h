/*
 * live.h: the models that are served now: immutable snapshots of weights, swapped without a gap.
 *
 * A snapshot is a graph, a block of parameters and a pool of sessions (predict.h). Readers take the live snapshot of a
 * model, use it and give it back; a swap changes one pointer under a lock, so that every reader sees the old version or
 * the new one and no request fails. The old version is then draining: nobody new gets it, and the last reader's
 * models_give zeroes and frees its weights. models_drain waits for that, within a bound.
 *
 *        snapshot_new ──▶ models_swap ──▶ live ──▶ models_swap ──▶ draining ──last reader──▶ gone ──▶ models_drain
 *
 * Ownership: a snapshot belongs to whoever made it until models_swap takes it; from then on to the registry.
 * Threads: everything from any thread; models_new, models_load and models_free from one, before and after the rest.
 * LOCK_MODELS guards the registry and is never held over inference, loading or freeing.
 */
#ifndef MODEL_LIVE_H
#define MODEL_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "engine/graph.h"
#include "engine/params.h"
#include "storage/store.h"

struct sessions;

/* A set of weights that is served, or may be. Read-only for everybody but this folder. */
struct snapshot {
	char model[DB_NAME];
	int64_t version;         /* 0 until it is published */
	char sha256[DIGEST_HEX]; /* of the file that it was loaded from */
	struct graph *graph;
	struct params *params;          /* private memory, zeroed before it is freed */
	_Atomic int64_t last_served_ms; /* wall clock of the last prediction; 0: never served */
	/* private */
	struct sessions *sessions;
	size_t readers; /* these are guarded by LOCK_MODELS */
	bool draining, gone;
	struct snapshot *next;
};

struct snapshot_spec {
	const char *model, *sha256; /* copied */
	struct graph *graph;        /* referenced */
	struct params *params;      /* moved in on success */
	size_t sessions;            /* predictions that run at a time; 0 means 4 */
	size_t batch;               /* rows that a session computes at a time; 0 means 64 */
};

/* EXP_EMEMORY, EXP_ESHAPE, EXP_EINVAL (a name or digest that is none). One session is made at once, the rest on demand.
 */
EXP_NODISCARD int snapshot_new(const struct snapshot_spec *spec, struct snapshot **out, struct exp_error *err);

/* For a snapshot that was never handed to models_swap. Zeroes the weights. NULL is fine. */
void snapshot_free(struct snapshot *s);

struct models;

struct models *models_new(const char *data_folder);

/* Loads the live version of every model that storage has (model_open in stage.h). EXP_ECORRUPT: a file is missing or
 * altered; it is logged with model and version, the other models are loaded all the same, and the daemon decides
 * whether to start. */
EXP_NODISCARD int models_load(struct models *m, struct store *store, struct exp_error *err);

/* All readers must have given back. Zeroes and frees everything. NULL is fine. */
void models_free(struct models *m);

/* Borrows the live snapshot of a model until models_give; version 0 takes whichever is live. EXP_ENOTFOUND: no such
 * model, or that version is not the live one. */
EXP_NODISCARD int models_take(struct models *m, const char *name, int64_t version, struct snapshot **out,
			      struct exp_error *err);
void models_give(struct models *m, struct snapshot *s);

/* Makes s the live snapshot of its model as the given version and sets the one before draining. The first snapshot of a
 * name introduces the model. Cannot fail. Publishing the version that is live already (a job taken up again after a
 * kill) frees s and changes nothing. */
void models_swap(struct models *m, struct snapshot *s, int64_t version);

/* Takes the model out of service: its live snapshot starts draining. An unknown name is fine. */
void models_withdraw(struct models *m, const char *name);

struct models_drained {
	bool drained;           /* nobody reads it and its weights are zeroed */
	int64_t last_served_ms; /* wall clock; 0: never, or before this process started */
};

/*
 * Waits at most timeout_ms until no reader holds the version. Unknown versions are drained: a restart has no readers.
 * EXP_ECONFLICT: it is live. After drained came back true the version is forgotten here.
 */
EXP_NODISCARD int models_drain(struct models *m, const char *name, int64_t version, int64_t timeout_ms,
			       struct models_drained *out, struct exp_error *err);

/* Called for the live snapshot of each model, in order of names, under LOCK_MODELS: keep it short. For metrics,
 * listings. */
void models_each(struct models *m, void (*visit)(const struct snapshot *s, void *arg), void *arg);

#endif
