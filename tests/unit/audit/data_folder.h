/*
 * data_folder.h: a data folder with a store and an audit on it, for the tests of this folder.
 */
#ifndef TESTS_AUDIT_DATA_FOLDER_H
#define TESTS_AUDIT_DATA_FOLDER_H

#include "audit/audit.h"
#include "base/id.h"
#include "proof/note.h"
#include "proof/verifier.h"
#include "storage/store.h"

#define ORIGIN "log.example/expunge"

struct data_folder {
	char path[48];
	struct store *store;
	struct audit *audit;
	struct note_key key; /* as an auditor has it */
};

/* A fresh folder, opened; and the end of it. */
void data_folder_init(struct data_folder *d);
void data_folder_fini(struct data_folder *d);

void data_folder_close(struct data_folder *d);
/* Opens store and audit again; returns what audit_open says, and leaves both closed when that is an error. */
int data_folder_open(struct data_folder *d, const char *origin, struct exp_error *err);

/* Below the folder; static. */
const char *data_folder_file(const struct data_folder *d, const char *name);

/* Runs a shell command, which must succeed. */
void data_folder_run(const char *format, ...) EXP_PRINTF(1, 2);

/* Runs SQL on expunge.db, which must be closed, as someone would who stops at nothing: triggers are lifted meanwhile.
 */
void data_folder_tamper(const struct data_folder *d, const char *sql);

/* A request by person number n: its record, its key, its first leaf. id receives its id. */
void data_folder_receive(struct data_folder *d, int n, char id[ID_TEXT]);

/* Its completion as not_found. */
void data_folder_complete(struct data_folder *d, int n, const char *id);

/* The end of the proof period. */
void data_folder_destroy_key(struct data_folder *d, const char *id);

/* Any leaves, to make the log longer. */
void data_folder_add_leaves(struct data_folder *d, int count);

/* True when a new head was published. */
bool data_folder_checkpoint(struct data_folder *d);

/* The published checkpoint file. */
struct buf data_folder_published(const struct data_folder *d);

/* What the offline verifier says of DATA/log; pin may be NULL. */
int data_folder_verify(const struct data_folder *d, const struct buf *pin, struct verifier_report *report,
		       struct exp_error *err);

/* "email:person<n>@example.com"; static. */
const char *data_folder_person(int n);

#endif
