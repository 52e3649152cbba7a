#include "sample_log.h"

#include <criterion/criterion.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "proof/tiles.h"

const char *sample_digest(const char *word)
{
	static char texts[4][DIGEST_HEX];
	static unsigned turn;
	uint8_t hash[DIGEST_SIZE];

	sha256(word, strlen(word), hash);
	return hex_encode(hash, sizeof(hash), texts[turn++ % 4]);
}

void sample_log_add(struct sample_log *log, enum leaf_type type, json_t *fields)
{
	struct exp_error err = { 0 };

	cr_assert(fields != NULL && log->count < SAMPLE_LEAVES_MAX);
	cr_assert_eq(leaf_build(type, 1795442467042 + (int64_t)log->count, fields, &log->leaves[log->count], &err), 0,
		     "%s: %s", leaf_type_name(type), err.message);
	log->count++;
	json_decref(fields);
}

void sample_log_init(struct sample_log *log)
{
	memset(log, 0, sizeof(*log));
	cr_assert_eq(crypto_init(), 0);
	memset(log->seed, 7, sizeof(log->seed));
	cr_assert_eq(note_key_init(&log->key, "log.example/expunge", log->seed, NULL), 0);
	log->version = 1;
	memcpy(log->weights, sample_digest("weights 1"), DIGEST_HEX);
	sample_log_add(log, LEAF_POLICY_RECORDED, json_pack("{s:s}", "policy_sha256", sample_digest("policy")));
	sample_log_add(log, LEAF_DATASET_REGISTERED,
		       json_pack("{s:s, s:s, s:{s:i, s:i}}", "dataset", "people", "sha256", sample_digest("people"),
				 "rows", "train", 400, "heldout", 134));
	sample_log_add(log, LEAF_MODEL_REGISTERED,
		       json_pack("{s:s, s:i, s:s}", "model", "wages", "version", 1, "sha256", log->weights));
}

void sample_log_fini(struct sample_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		buf_fini(&log->leaves[i]);
}

static json_t *rows(void)
{
	return json_pack("{s:i, s:i}", "train", 3, "heldout", 0);
}

static json_t *scores(void)
{
	return json_pack("{s:i, s:i, s:i}", "z_ppm", -310000, "p_ppm", 420000, "power_ppm", 870000);
}

static void change_model(struct sample_log *log, const char *request, char old[DIGEST_HEX])
{
	char word[32];

	memcpy(old, log->weights, DIGEST_HEX);
	snprintf(word, sizeof(word), "weights %lld", (long long)++log->version);
	memcpy(log->weights, sample_digest(word), DIGEST_HEX);
	sample_log_add(log, LEAF_JOB_ATTEMPTED,
		       json_pack("{s:s, s:i, s:s, s:[s], s:s, s:s, s:s, s:s, s:o}", "job", request, "attempt", 1,
				 "model", "wages", "requests", request, "method", "retrain", "params_sha256",
				 sample_digest("params"), "policy_sha256", sample_digest("policy"), "verdict",
				 "pass/by_construction", "scores", scores()));
	sample_log_add(log, LEAF_MODEL_PUBLISHED,
		       json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:[s]}", "model", "wages", "version",
				 (json_int_t)log->version, "old_sha256", old, "new_sha256", log->weights, "job",
				 request, "method", "retrain", "requests", request));
	sample_log_add(log, LEAF_MODEL_DESTROYED,
		       json_pack("{s:s, s:I, s:s}", "model", "wages", "version", (json_int_t)(log->version - 1),
				 "sha256", old));
}

static json_t *model_entry(const struct sample_log *log, const char *old)
{
	return json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "model", "wages", "version",
			 (json_int_t)log->version, "old_sha256", old, "new_sha256", log->weights, "method", "retrain",
			 "params_sha256", sample_digest("params"), "policy_sha256", sample_digest("policy"), "verdict",
			 "pass/by_construction", "scores", scores());
}

void sample_log_erase(struct sample_log *log, const char *request, const uint8_t key[DIGEST_KEY_SIZE],
		      const struct identity *who)
{
	char subject[DIGEST_HEX], committed[DIGEST_HEX], old[DIGEST_HEX];
	uint8_t hash[DIGEST_SIZE];

	identity_hash(who, key, hash);
	hex_encode(hash, sizeof(hash), subject);
	sha256(key, DIGEST_KEY_SIZE, hash);
	hex_encode(hash, sizeof(hash), committed);
	sample_log_add(log, LEAF_REQUEST_RECEIVED,
		       json_pack("{s:s, s:[s], s:s}", "request", request, "subject", subject, "regime", "gdpr"));
	sample_log_add(log, LEAF_SUBJECT_RESOLVED, json_pack("{s:s, s:o}", "request", request, "rows", rows()));
	change_model(log, request, old);
	sample_log_add(log, LEAF_ROWS_ERASED,
		       json_pack("{s:s, s:[s], s:o}", "dataset", "people", "requests", request, "rows", rows()));
	sample_log_add(log, LEAF_REQUEST_COMPLETED,
		       json_pack("{s:s, s:[s], s:s, s:s, s:s, s:s, s:[o], s:o, s:s}", "request", request, "subject",
				 subject, "key_sha256", committed, "status", "completed", "outcome", "erased",
				 "verdict", "pass/by_construction", "models", model_entry(log, old), "rows", rows(),
				 "scope", "operator-originals-not-covered"));
}

