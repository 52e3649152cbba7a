#include "proof/verifier.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "sample_log.h"

#define FIRST  "01995b5e-7c00-7000-8000-000000000001"
#define SECOND "01995b5e-7c00-7000-8000-000000000002"

static struct sample_log story;
static char folder[] = "/tmp/expunge-verifier-XXXXXX";

static void publish_story(void)
{
	const uint8_t key[DIGEST_KEY_SIZE] = { 5 };
	struct identity ada;

	cr_assert(mkdtemp(folder) != NULL);
	sample_log_init(&story);
	cr_assert_eq(identity_parse(&ada, "email:ada@example.com", NULL), 0);
	sample_log_erase(&story, FIRST, key, &ada);
	identity_fini(&ada);
	sample_log_publish(&story, story.count, folder);
}

static void clear_folder(void)
{
	char *command = mem_format("rm -rf %s", folder);

	cr_assert_eq(system(command), 0);
	cr_assert_eq(mkdir(folder, 0700), 0);
	mem_free(command);
}

static void remove_folder(void)
{
	clear_folder();
	cr_assert_eq(rmdir(folder), 0);
	sample_log_fini(&story);
}

TestSuite(verifier, .init = publish_story, .fini = remove_folder);

static int check_pinned(const struct buf *pin, struct verifier_report *report, struct exp_error *err)
{
	struct verifier_pin p = { pin ? pin->data : NULL, pin ? pin->size : 0 };

	return verifier_check_folder(folder, &story.key, &p, report, err);
}

static int check(struct verifier_report *report, struct exp_error *err)
{
	return check_pinned(NULL, report, err);
}

Test(verifier, an_honest_log_holds)
{
	struct verifier_report report;
	struct exp_error err = { 0 };

	cr_assert_eq(check(&report, &err), 0, "%s", err.message);
	cr_assert_eq(report.checkpoint.head.size, 10);
	cr_assert_eq(report.counts.completed, 1);
	cr_assert_eq(report.entry, -1);
	cr_assert_str_eq(report.file, "");
}

/* In place: file systems that flush a file which is emptied and written again would make thousands of rounds slow. */
static void write_raw(const char *path, const struct buf *b)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	cr_assert(fd >= 0);
	cr_assert_eq(pwrite(fd, b->data, b->size, 0), (ssize_t)b->size);
	cr_assert_eq(ftruncate(fd, (off_t)b->size), 0);
	close(fd);
}

/* Runs spoil on the content of one file of the log, checks, and restores it. */
static int check_spoiled(const char *name, void (*spoil)(struct buf *b, size_t i), size_t i,
			 struct verifier_report *report, struct exp_error *err)
{
	char *path = file_join(folder, name);
	struct buf good = { 0 }, bad = { 0 };
	int rc;

	cr_assert_eq(file_read(path, 1 << 24, &good, NULL), 0);
	buf_add(&bad, good.data, good.size);
	spoil(&bad, i);
	write_raw(path, &bad);
	rc = check(report, err);
	write_raw(path, &good);
	buf_fini(&good);
	buf_fini(&bad);
	mem_free(path);
	return rc;
}

static void flip(struct buf *b, size_t i)
{
	b->data[i] = (char)(b->data[i] ^ 1 << i % 8);
}

static void cut(struct buf *b, size_t size)
{
	b->size = size;
}

static size_t size_of(const char *name)
{
	char *path = file_join(folder, name);
	struct stat st;

	cr_assert_eq(stat(path, &st), 0, "%s", path);
	mem_free(path);
	return (size_t)st.st_size;
}

static const char *const files[] = { "checkpoint", "tile/entries/000.p/10", "tile/0/000.p/10" };

Test(verifier, every_changed_byte_of_every_file_is_refused_and_named)
{
	for (size_t f = 0; f < 3; f++) {
		size_t size = size_of(files[f]);

		for (size_t i = 0; i < size; i++) {
			struct verifier_report report;
			struct exp_error err = { 0 };

			cr_assert_lt(check_spoiled(files[f], flip, i, &report, &err), 0, "%s byte %zu", files[f], i);
			cr_assert(err.message[0] != '\0');
			cr_assert_str_eq(report.file, files[f], "byte %zu: %s", i, err.message);
		}
	}
}

Test(verifier, an_altered_entry_is_named_by_its_index)
{
	size_t at = 2;

	for (size_t i = 0; i < story.count; i++) {
		struct verifier_report report;
		struct exp_error err = { 0 };

		cr_assert_eq(check_spoiled(files[1], flip, at + 20, &report, &err), EXP_EVERIFY);
		cr_assert_eq(report.entry, (int64_t)i, "%s", err.message);
		at += 2 + story.leaves[i].size;
	}
}

