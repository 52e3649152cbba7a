/*
 * selection.h: everything that an erasure job works on, gathered from storage, dataset and model before it computes.
 *
 * Requests of the job that are about the same person (they share a subject) form one group: the person is unlearned and
 * tested once, and every request of the group gets the finding. Rows of people whose requests wait in other jobs are
 * tombstoned and in no view.
 *
 * Ownership: selection_fini frees everything and gives the snapshot back. Threads: one.
 */
#ifndef WORKERS_SELECTION_H
#define WORKERS_SELECTION_H

#include "dataset/dataset.h"
#include "erasure/ladder.h"
#include "model/live.h"
#include "storage/models.h"
#include "workers/run.h"

struct group {
	int64_t *subjects;
	size_t subject_count;
	struct dataset_view train; /* the rows to unlearn */
	size_t heldout_count;      /* rows that are only overwritten */
};

struct chosen {
	char request[ID_TEXT];
	size_t group;
};

struct selection {
	struct stored_model model;
	struct policy policy;
	uint8_t policy_digest[DIGEST_SIZE];
	struct recipe recipe;
	bool has_recipe;

	struct chosen *requests; /* open ones of the job, oldest first */
	size_t request_count;
	struct group *groups;
	size_t group_count;

	struct dataset *dataset;
	struct dataset_view train, heldout;
	struct population population; /* over the two views */

	struct snapshot *live; /* NULL: the model never went live */
	struct calibration calibration;
	struct scores scores;
	struct importance importance;
	bool has_calibration, has_scores, has_importance;
};

/* EXP_ENOTFOUND (model, dataset), EXP_ECORRUPT (stored JSON or files), EXP_EIO, EXP_EMEMORY. */
EXP_NODISCARD int selection_load(const struct run *r, struct selection *s, struct exp_error *err);
void selection_fini(const struct run *r, struct selection *s);

/* The groups that have training rows, in order, as erasure wants them; indices [selection.group_count] maps each group
 * to its place in lists, or SIZE_MAX. Returns how many. */
size_t selection_lists(const struct selection *s, struct row_list *lists, size_t *indices);

/* The policy of a model as it stands in storage: its own, else the default. */
EXP_NODISCARD int selection_policy(struct db *db, const struct stored_model *model, struct policy *out,
				   struct exp_error *err);

/* FOLDER/importance-SHA256.safetensors; mem_free. The importance that goes with these weights. */
char *selection_importance_path(const char *folder, const char *sha256);

#endif
