#include "dataset/sweep.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "storage/datasets.h"
#include "storage/writer.h"
#include "tests/unit/dataset/fixture.h"

static struct fixture f;

static void init(void)
{
	fixture_init(&f);
}

static void fini(void)
{
	fixture_fini(&f);
}

TestSuite(sweep, .init = init, .fini = fini);

static int reserve_name(struct txn *txn, void *arg, struct exp_error *err)
{
	return datasets_insert(txn, arg, err);
}

static char *put_file(const char *dataset, const char *name)
{
	char *folder = mem_format("%s/datasets/%s", f.data, dataset), *path = file_join(folder, name);

	cr_assert_eq(file_make_folder(folder, NULL), 0);
	fixture_write(path, "half", 4);
	mem_free(folder);
	return path;
}

Test(sweep, ends_what_a_kill_left_and_nothing_else)
{
	struct stored_dataset half = {
		.name = "half", .row_dims = (char[]){ "[2]" }, .rows = 1, .scale = 1, .classes = 2
	};
	char *of_record, *of_none, *kept = mem_format("%s/datasets/people/inputs.npy", f.data);
	size_t removed = 99;

	cr_assert_eq(dataset_sweep(f.store, f.data, &removed, NULL), 0);
	cr_assert_eq(removed, 0);
	fixture_make(&f, 5, 2, 2);
	fixture_import(&f);
	cr_assert_eq(writer_call(f.store, reserve_name, &half, NULL), 0);
	of_record = put_file("half", "inputs.npy");
	of_none = put_file("nobody", "labels.npy");
	cr_assert_eq(dataset_sweep(f.store, f.data, &removed, NULL), 0);
	cr_assert_eq(removed, 2);
	cr_assert_not(file_exists(of_record));
	cr_assert_not(file_exists(of_none));
	cr_assert(file_exists(kept));
	cr_assert_eq(dataset_sweep(f.store, f.data, &removed, NULL), 0);
	cr_assert_eq(removed, 0);
	f.spec.name = "half";
	fixture_import(&f);
	mem_free(of_record);
	mem_free(of_none);
	mem_free(kept);
}
