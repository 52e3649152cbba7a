#include "dataset/import.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "dataset/dataset.h"
#include "storage/dataset_rows.h"
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

TestSuite(import, .init = init, .fini = fini);

static char *datasets_folder(void)
{
	return mem_format("%s/datasets", f.data);
}

static size_t files_kept(void)
{
	char *path = datasets_folder();
	size_t count = fixture_count(path);

	mem_free(path);
	return count;
}

static bool is_registered(const char *name)
{
	struct stored_dataset d;
	struct db *db;
	int rc;

	cr_assert_eq(reader_take(f.store, &db, NULL), 0);
	rc = datasets_get(db, name, &d, NULL);
	reader_give(f.store, db);
	if (!rc)
		stored_dataset_fini(&d);
	return !rc;
}

Test(import, registers_whole_datasets)
{
	struct dataset_summary s;
	struct exp_error err = { 0 };
	struct stored_dataset d;
	struct row_map map;
	struct db *db;

	fixture_make(&f, 40, 6, 10);
	cr_assert_eq(dataset_import(&f.home, &f.spec, &s, &err), 0, "%s", err.message);
	cr_assert_eq(s.rows, 40);
	cr_assert_eq(s.train, 20);
	cr_assert_eq(s.heldout, 20);
	cr_assert_eq(s.subjects, 9);
	cr_assert_eq(s.without_subject, 4);
	cr_assert_eq(s.classes, 3);
	cr_assert_eq(s.rank, 1);
	cr_assert_eq(s.dims[0], 6);
	cr_assert_eq(files_kept(), 3);
	cr_assert_eq(reader_take(f.store, &db, NULL), 0);
	cr_assert_eq(datasets_get(db, "people", &d, NULL), 0);
	cr_assert_eq(d.state, DATASET_READY);
	cr_assert_eq(d.rows, 40);
	cr_assert_str_eq(d.row_dims, "[6]");
	cr_assert_eq(dataset_rows_map(db, "people", &map, NULL), 0);
	for (size_t i = 0; i < 40; i++) {
		cr_assert_eq(map.split[i], i % 2 ? ROW_HELDOUT : ROW_TRAIN);
		cr_assert_eq(map.state[i], ROW_LIVE);
		cr_assert_eq(map.subject[i], fixture_subject(&f, i % 10));
		cr_assert_eq(map.subject[i] != 0, i % 10 != 0);
	}
	row_map_fini(&map);
	stored_dataset_fini(&d);
	reader_give(f.store, db);
}

Test(import, a_name_is_taken_once)
{
	struct exp_error err = { 0 };
	struct dataset_summary s;

	fixture_make(&f, 10, 2, 3);
	fixture_import(&f);
	cr_assert_eq(dataset_import(&f.home, &f.spec, &s, &err), EXP_EEXISTS);
	cr_assert_str_eq(err.pointer, "/name");
	cr_assert_eq(files_kept(), 3);
	f.spec.name = "../people";
	cr_assert_eq(dataset_import(&f.home, &f.spec, &s, &err), EXP_EINVAL);
	cr_assert_str_eq(err.pointer, "/name");
}

static int reserve_name(struct txn *txn, void *arg, struct exp_error *err)
{
	return datasets_insert(txn, arg, err);
}

Test(import, a_name_that_is_being_imported_is_busy)
{
	struct stored_dataset other = { .name = "people",
					.state = DATASET_REGISTERING,
					.row_dims = (char[]){ "[2]" },
					.rows = 1,
					.scale = 1,
					.classes = 2 };
	struct dataset_summary s;

	fixture_make(&f, 10, 2, 3);
	cr_assert_eq(writer_call(f.store, reserve_name, &other, NULL), 0);
	cr_assert_eq(dataset_import(&f.home, &f.spec, &s, NULL), EXP_EBUSY);
	cr_assert_eq(files_kept(), 0);
}

static void check_nothing_happens(int code, const char *message)
{
	struct exp_error err = { 0 };
	struct dataset_summary s;

	cr_expect_eq(dataset_import(&f.home, &f.spec, &s, &err), code, "%s", message);
	cr_expect(strstr(err.message, message) != NULL, "\"%s\" is not in \"%s\"", message, err.message);
	cr_expect_eq(files_kept(), 0);
	cr_expect_not(is_registered("people"));
}

