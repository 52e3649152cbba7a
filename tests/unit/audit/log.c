#include "audit/audit.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data_folder.h"
#include "storage/leaves.h"
#include "storage/writer.h"

static struct data_folder d;

static void init(void)
{
	data_folder_init(&d);
}

static void fini(void)
{
	data_folder_fini(&d);
}

TestSuite(audit_log, .init = init, .fini = fini);

static void expect_verified(uint64_t size)
{
	struct verifier_report report;
	struct exp_error err = { 0 };

	cr_assert_eq(data_folder_verify(&d, NULL, &report, &err), 0, "%s", err.message);
	cr_assert_eq(report.checkpoint.head.size, size);
}

Test(audit_log, an_empty_log_publishes_nothing)
{
	cr_assert_not(data_folder_checkpoint(&d));
	cr_assert_not(file_exists(data_folder_file(&d, "log/checkpoint")));
}

Test(audit_log, every_head_continues_all_earlier_ones)
{
	static const int steps[] = { 1, 1, 5, 248, 1, 1, 255, 1, 90 };
	struct buf pins[9];
	uint64_t size = 0;

	for (int i = 0; i < 9; i++) {
		data_folder_add_leaves(&d, steps[i]);
		size += (uint64_t)steps[i];
		cr_assert(data_folder_checkpoint(&d));
		cr_assert_not(data_folder_checkpoint(&d));
		expect_verified(size);
		pins[i] = data_folder_published(&d);
		for (int p = 0; p <= i; p++) {
			struct verifier_report report;
			struct exp_error err = { 0 };

			cr_assert_eq(data_folder_verify(&d, &pins[p], &report, &err), 0, "%s", err.message);
			cr_assert(report.pinned);
		}
	}
	for (int i = 0; i < 9; i++)
		buf_fini(&pins[i]);
}

Test(audit_log, full_tiles_replace_partial_ones)
{
	data_folder_add_leaves(&d, 255);
	data_folder_checkpoint(&d);
	cr_assert(file_exists(data_folder_file(&d, "log/tile/entries/000.p/255")));
	data_folder_add_leaves(&d, 1);
	data_folder_checkpoint(&d);
	cr_assert_not(file_exists(data_folder_file(&d, "log/tile/entries/000.p")));
	cr_assert_not(file_exists(data_folder_file(&d, "log/tile/0/000.p")));
	cr_assert(file_exists(data_folder_file(&d, "log/tile/1/000.p/1")));
	expect_verified(256);
}

Test(audit_log, a_restart_goes_on_with_the_same_key)
{
	char *before = audit_vkey(d.audit), *after;

	data_folder_add_leaves(&d, 3);
	data_folder_checkpoint(&d);
	data_folder_close(&d);
	cr_assert_eq(data_folder_open(&d, ORIGIN, NULL), 0);
	after = audit_vkey(d.audit);
	cr_assert_str_eq(before, after);
	cr_assert_not(data_folder_checkpoint(&d));
	data_folder_add_leaves(&d, 4);
	cr_assert(data_folder_checkpoint(&d));
	expect_verified(7);
	mem_free(before);
	mem_free(after);
}

static int bad_leaf_op(struct txn *txn, void *arg, struct exp_error *err)
{
	json_t *fields = json_pack("{s:s, s:s}", "policy_sha256", "0", "email", "ada@example.com");
	int rc = audit_append(txn, LEAF_POLICY_RECORDED, fields, NULL, NULL, err);

	(void)arg;
	json_decref(fields);
	return rc;
}

Test(audit_log, what_the_schema_does_not_allow_is_not_appended)
{
	struct exp_error err = { 0 };

	cr_assert_eq(writer_call(d.store, bad_leaf_op, NULL, &err), EXP_EFIELD);
	cr_assert(strstr(err.message, "policy.recorded") != NULL, "%s", err.message);
	cr_assert_not(data_folder_checkpoint(&d));
}

/* A file where the folder should be makes publishing fail after the head was stored: what a crash between the two
 * leaves. */
static void store_without_publishing(void)
{
	struct exp_error err = { 0 };
	bool advanced = false;

	data_folder_run("rm -rf %s/log && touch %s/log", d.path, d.path);
	cr_assert_lt(audit_checkpoint(d.audit, &advanced, &err), 0);
	cr_assert_not(advanced);
	data_folder_run("rm %s/log", d.path);
}

Test(audit_log, a_stored_head_is_published_by_the_next_call)
{
	data_folder_add_leaves(&d, 5);
	store_without_publishing();
	cr_assert(data_folder_checkpoint(&d));
	expect_verified(5);
}

Test(audit_log, a_stored_head_is_published_after_a_crash)
{
	struct buf note;

	data_folder_add_leaves(&d, 5);
	store_without_publishing();
	data_folder_close(&d);
	cr_assert_eq(data_folder_open(&d, ORIGIN, NULL), 0);
	expect_verified(5);
	note = data_folder_published(&d);
	cr_assert_not(data_folder_checkpoint(&d));
	data_folder_add_leaves(&d, 1);
	cr_assert(data_folder_checkpoint(&d));
	cr_assert_eq(data_folder_verify(&d, &note, &(struct verifier_report){ 0 }, NULL), 0);
	buf_fini(&note);
}

