/*
 * fixture.h: a store in a scratch folder, and transactions that a test writes line by line.
 *
 * tx_begin parks the writer thread inside an operation and lends its txn to the test until tx_end, which gives the
 * operation's result and returns what the writer made of it. Nothing else may use the writer in between.
 */
#ifndef UNIT_STORAGE_FIXTURE_H
#define UNIT_STORAGE_FIXTURE_H

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "storage/requests.h"
#include "storage/store.h"
#include "storage/writer.h"

extern char folder[]; /* the scratch folder */
extern struct store *store;

void folder_make(void);   /* Criterion .init: a folder only */
void folder_remove(void); /* Criterion .fini */
void store_make(void);    /* a folder, a store, crypto, and the clock of the test */
void store_remove(void);
void store_reopen(void);
void store_make_with(const struct store_options *options);

struct txn *tx_begin(void);
int tx_end(int rc);
#define tx_commit() cr_assert_eq(tx_end(0), 0)

struct db *read_begin(void);
void read_end(struct db *db);

extern int64_t test_now; /* what clock_now_ms gives; 0: the real clock */

/* Rows that others refer to, each committed. */
void make_token(const char *id);
void make_dataset(const char *name);
void make_model(const char *name, const char *dataset);
void make_request(char id[ID_TEXT], int64_t due_at);

/* From here on no file can grow beyond what expunge.db's log has now, so that its next COMMIT fails; false lifts it. */
void stop_growth(bool stop);

/* Every byte set to value. */
const uint8_t *hash_of(uint8_t value);

#define OK(call)                                                                                                       \
	do {                                                                                                           \
		struct exp_error ok_err = { 0 };                                                                       \
		struct exp_error *err = &ok_err;                                                                       \
		int ok_rc = (call);                                                                                    \
		cr_assert_eq(ok_rc, 0, "%s: %s", #call, ok_err.message);                                               \
	} while (0)

#define FAILS(call, code)                                                                                              \
	do {                                                                                                           \
		struct exp_error fails_err = { 0 };                                                                    \
		struct exp_error *err = &fails_err;                                                                    \
		int fails_rc = (call);                                                                                 \
		cr_assert_eq(fails_rc, (code), "%s gave %d: %s", #call, fails_rc, fails_err.message);                  \
	} while (0)

#endif