/* arrays.c and rows.c hold each message; here each kind of failure must leave nothing. */
Test(import, what_fails_leaves_nothing)
{
	static const float nan_at_2_1[6] = { 0, 0, 0, 0, 0, NAN };
	static const int64_t labels[3] = { 0, 1, 5 };
	static const char twice[] = "sample_id,subject,split\na,,train\na,,train\nb,,train\n";

	fixture_make(&f, 3, 2, 3);
	fixture_npy(f.inputs, "<f4", "(3, 2)", nan_at_2_1, sizeof(nan_at_2_1));
	check_nothing_happens(EXP_ENONFINITE, "row 2, column 1");
	fixture_make(&f, 3, 2, 3);
	fixture_npy(f.labels, "<i8", "(3,)", labels, sizeof(labels));
	f.spec.classes = 5;
	check_nothing_happens(EXP_ERANGE, "row 2 has a label outside 0 to 4");
	f.spec.classes = 0;
	fixture_npy(f.inputs, "<f4", "(2, 2)", nan_at_2_1, 16);
	check_nothing_happens(EXP_ESHAPE, "the inputs have 2 rows");
	fixture_make(&f, 3, 2, 3);
	fixture_write(f.rows, twice, sizeof(twice) - 1);
	check_nothing_happens(EXP_EINVAL, "lines 2 and 3 have the same sample_id");
	cr_assert_eq(file_destroy(f.rows, NULL), 0);
	check_nothing_happens(EXP_ENOTFOUND, "rows.csv");
	fixture_make(&f, 3, 2, 3);
	fixture_import(&f);
}

/* The same identity and sample id that stand in the CSV are in no file of the data folder, databases and logs included.
 */
Test(import, identities_are_nowhere)
{
	static const char csv[] = "sample_id,subject,split\nCANARYROW1,email:CANARY@example.org,train\ns2,,heldout\n";
	static const float inputs[4] = { 1, 2, 3, 4 };
	static const int64_t labels[2] = { 0, 1 };
	uint8_t hash[32];

	fixture_npy(f.inputs, "<f4", "(2, 2)", inputs, sizeof(inputs));
	fixture_npy(f.labels, "<i8", "(2,)", labels, sizeof(labels));
	fixture_write(f.rows, csv, sizeof(csv) - 1);
	fixture_import(&f);
	cr_assert_not(fixture_grep(f.data, "CANARY", 6));
	cr_assert_not(fixture_grep(f.data, "canary", 6));
	fixture_hash(&f,
		     "email\x1f"
		     "canary@example.org",
		     24, hash);
	cr_assert(fixture_grep(f.data, hash, sizeof(hash)), "the grep must be able to find what is there");
	cr_assert(fixture_grep(f.root, "CANARY", 6));
}

Test(import, many_rows_go_in_several_operations)
{
	struct dataset_summary s;
	struct exp_error err = { 0 };
	struct dataset *d;

	fixture_make(&f, 50000, 4, 5000);
	cr_assert_eq(dataset_import(&f.home, &f.spec, &s, &err), 0, "%s", err.message);
	cr_assert_eq(s.subjects, 4999);
	cr_assert_eq(dataset_open(f.store, f.data, "people", &d, &err), 0, "%s", err.message);
	cr_assert_eq(dataset_rows(d), 50000);
	cr_assert_eq(dataset_subject(d, 49999), fixture_subject(&f, 4999));
	dataset_close(d);
}

/* The databases run full while rows are inserted: the copied files must go, too. */
Test(import_small, a_full_database_leaves_nothing)
{
	struct store_options small = { .max_pages = 160 };
	struct dataset_summary s;

	fixture_init_with(&f, &small);
	fixture_make(&f, 50000, 4, 5000);
	cr_assert_eq(dataset_import(&f.home, &f.spec, &s, NULL), EXP_ENOSPACE);
	cr_assert_eq(files_kept(), 0);
	cr_assert_not(is_registered("people"));
	fixture_fini(&f);
}
