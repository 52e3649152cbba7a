/* The score table on disk: resumed, purged, refused when it is not whole. */
#include "verify/scores.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "verify/fold.h"

enum { COLUMNS = 5, ROUNDS = 2, FOLDS = 2, MODELS = 4, FLOATS = 3 };

struct fixture {
	char folder[40];
	size_t rows[COLUMNS];
	int32_t labels[COLUMNS];
	uint8_t fold[ROUNDS * COLUMNS];
	float spread[FLOATS];
	float values[MODELS][COLUMNS * STATISTICS];
	struct scores setup;
};

static void set_up(struct fixture *f)
{
	*f = (struct fixture){ .folder = "/tmp/expunge-scores-XXXXXX",
			       .rows = { 2, 3, 5, 8, 13 },
			       .labels = { 1, 0, 2, 1, 0 },
			       .fold = { 0, 1, FOLD_HELDOUT, 1, 0, 1, 1, FOLD_HELDOUT, 0, 0 },
			       .spread = { 1, 2, 3 } };
	cr_assert_eq(crypto_init(), 0);
	cr_assert_not_null(mkdtemp(f->folder));
	f->setup = (struct scores){ .rounds = ROUNDS,
				    .folds = FOLDS,
				    .models = MODELS,
				    .columns = COLUMNS,
				    .row_floats = FLOATS,
				    .neighbours = 8,
				    .neighbour_spread = 0.1,
				    .finetune_epochs = 0.25,
				    .seed = 7,
				    .rows = f->rows,
				    .labels = f->labels,
				    .fold = f->fold,
				    .feature_spread = f->spread };
	cr_assert_eq(scores_create(f->folder, &f->setup, NULL), 0);
	for (size_t m = 0; m < MODELS; m++)
		for (size_t i = 0; i < COLUMNS * STATISTICS; i++)
			f->values[m][i] = (float)(1000 * (m + 1) + i) + 0.125f;
}

static void write_model(const struct fixture *f, size_t m)
{
	struct behaviour b = { .accuracy = 0.5 + 0.01 * (double)m };

	cr_assert_eq(scores_write_model(f->folder, &f->setup, m, &b, f->values[m], NULL), 0);
}

static void tear_down(struct fixture *f)
{
	char *command = mem_format("rm -rf %s", f->folder);

	cr_assert_eq(system(command), 0);
	mem_free(command);
}

/* How often the bytes of value occur in all files of the folder. */
static size_t occurrences(const struct fixture *f, float value)
{
	size_t found = 0;

	for (size_t m = 0; m < MODELS; m++) {
		char *path = mem_format("%s/model-%04zu", f->folder, m);
		struct buf b = { 0 };

		cr_assert_eq(file_read(path, 1 << 20, &b, NULL), 0);
		for (size_t i = 0; i + sizeof(value) <= b.size; i++)
			found += memcmp(b.data + i, &value, sizeof(value)) == 0;
		buf_fini(&b);
		mem_free(path);
	}
	return found;
}

Test(scores, come_back_as_they_were_written)
{
	struct fixture f;
	struct scores s;

	set_up(&f);
	write_model(&f, 2);
	cr_assert_eq(scores_load(f.folder, &s, NULL), 0);
	cr_assert(!scores_complete(&s));
	cr_assert(s.done[2] && !s.done[0] && !s.done[1] && !s.done[3]);
	cr_assert_eq(memcmp(scores_at(&s, 2, 0), f.values[2], sizeof(f.values[2])), 0);
	cr_assert(isnan(scores_at(&s, 0, 0)[0]));
	cr_assert_eq(s.behaviour[2].accuracy, 0.52);
	cr_assert_eq(memcmp(s.rows, f.rows, sizeof(f.rows)), 0);
	cr_assert_eq(memcmp(s.fold, f.fold, sizeof(f.fold)), 0);
	cr_assert_eq(s.seed, 7);
	scores_fini(&s);
	tear_down(&f);
}

