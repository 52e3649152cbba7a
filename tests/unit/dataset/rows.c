#include "dataset/rows.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/rng.h"
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

TestSuite(rows, .init = init, .fini = fini);

#define HEADER "sample_id,subject,split\n"

Test(rows, become_hashes)
{
	static const char csv[] = "\xef\xbb\xbfsample_id,subject,split\r\n"
				  "s1,email:  Ann@Example.ORG ,train\r\n"
				  "\"s,2\",\"name:Ann \"\"A\"\" B\",heldout\r\n"
				  "s3,,train\r\n"
				  "s4,email:ann@example.org,train";
	uint8_t ann[32], s1[32], name[32];
	struct rows_table t;
	struct exp_error err = { 0 };

	fixture_write(f.rows, csv, sizeof(csv) - 1);
	cr_assert_eq(rows_read(f.rows, f.key, 4, &t, &err), 0, "%s", err.message);
	cr_assert_eq(t.count, 4);
	cr_assert_eq(t.train, 3);
	cr_assert_eq(t.heldout, 1);
	cr_assert_eq(t.subjects, 2);
	cr_assert_eq(t.without_subject, 1);
	fixture_hash(&f,
		     "email\x1f"
		     "ann@example.org",
		     21, ann);
	fixture_hash(&f, "sample_id\x1fs1", 12, s1);
	fixture_hash(&f,
		     "name\x1f"
		     "Ann \"A\" B",
		     14, name);
	cr_assert_arr_eq(t.rows[0].subject, ann, 32);
	cr_assert_arr_eq(t.rows[3].subject, ann, 32);
	cr_assert_arr_eq(t.rows[0].sample, s1, 32);
	cr_assert_arr_eq(t.rows[1].subject, name, 32);
	cr_assert_eq(t.rows[1].split, ROW_HELDOUT);
	cr_assert_not(t.rows[2].has_subject);
	cr_assert_eq(t.lines[3], 5);
	rows_fini(&t);
}

Test(rows, refusals_name_the_line_and_never_the_person)
{
	static const struct {
		const char *csv;
		int code;
		const char *message;
	} cases[] = {
		{ "", EXP_EPARSE, "rows.csv: line 1 must be the header sample_id,subject,split" },
		{ "a,b\n", EXP_EPARSE, "rows.csv: line 1 must be the header sample_id,subject,split" },
		{ "sample,subject,split\n", EXP_EPARSE, "rows.csv: line 1 must be the header sample_id,subject,split" },
		{ HEADER "s1,,train\n", EXP_ESHAPE, "rows.csv: 1 records, but the arrays have 2 rows" },
		{ HEADER "s1,,train\ns2,,train\ns3,,train\n", EXP_ESHAPE,
		  "rows.csv: line 4 is one record too many: the arrays have 2 rows" },
		{ HEADER "s1,,train\ns2,,test\n", EXP_EINVAL, "rows.csv: line 3: split must be train or heldout" },
		{ HEADER "s1,,\ns2,,train\n", EXP_EINVAL, "rows.csv: line 2: split must be train or heldout" },
		{ HEADER ",,train\ns2,,train\n", EXP_EINVAL,
		  "rows.csv: line 2: sample_id: the identity value is empty" },
		{ HEADER "s1,canary,train\ns2,,train\n", EXP_EINVAL,
		  "rows.csv: line 2: subject: an identity is written type:value, for example "
		  "email:someone@example.org" },
		{ HEADER "s1,Email:canary,train\ns2,,train\n", EXP_EINVAL,
		  "rows.csv: line 2: subject: an identity type is 1 to 64 characters of a-z, 0-9 and _" },
		{ HEADER "s1,id:,train\ns2,,train\n", EXP_EINVAL,
		  "rows.csv: line 2: subject: the identity value is empty" },
		{ HEADER "s1,id:canary\xff,train\ns2,,train\n", EXP_EPARSE,
		  "rows.csv: line 2: subject: the identity value is not valid UTF-8" },
		{ HEADER "canary,,train\n\"canary\",,train\n", EXP_EINVAL,
		  "rows.csv: lines 2 and 3 have the same sample_id" },
		{ HEADER "s1,id:canary,train\ns2,id: canary,heldout\n", EXP_EINVAL,
		  "rows.csv: lines 2 and 3 are one subject in both splits; all rows of a person belong into one" },
		{ HEADER "s1,\"id:canary,train\n", EXP_EPARSE, "rows.csv: line 2: a quote is opened and never closed" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exp_error err = { 0 };
		struct rows_table t;

		fixture_write(f.rows, cases[i].csv, strlen(cases[i].csv));
		cr_expect_eq(rows_read(f.rows, f.key, 2, &t, &err), cases[i].code, "case %zu", i);
		cr_expect_str_eq(err.message, cases[i].message);
		cr_expect(strstr(err.message, "canary") == NULL);
	}
}

Test(rows, the_first_of_several_repetitions_is_named)
{
	static const char csv[] = HEADER "a,,train\nb,id:x,train\nc,id:y,heldout\nc,id:y,train\nb,id:x,heldout\n";
	struct exp_error err = { 0 };
	struct rows_table t;

	fixture_write(f.rows, csv, sizeof(csv) - 1);
	cr_assert_eq(rows_read(f.rows, f.key, 5, &t, &err), EXP_EINVAL);
	cr_assert_str_eq(err.message, "rows.csv: lines 4 and 5 have the same sample_id");
}

Test(rows, a_missing_file_or_a_folder_is_refused)
{
	struct rows_table t;

	cr_assert_eq(rows_read(f.rows, f.key, 1, &t, NULL), EXP_ENOTFOUND);
	cr_assert_eq(rows_read(f.root, f.key, 1, &t, NULL), EXP_EINVAL);
}

/* Mutations of a good file: an error that quotes nothing, or a table that adds up. */
Test(rows, survive_hostile_files)
{
	static const char good[] =
	    HEADER "s1,email:canary1@example.org,train\r\n\"s2\",\"id:canary2\",heldout\ns3,,train\n";
	static const char alphabet[] = ",\"\r\n:\xef\x80\x1f a";
	struct rng r;

	rng_init(&r, 3, "rows/hostile");
	for (int round = 0; round < 1000; round++) {
		char csv[sizeof(good)];
		struct exp_error err = { 0 };
		struct rows_table t;

		memcpy(csv, good, sizeof(good));
		for (uint32_t k = 0, n = 1 + rng_below(&r, 4); k < n; k++)
			csv[rng_below(&r, sizeof(good) - 1)] = alphabet[rng_below(&r, sizeof(alphabet))];
		fixture_write(f.rows, csv, sizeof(good) - 1 - rng_below(&r, 3));
		if (rows_read(f.rows, f.key, 3, &t, &err)) {
			cr_assert(strstr(err.message, "canary") == NULL && err.message[0]);
			continue;
		}
		cr_assert_eq(t.train + t.heldout, 3);
		cr_assert_leq(t.subjects + t.without_subject, 3);
		rows_fini(&t);
	}
}
