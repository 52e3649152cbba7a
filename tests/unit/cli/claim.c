#include "cli/claim.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/expunge-claim-XXXXXX";

static void write_file(const char *text)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void remove_file(void)
{
	unlink(path);
}

static void expect(const struct claim_options *o, const char *wanted)
{
	struct buf text = { 0 };
	json_t *body;

	cr_assert_eq(claim_read(o, &body, NULL), 0);
	cr_assert_eq(json_canonical(body, &text, NULL), 0);
	cr_assert_str_eq(text.data, wanted);
	buf_fini(&text);
	json_decref(body);
}

static void expect_refusal(const struct claim_options *o, int code, const char *words)
{
	struct exp_error err = { 0 };
	json_t *body = NULL;

	cr_assert_eq(claim_read(o, &body, &err), code);
	cr_assert(strstr(err.message, words), "%s", err.message);
	cr_assert_null(strstr(err.message, "secret"), "%s", err.message);
	cr_assert_null(body);
}

Test(claim, identities_of_the_command_line)
{
	struct claim_options o = { .identities = { { "email:a@b.example", "note:with:colons" }, 2 }, .regime = 1 };

	expect(&o, "{\"regime\":\"ccpa\",\"subject\":{\"identities\":[{\"type\":\"email\",\"value\":\"a@b.example\"},"
		   "{\"type\":\"note\",\"value\":\"with:colons\"}]}}");
}

Test(claim, a_file_beside_them, .fini = remove_file)
{
	struct claim_options o = { .identities = { { "a:1" }, 1 },
				   .identity_file = path,
				   .received_at = "2026-01-01T00:00:00Z" };

	write_file("b:2\r\n\nc:\xc3\xa4\n");
	expect(&o, "{\"received_at\":\"2026-01-01T00:00:00Z\",\"regime\":\"gdpr\",\"subject\":{\"identities\":["
		   "{\"type\":\"a\",\"value\":\"1\"},{\"type\":\"b\",\"value\":\"2\"},"
		   "{\"type\":\"c\",\"value\":\"\xc3\xa4\"}]}}");
}

Test(claim, nobody)
{
	expect_refusal(&(struct claim_options){ 0 }, EXP_EINVAL, "--identity-file");
}

Test(claim, a_refusal_never_quotes, .fini = remove_file)
{
	struct claim_options o = { .identities = { { "a:1", "secret" }, 2 } };

	expect_refusal(&o, EXP_EINVAL, "--identity number 2");
	o = (struct claim_options){ .identity_file = path };
	write_file("a:1\n:secret\n");
	expect_refusal(&o, EXP_EINVAL, "line 2");
}

Test(claim, text_that_is_not_utf_8, .fini = remove_file)
{
	struct claim_options o = { .identity_file = path };

	write_file("a:secret\xff\n");
	expect_refusal(&o, EXP_EPARSE, "line 1");
}
