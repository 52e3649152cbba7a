#include "proof/receipt.h"

#include <criterion/criterion.h>
#include <string.h>

#include "audit/audit.h"
#include "base/identity.h"
#include "data_folder.h"

enum { PEOPLE = 40 };

static struct data_folder d;

static void init(void)
{
	data_folder_init(&d);
}

static void fini(void)
{
	data_folder_fini(&d);
}

TestSuite(audit_receipt, .init = init, .fini = fini);

/* As the person does, years later: the file, the log's key from elsewhere, their own identity. */
static int verify(const struct buf *file, int person)
{
	struct receipt_report report;
	struct identity who;
	struct receipt r;
	int rc;

	cr_assert_eq(receipt_parse(file->data, file->size, &r, NULL), 0);
	cr_assert_eq(identity_parse(&who, data_folder_person(person), NULL), 0);
	rc = receipt_verify(&r, &d.key, &who, &report, NULL);
	identity_fini(&who);
	receipt_fini(&r);
	return rc;
}

static void expect_good(const char *id, int person)
{
	struct exp_error err = { 0 };
	struct buf file = { 0 };

	cr_assert_eq(audit_receipt(d.audit, id, &file, &err), 0, "%s", err.message);
	cr_assert_eq(verify(&file, person), 0);
	cr_assert_eq(verify(&file, person + 1), EXP_EVERIFY);
	buf_fini(&file);
}

Test(audit_receipt, each_of_many_requests_gets_one_that_verifies)
{
	char ids[PEOPLE][ID_TEXT];

	for (int n = 0; n < PEOPLE; n++) {
		data_folder_receive(&d, n, ids[n]);
		if (n % 3 == 2)
			data_folder_complete(&d, n - 2, ids[n - 2]);
		if (n % 7 == 0)
			data_folder_checkpoint(&d);
	}
	data_folder_add_leaves(&d, 500);
	for (int n = 0; n < PEOPLE; n++)
		if (n % 3 || n + 2 >= PEOPLE)
			data_folder_complete(&d, n, ids[n]);
	data_folder_checkpoint(&d);
	data_folder_add_leaves(&d, 30);
	data_folder_checkpoint(&d);
	for (int n = 0; n < PEOPLE; n++)
		expect_good(ids[n], n);
	cr_assert_eq(data_folder_verify(&d, NULL, &(struct verifier_report){ 0 }, NULL), 0);
}

static void expect_refused(const char *id, int code, const char *says)
{
	struct exp_error err = { 0 };
	struct buf file = { 0 };

	cr_assert_eq(audit_receipt(d.audit, id, &file, &err), code, "%s", err.message);
	cr_assert(strstr(err.message, says) != NULL, "%s", err.message);
	cr_assert_eq(file.size, 0);
}

Test(audit_receipt, says_why_there_is_none_yet)
{
	char id[ID_TEXT];

	expect_refused("01995b5e-7c00-7000-8000-000000000001", EXP_ENOTFOUND, "");
	expect_refused("../../etc/passwd", EXP_ENOTFOUND, "no such request");
	data_folder_receive(&d, 1, id);
	data_folder_checkpoint(&d);
	expect_refused(id, EXP_ENOTFOUND, "not completed");
	data_folder_complete(&d, 1, id);
	expect_refused(id, EXP_ENOTFOUND, "next checkpoint");
	data_folder_checkpoint(&d);
	expect_good(id, 1);
}

Test(audit_receipt, is_gone_with_the_key_but_stays_good_for_its_holder)
{
	struct buf file = { 0 };
	char id[ID_TEXT];

	data_folder_receive(&d, 1, id);
	data_folder_complete(&d, 1, id);
	data_folder_checkpoint(&d);
	cr_assert_eq(audit_receipt(d.audit, id, &file, NULL), 0);
	data_folder_destroy_key(&d, id);
	expect_refused(id, EXP_EGONE, "destroyed");
	cr_assert_eq(verify(&file, 1), 0);
	buf_fini(&file);
}

Test(audit_receipt, survives_a_restart)
{
	char id[ID_TEXT];

	data_folder_receive(&d, 1, id);
	data_folder_complete(&d, 1, id);
	data_folder_checkpoint(&d);
	data_folder_close(&d);
	cr_assert_eq(data_folder_open(&d, ORIGIN, NULL), 0);
	expect_good(id, 1);
}
