/*
 * record.h: what erasure and registration say in the audit log: leaves made from the structs of this folder.
 *
 * Every function appends in the caller's transaction, so that a change and its record stand or fall together.
 */
#ifndef WORKERS_RECORD_H
#define WORKERS_RECORD_H

#include "storage/dataset_rows.h"
#include "workers/selection.h"

/* Before anything is computed: the requests, the policy, and a commitment to the seed. */
EXP_NODISCARD int record_started(struct txn *txn, const struct run *r, const struct selection *s, uint64_t seed,
				 struct exp_error *err);

/* Whose rows were found, for each request of the job. */
EXP_NODISCARD int record_resolved(struct txn *txn, const struct selection *s, struct exp_error *err);

/* One attempt, accepted or not. ordinal: of storage/attempts.h. old_sha256, new_sha256: hexadecimal; new NULL when it
 * was not accepted. */
struct record_attempt {
	const struct erasure_attempt *attempt;
	const struct selection *selection;
	const size_t *indices; /* [group_count] of selection_lists */
	int64_t ordinal;
	const char *old_sha256, *new_sha256;
};

EXP_NODISCARD int record_attempted(struct txn *txn, const struct run *r, const struct record_attempt *a,
				   struct exp_error *err);

EXP_NODISCARD int record_published(struct txn *txn, const struct run *r, const struct record_attempt *a,
				   int64_t version, struct exp_error *err);

EXP_NODISCARD int record_destroyed(struct txn *txn, const struct run *r, int64_t version, const char *sha256,
				   struct exp_error *err);

EXP_NODISCARD int record_rows_erased(struct txn *txn, const char *dataset, const char *request,
				     const struct row_counts *rows, struct exp_error *err);

/* The part "model" of a completion leaf for one group under an accepted attempt; new reference. */
json_t *record_model_part(const struct run *r, const struct record_attempt *a, size_t group, int64_t version);

/*
 * The end of a request, with the subject hashes of its first leaf and the commitment to its key. models: a list of
 * model parts, borrowed. *index receives the leaf's.
 */
struct record_completion {
	const char *request;
	enum request_status status;
	enum request_outcome outcome;
	enum request_verdict verdict;
	const char *reason; /* a slug, or "" */
	json_t *models;
	int64_t train, heldout;
};

EXP_NODISCARD int record_completed(struct txn *txn, const struct record_completion *c, struct exp_error *err);

/* A registered model with what calibration found. */
EXP_NODISCARD int record_registered(struct txn *txn, const struct run *r, const struct selection *s, const char *sha256,
				    struct exp_error *err);

/* The worst verdict among an attempt's findings: any failure, else any that is inconclusive, else a pass. */
enum verdict record_verdict(const struct erasure_attempt *a, size_t count);

#endif
