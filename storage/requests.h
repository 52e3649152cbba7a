/*
 * requests.h: deletion requests, the subjects they are about, and how they fare on each model.
 */
#ifndef STORAGE_REQUESTS_H
#define STORAGE_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "storage/db.h"
#include "storage/request_state.h"
#include "storage/tokens.h"

struct stored_request {
	char id[ID_TEXT];
	enum request_status status;
	enum request_outcome outcome;
	enum request_verdict verdict;
	char reason[DB_REASON]; /* why it is rejected, on hold, failed …; "" for none */
	enum regime regime;
	int64_t received_at, due_at;
	char submitted_by[TOKEN_ID]; /* token id */
	int64_t identities;          /* how many identities were given */
	char duplicate_of[ID_TEXT];  /* "" for none */
	int64_t leaf;                /* index of the leaf that recorded its receipt; -1: none */
	int64_t completed_at;        /* when it was closed */
	int64_t updated_at;
	int64_t change; /* grows with each update: ETag and long polling */
};

/* The caller makes the id. updated_at, change and completed_at are ignored (a request may be born closed). EXP_EEXISTS.
 * EXP_ECONFLICT: the token or duplicate_of is not there. */
EXP_NODISCARD int requests_insert(struct txn *txn, const struct stored_request *request, struct exp_error *err);

EXP_NODISCARD int requests_get(struct db *db, const char *id, struct stored_request *out,
			       struct exp_error *err); /* EXP_ENOTFOUND */

/* Only the change counter. EXP_ENOTFOUND. */
EXP_NODISCARD int requests_change(struct db *db, const char *id, int64_t *change, struct exp_error *err);

/* 0 and NULL mean: any. */
struct request_filter {
	unsigned statuses, outcomes, verdicts; /* bits 1u << REQUEST_… */
	const char *model;                     /* requests that touch it */
	int64_t due_before;
	size_t page_size;
	const char *page_token;
};

struct stored_request_page {
	struct stored_request *items;
	size_t count;
	char next[DB_PAGE_TOKEN];
};

EXP_NODISCARD int requests_list(struct db *db, const struct request_filter *filter, struct stored_request_page *out,
				struct exp_error *err);
void stored_request_page_fini(struct stored_request_page *page);

struct request_update {
	enum request_status status;
	enum request_outcome outcome;
	enum request_verdict verdict;
	const char *reason; /* NULL keeps what is there */
};

/*
 * Moves the three axes together; what stays is given as it is. completed_at is set on entering a closed status and
 * cleared on leaving one. EXP_ECONFLICT: a move that request_status.def or outcome.def does not have. EXP_ENOTFOUND.
 */
EXP_NODISCARD int requests_update(struct txn *txn, const char *id, const struct request_update *update,
				  struct exp_error *err);

EXP_NODISCARD int requests_set_leaf(struct txn *txn, const char *id, int64_t leaf,
				    struct exp_error *err); /* EXP_ENOTFOUND */

struct request_summary {
	int64_t by_status[REQUEST_STATUS_COUNT];
	int64_t overdue;            /* not settled (open, failed or partly completed) and past due */
	int64_t next_due_at;        /* of those not settled; 0: none */
	int64_t oldest_received_at; /* of those not settled; 0: none */
};

EXP_NODISCARD int requests_summary(struct db *db, int64_t now_ms, struct request_summary *out, struct exp_error *err);

/* The subject–request link: who a request is about. It is deleted at the end of the proof period. Idempotent. */
EXP_NODISCARD int requests_link_subject(struct txn *txn, const char *id, int64_t subject, struct exp_error *err);
EXP_NODISCARD int requests_unlink_subjects(struct txn *txn, const char *id, struct exp_error *err);

struct subject_list {
	int64_t *items;
	size_t count;
};

EXP_NODISCARD int requests_subjects(struct db *db, const char *id, struct subject_list *out, struct exp_error *err);
void subject_list_fini(struct subject_list *list);

struct id_list {
	char (*items)[ID_TEXT];
	size_t count;
};

/* The requests about a subject, oldest first. */
EXP_NODISCARD int requests_of_subject(struct db *db, int64_t subject, struct id_list *out, struct exp_error *err);
void id_list_fini(struct id_list *list);

/* How a request fares on one model. */
struct request_model {
	char model[DB_NAME];
	enum request_status status;
	enum request_outcome outcome;
	enum request_verdict verdict;
	char *evidence; /* JSON, or NULL */
	int64_t updated_at;
};

struct request_model_list {
	struct request_model *items;
	size_t count;
};

/* Inserts or replaces; checks moves as requests_update does and counts as a change of the request. EXP_ECONFLICT. */
EXP_NODISCARD int requests_set_model(struct txn *txn, const char *id, const struct request_model *model,
				     struct exp_error *err);

/* By model name. */
EXP_NODISCARD int requests_models(struct db *db, const char *id, struct request_model_list *out, struct exp_error *err);
void request_model_list_fini(struct request_model_list *list);

#endif