/* Published files are only a copy: what is lost or damaged among them comes back at the next start. */
Test(audit_log, a_damaged_folder_is_made_good_again)
{
	data_folder_add_leaves(&d, 300);
	data_folder_checkpoint(&d);
	data_folder_close(&d);
	data_folder_run("cd %s/log/tile && echo x >> entries/000 && rm 0/000 && touch 0/000.tmp-AbCdEf && rm -r 1",
			d.path);
	cr_assert_eq(data_folder_open(&d, ORIGIN, NULL), 0);
	expect_verified(300);
}

/* Each row is done to the database of a stopped daemon; the start must name it. */
static const struct {
	const char *sql, *says;
} tampering[] = {
	{ "UPDATE leaves SET bytes = CAST(replace(CAST(bytes AS TEXT), 'policy', 'POLICY') AS BLOB) WHERE idx = 3",
	  "log entry 3 was altered" },
	{ "UPDATE leaves SET bytes = (SELECT bytes FROM leaves WHERE idx = 5), hash = (SELECT hash FROM leaves WHERE "
	  "idx = 5) "
	  "WHERE idx = 6",
	  "does not belong to the log entries (at entry 7)" },
	{ "DELETE FROM leaves WHERE idx = 9", "log entry 9 is missing" },
	{ "UPDATE leaves SET idx = 100 WHERE idx = 4", "log entry 5 was altered" },
	{ "UPDATE tree_nodes SET hash = zeroblob(32) WHERE level = 1 AND idx = 2",
	  "does not belong to the log entries" },
	{ "UPDATE checkpoints SET root = zeroblob(32)", "does not say what it was signed for" },
	{ "UPDATE checkpoints SET note = replace(note, '10', '11')", "was not signed by this log's key" },
	{ "DELETE FROM checkpoints", "the database is older than the published log" },
};

Test(audit_log, a_tampered_database_is_refused_at_the_start)
{
	data_folder_add_leaves(&d, 10);
	data_folder_checkpoint(&d);
	data_folder_close(&d);
	data_folder_run("cp %s/expunge.db %s/good.db", d.path, d.path);
	for (size_t i = 0; i < sizeof(tampering) / sizeof(tampering[0]); i++) {
		struct exp_error err = { 0 };

		data_folder_tamper(&d, tampering[i].sql);
		cr_assert_eq(data_folder_open(&d, ORIGIN, &err), EXP_ECORRUPT, "%s", tampering[i].sql);
		cr_assert(strstr(err.message, tampering[i].says) != NULL, "%s: %s", tampering[i].sql, err.message);
		data_folder_run("cp %s/good.db %s/expunge.db && rm -f %s/expunge.db-*", d.path, d.path, d.path);
	}
	cr_assert_eq(data_folder_open(&d, ORIGIN, NULL), 0);
}

/* Bytes and hash are exchanged together, and the hash tree over them too: only the signed root can tell. */
Test(audit_log, a_tree_that_was_rewritten_as_a_whole_is_refused)
{
	struct exp_error err = { 0 };

	data_folder_add_leaves(&d, 1);
	data_folder_checkpoint(&d);
	data_folder_close(&d);
	data_folder_tamper(&d, "UPDATE leaves SET bytes = x'00', hash = "
			       "x'96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7'");
	cr_assert_eq(data_folder_open(&d, ORIGIN, &err), EXP_ECORRUPT);
	cr_assert(strstr(err.message, "is not the one of") != NULL, "%s", err.message);
}

Test(audit_log, an_altered_leaf_that_is_not_signed_yet_is_never_signed)
{
	struct exp_error err = { 0 };
	bool advanced = false;

	data_folder_add_leaves(&d, 4);
	data_folder_checkpoint(&d);
	data_folder_add_leaves(&d, 2);
	data_folder_close(&d);
	data_folder_tamper(&d, "UPDATE leaves SET bytes = x'7b7d' WHERE idx = 5");
	cr_assert_eq(data_folder_open(&d, ORIGIN, NULL), 0);
	cr_assert_eq(audit_checkpoint(d.audit, &advanced, &err), EXP_ECORRUPT);
	cr_assert(strstr(err.message, "log entry 5") != NULL, "%s", err.message);
	expect_verified(4);
}

Test(audit_log, a_database_from_a_backup_is_refused_when_more_was_published)
{
	struct exp_error err = { 0 };

	data_folder_add_leaves(&d, 4);
	data_folder_checkpoint(&d);
	data_folder_close(&d);
	data_folder_run("cp %s/expunge.db %s/old.db", d.path, d.path);
	cr_assert_eq(data_folder_open(&d, ORIGIN, NULL), 0);
	data_folder_add_leaves(&d, 1);
	data_folder_checkpoint(&d);
	data_folder_close(&d);
	data_folder_run("mv %s/old.db %s/expunge.db && rm -f %s/expunge.db-*", d.path, d.path, d.path);
	cr_assert_eq(data_folder_open(&d, ORIGIN, &err), EXP_ECORRUPT);
	cr_assert(strstr(err.message, "older than the published log") != NULL, "%s", err.message);
}

Test(audit_log, a_lost_key_and_another_origin_are_refused)
{
	struct exp_error err = { 0 };

	data_folder_add_leaves(&d, 4);
	data_folder_checkpoint(&d);
	data_folder_close(&d);
	cr_assert_eq(data_folder_open(&d, "other.example", &err), EXP_ECORRUPT);
	cr_assert_eq(data_folder_open(&d, "not a name", NULL), EXP_EINVAL);
	data_folder_run("rm -f %s/keys.db*", d.path);
	cr_assert_eq(data_folder_open(&d, ORIGIN, &err), EXP_ECORRUPT);
	cr_assert(strstr(err.message, "keys.db") != NULL, "%s", err.message);
}