Test(scores, know_who_saw_whom)
{
	struct fixture f;

	set_up(&f);
	cr_assert_eq(scores_column(&f.setup, 8), 3);
	cr_assert_eq(scores_column(&f.setup, 4), SIZE_MAX);
	cr_assert(scores_is_out(&f.setup, 1, 3), "round 0, fold 1");
	cr_assert(!scores_is_out(&f.setup, 0, 3));
	cr_assert(scores_is_out(&f.setup, 2, 3), "round 1, fold 0");
	for (size_t m = 0; m < MODELS; m++)
		cr_assert(scores_is_out(&f.setup, m, 2), "held-out rows are out of every model");
	tear_down(&f);
}

Test(scores, resume_only_the_same_setup)
{
	struct fixture f;
	struct exp_error err = { 0 };

	set_up(&f);
	cr_assert_eq(scores_create(f.folder, &f.setup, NULL), 0);
	f.setup.seed = 8;
	cr_assert_eq(scores_create(f.folder, &f.setup, &err), EXP_ECONFLICT);
	f.setup.seed = 7;
	f.fold[0] = 1;
	cr_assert_eq(scores_create(f.folder, &f.setup, &err), EXP_ECONFLICT);
	tear_down(&f);
}

Test(scores, overwrite_purged_rows_in_every_file)
{
	static const size_t gone[] = { 4, 8 };
	struct row_list rows = { gone, 2 };
	struct fixture f;
	struct scores s;

	set_up(&f);
	for (size_t m = 0; m < MODELS; m++)
		write_model(&f, m);
	cr_assert_eq(occurrences(&f, f.values[1][3 * STATISTICS + 1]), 1);
	cr_assert_eq(scores_purge(f.folder, rows, NULL), 0);
	for (size_t m = 0; m < MODELS; m++)
		for (size_t i = 0; i < STATISTICS; i++)
			cr_assert_eq(occurrences(&f, f.values[m][3 * STATISTICS + i]), 0);
	cr_assert_eq(occurrences(&f, f.values[1][2 * STATISTICS + 1]), 1, "the others stay");
	cr_assert_eq(scores_load(f.folder, &s, NULL), 0);
	cr_assert(scores_complete(&s));
	cr_assert_eq(scores_column(&s, 8), SIZE_MAX);
	cr_assert_eq(scores_column(&s, 13), 4);
	cr_assert(isnan(scores_at(&s, 0, 3)[0]));
	scores_fini(&s);
	cr_assert_eq(scores_purge(f.folder, rows, NULL), 0, "again, as after a kill");
	cr_assert_eq(scores_create(f.folder, &f.setup, NULL), 0, "a purge is no other setup");
	tear_down(&f);
}

Test(scores, purge_where_there_is_nothing)
{
	static const size_t gone[] = { 4 };

	cr_assert_eq(scores_purge("/tmp/expunge-no-such-folder", (struct row_list){ gone, 1 }, NULL), 0);
	cr_assert_eq(scores_destroy("/tmp/expunge-no-such-folder", NULL), 0);
}

Test(scores, refuse_files_that_are_not_whole)
{
	struct fixture f;
	struct exp_error err = { 0 };
	struct scores s;
	char *path;

	set_up(&f);
	write_model(&f, 1);
	path = mem_format("%s/model-0001", f.folder);
	cr_assert_eq(file_write_durable(path, "short", 5, NULL), 0);
	cr_assert_eq(scores_load(f.folder, &s, &err), EXP_ECORRUPT);
	cr_assert_not_null(strstr(err.message, "model-0001"));
	mem_free(path);
	path = mem_format("%s/table", f.folder);
	cr_assert_eq(file_write_durable(path, "short", 5, NULL), 0);
	cr_assert_eq(scores_load(f.folder, &s, &err), EXP_ECORRUPT);
	mem_free(path);
	tear_down(&f);
}

Test(scores, refuse_a_model_of_another_table)
{
	struct fixture f;
	struct scores s;

	set_up(&f);
	f.setup.seed = 9;
	write_model(&f, 0);
	cr_assert_eq(scores_load(f.folder, &s, NULL), EXP_ECORRUPT);
	tear_down(&f);
}

Test(scores, are_destroyed_whole)
{
	struct fixture f;
	struct scores s;

	set_up(&f);
	write_model(&f, 0);
	cr_assert_eq(scores_destroy(f.folder, NULL), 0);
	cr_assert_eq(scores_load(f.folder, &s, NULL), EXP_ENOTFOUND);
	tear_down(&f);
}