Test(verifier, every_truncated_file_is_refused)
{
	for (size_t f = 0; f < 3; f++) {
		size_t size = size_of(files[f]);

		for (size_t i = 0; i < size; i += i < 64 ? 1 : 61) {
			struct verifier_report report;

			cr_assert_lt(check_spoiled(files[f], cut, i, &report, NULL), 0, "%s cut to %zu", files[f], i);
			cr_assert_str_eq(report.file, files[f]);
		}
	}
}

Test(verifier, a_missing_file_is_named)
{
	for (size_t f = 0; f < 3; f++) {
		char *path = file_join(folder, files[f]), *away = mem_format("%s/../%s.away", folder, folder + 5);
		struct verifier_report report;

		cr_assert_eq(rename(path, away), 0);
		cr_assert_eq(check(&report, NULL), EXP_ENOTFOUND);
		cr_assert_str_eq(report.file, files[f]);
		cr_assert_eq(rename(away, path), 0);
		mem_free(path);
		mem_free(away);
	}
}

/* As the log's owner would forge it: tiles and entries agree, only the signature is of the honest log. */
static void publish_forged(void)
{
	char *path = file_join(folder, "checkpoint");
	struct buf honest = { 0 };

	cr_assert_eq(file_read(path, 1 << 16, &honest, NULL), 0);
	clear_folder();
	sample_log_publish(&story, story.count, folder);
	write_raw(path, &honest);
	buf_fini(&honest);
	mem_free(path);
}

Test(verifier, two_swapped_leaves_are_refused)
{
	struct verifier_report report;
	struct exp_error err = { 0 };
	struct buf swap = story.leaves[0];

	story.leaves[0] = story.leaves[1];
	story.leaves[1] = swap;
	publish_forged();
	cr_assert_eq(check(&report, &err), EXP_EVERIFY);
	cr_assert(strstr(err.message, "reordered") != NULL, "%s", err.message);
}

Test(verifier, a_dropped_leaf_is_refused)
{
	struct verifier_report report;

	buf_fini(&story.leaves[4]);
	memmove(&story.leaves[4], &story.leaves[5], 5 * sizeof(story.leaves[0]));
	story.count--;
	publish_forged();
	cr_assert_eq(check(&report, NULL), EXP_ENOTFOUND);
	cr_assert_str_eq(report.file, files[1]);
}

/* The owner signs a log in which the rows were never erased. */
Test(verifier, a_signed_log_that_breaks_the_rules_is_refused)
{
	struct verifier_report report;
	struct exp_error err = { 0 };

	buf_fini(&story.leaves[8]);
	story.leaves[8] = story.leaves[9];
	story.count--;
	clear_folder();
	sample_log_publish(&story, story.count, folder);
	cr_assert_eq(check(&report, &err), EXP_EVERIFY);
	cr_assert_eq(report.entry, 8);
	cr_assert_str_eq(report.file, "tile/entries/000.p/9");
	cr_assert(strstr(err.message, "no rows.erased") != NULL, "%s", err.message);
}

Test(verifier, files_that_do_not_belong_are_refused)
{
	static const char *const names[] = { "vkey", "tile/0/000.p/11", "tile/0/001", "tile/1/000.p/1",
					     "tile/0/000.p/10.tmp-abc" };
	struct buf content = { 0 };

	buf_add_text(&content, "x");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = file_join(folder, names[i]), *up = file_join(folder, "tile/1");
		struct verifier_report report;

		cr_assert_eq(file_make_folder(up, NULL), 0);
		mem_free(up);
		up = file_join(folder, "tile/1/000.p");
		cr_assert_eq(file_make_folder(up, NULL), 0);
		write_raw(path, &content);
		cr_assert_eq(check(&report, NULL), EXP_EVERIFY, "%s", names[i]);
		cr_assert_str_eq(report.file, names[i]);
		cr_assert_eq(unlink(path), 0);
		mem_free(path);
		mem_free(up);
	}
	buf_fini(&content);
}

Test(verifier, links_are_refused)
{
	char *path = file_join(folder, "tile/0/000.p/9");
	struct verifier_report report;

	cr_assert_eq(symlink("10", path), 0);
	cr_assert_eq(check(&report, NULL), EXP_EVERIFY);
	cr_assert_str_eq(report.file, "tile/0/000.p/9");
	mem_free(path);
}

/* The story goes on by another request; what was published before stays beside the new tiles. */
static void go_on(void)
{
	const uint8_t key[DIGEST_KEY_SIZE] = { 6 };
	struct identity bob;

	cr_assert_eq(identity_parse(&bob, "email:bob@example.com", NULL), 0);
	sample_log_erase(&story, SECOND, key, &bob);
	identity_fini(&bob);
	sample_log_publish(&story, story.count, folder);
}