void sample_root(const struct buf *entries, size_t count, uint8_t out[DIGEST_SIZE])
{
	struct buf bytes = { 0 };
	uint8_t half[DIGEST_SIZE];
	size_t split = 1;

	if (count == 1) {
		buf_add(&bytes, "\x00", 1);
		buf_add(&bytes, entries->data ? entries->data : "", entries->size);
	} else if (count > 1) {
		while (split * 2 < count)
			split *= 2;
		buf_add(&bytes, "\x01", 1);
		sample_root(entries, split, half);
		buf_add(&bytes, half, sizeof(half));
		sample_root(entries + split, count - split, half);
		buf_add(&bytes, half, sizeof(half));
	}
	sha256(bytes.data ? bytes.data : "", bytes.size, out);
	buf_fini(&bytes);
}

void sample_log_checkpoint(const struct sample_log *log, size_t count, struct buf *out)
{
	struct checkpoint c = { .head.size = count };

	memcpy(c.origin, log->key.name, sizeof(c.origin));
	sample_root(log->leaves, count, c.head.root);
	cr_assert_eq(checkpoint_sign(&c, log->seed, out, NULL), 0);
}

static void write_file(const char *folder, const char *name, const struct buf *content)
{
	char *path = file_join(folder, name), *copy = mem_strdup(path);

	cr_assert_eq(file_make_folder(dirname(copy), NULL), 0);
	cr_assert_eq(file_write_durable(path, content->data, content->size, NULL), 0);
	mem_free(copy);
	mem_free(path);
}

static void write_tile(const struct sample_log *log, const struct tile *t, const char *folder)
{
	struct buf content = { 0 };
	char *path = tile_path(t);
	size_t span = 1;

	for (int level = 0; level < t->level; level++)
		span *= TILE_WIDTH;
	for (size_t i = t->index * TILE_WIDTH; i < t->index * TILE_WIDTH + t->width; i++) {
		uint8_t hash[DIGEST_SIZE];

		if (t->level == TILE_ENTRIES) {
			cr_assert_eq(tile_add_entry(&content, log->leaves[i].data, log->leaves[i].size, NULL), 0);
		} else {
			sample_root(log->leaves + i * span, span, hash);
			buf_add(&content, hash, sizeof(hash));
		}
	}
	write_file(folder, path, &content);
	buf_fini(&content);
	mem_free(path);
}

void sample_log_publish(const struct sample_log *log, size_t count, const char *folder)
{
	struct buf note = { 0 };

	for (int level = TILE_ENTRIES; level < TILE_LEVELS; level++) {
		struct tile t = { level, 0, TILE_WIDTH };

		for (; t.index < tile_full_count(level, count); t.index++)
			write_tile(log, &t, folder);
		t.width = tile_partial_width(level, count);
		if (t.width)
			write_tile(log, &t, folder);
	}
	sample_log_checkpoint(log, count, &note);
	write_file(folder, "checkpoint", &note);
	buf_fini(&note);
}

/* Nodes by recursion over the entries. */
static int read_node(void *context, unsigned level, uint64_t index, uint8_t out[DIGEST_SIZE], struct exp_error *err)
{
	const struct sample_log *log = context;

	(void)err;
	sample_root(log->leaves + (index << level), (size_t)1 << level, out);
	return 0;
}

void sample_log_receipt(const struct sample_log *log, size_t index, const char *request,
			const uint8_t key[DIGEST_KEY_SIZE], struct receipt *out)
{
	struct merkle_reader reader = { read_node, (void *)log };

	memset(out, 0, sizeof(*out));
	memcpy(out->request, request, ID_TEXT);
	memcpy(out->key, key, sizeof(out->key));
	buf_add(&out->leaf, log->leaves[index].data, log->leaves[index].size);
	out->index = index;
	cr_assert_eq(merkle_prove_inclusion(&reader, index, log->count, &out->proof, NULL), 0);
	sample_log_checkpoint(log, log->count, &out->note);
}