Test(verifier, a_grown_log_continues_every_earlier_checkpoint)
{
	struct verifier_report report;

	go_on();
	for (size_t size = 0; size <= story.count; size++) {
		struct exp_error err = { 0 };
		struct buf pin = { 0 };

		sample_log_checkpoint(&story, size, &pin);
		cr_assert_eq(check_pinned(&pin, &report, &err), 0, "pinned at %zu: %s", size, err.message);
		cr_assert(report.pinned);
		buf_fini(&pin);
	}
}

Test(verifier, older_partial_tiles_are_checked_too)
{
	struct verifier_report report;

	go_on();
	cr_assert_eq(check(&report, NULL), 0);
	for (size_t f = 1; f < 3; f++) {
		for (size_t i = 0; i < size_of(files[f]); i += 37) {
			cr_assert_eq(check_spoiled(files[f], flip, i, &report, NULL), EXP_EVERIFY, "%s byte %zu",
				     files[f], i);
			cr_assert_str_eq(report.file, files[f]);
		}
	}
}

Test(verifier, a_rolled_back_log_is_refused)
{
	struct verifier_report report;
	struct exp_error err = { 0 };
	struct buf pin = { 0 };

	sample_log_checkpoint(&story, story.count, &pin);
	clear_folder();
	sample_log_fini(&story);
	sample_log_init(&story);
	sample_log_publish(&story, story.count, folder);
	cr_assert_eq(check(&report, NULL), 0);
	cr_assert_eq(check_pinned(&pin, &report, &err), EXP_EVERIFY);
	cr_assert(strstr(err.message, "rolled back") != NULL);
	buf_fini(&pin);
}

Test(verifier, a_rewritten_past_is_refused_although_it_is_signed)
{
	struct verifier_report report;
	struct exp_error err = { 0 };
	struct buf pin = { 0 };
	json_t *fields = json_pack("{s:s, s:s}", "policy", "changed", "policy_sha256", sample_digest("policy"));

	sample_log_checkpoint(&story, 5, &pin);
	buf_fini(&story.leaves[0]);
	memset(&story.leaves[0], 0, sizeof(story.leaves[0]));
	cr_assert_eq(leaf_build(LEAF_POLICY_RECORDED, 0, fields, &story.leaves[0], NULL), 0);
	json_decref(fields);
	sample_log_publish(&story, story.count, folder);
	cr_assert_eq(check(&report, NULL), 0);
	cr_assert_eq(check_pinned(&pin, &report, &err), EXP_EVERIFY);
	cr_assert(strstr(err.message, "rewritten") != NULL, "%s", err.message);
	buf_fini(&pin);
}

Test(verifier, another_key_is_refused)
{
	struct verifier_report report;
	uint8_t seed[NOTE_SEED_SIZE] = { 1 };

	cr_assert_eq(note_key_init(&story.key, "log.example/expunge", seed, NULL), 0);
	cr_assert_eq(check(&report, NULL), EXP_EVERIFY);
	cr_assert_str_eq(report.file, "checkpoint");
}

/* 300 leaves and more: a full tile, partial ones behind it, a second level. */
Test(verifier, logs_of_many_tiles_hold)
{
	static const size_t sizes[] = { 255, 256, 257, 512, 700 };
	struct verifier_report report;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct exp_error err = { 0 };

		while (story.count < sizes[i])
			sample_log_add(&story, LEAF_POLICY_RECORDED,
				       json_pack("{s:s}", "policy_sha256", sample_digest("another")));
		sample_log_publish(&story, story.count, folder);
		cr_assert_eq(check(&report, &err), 0, "%zu: %s", sizes[i], err.message);
		cr_assert_eq(report.checkpoint.head.size, sizes[i]);
	}
	cr_assert_eq(check_spoiled("tile/1/000.p/2", flip, 40, &report, NULL), EXP_EVERIFY);
	cr_assert_str_eq(report.file, "tile/1/000.p/2");
	cr_assert_eq(check_spoiled("tile/entries/001", flip, 1000, &report, NULL), EXP_EVERIFY);
	cr_assert_str_eq(report.file, "tile/entries/001");
	cr_assert_eq(report.entry, 256 + 1000 / 258);
}

Test(verifier, an_empty_log_holds)
{
	struct verifier_report report;

	clear_folder();
	sample_log_fini(&story);
	sample_log_init(&story);
	sample_log_publish(&story, 0, folder);
	cr_assert_eq(check(&report, NULL), 0);
	cr_assert_eq(report.checkpoint.head.size, 0);
}
