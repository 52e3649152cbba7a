#include "proof/checkpoint.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/digest.h"

static uint8_t seed[NOTE_SEED_SIZE] = { 9 };

static struct checkpoint sample(void)
{
	struct checkpoint c = { .origin = "log.example/42", .head.size = 20852163 };

	cr_assert_eq(crypto_init(), 0);
	memset(c.head.root, 0xab, DIGEST_SIZE);
	return c;
}

Test(checkpoint, formats_three_lines)
{
	struct checkpoint c = sample(), back;
	struct buf b = { 0 };

	checkpoint_format(&c, &b);
	cr_assert_str_eq(b.data, "log.example/42\n20852163\nq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=\n");
	cr_assert_eq(checkpoint_parse(b.data, b.size, &back, NULL), 0);
	cr_assert_eq(memcmp(&back, &c, sizeof(c)), 0);
	buf_fini(&b);
}

Test(checkpoint, opens_only_for_its_own_log_and_key)
{
	struct checkpoint c = sample(), back;
	struct note_key key, wrong;
	struct buf b = { 0 };

	cr_assert_eq(checkpoint_sign(&c, seed, &b, NULL), 0);
	cr_assert_eq(note_key_init(&key, c.origin, seed, NULL), 0);
	cr_assert_eq(checkpoint_open(b.data, b.size, &key, &back, NULL), 0);
	cr_assert_eq(back.head.size, c.head.size);
	cr_assert_eq(note_key_init(&wrong, "log.example/43", seed, NULL), 0);
	cr_assert_eq(checkpoint_open(b.data, b.size, &wrong, &back, NULL), EXP_EVERIFY);
	buf_fini(&b);
}

Test(checkpoint, an_origin_that_is_not_the_keys_name_is_refused)
{
	static const char text[] = "log.example/other\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
	struct checkpoint c = sample(), back;
	struct note_key key;
	struct buf b = { 0 };

	cr_assert_eq(note_sign(text, strlen(text), c.origin, seed, &b, NULL), 0);
	cr_assert_eq(note_key_init(&key, c.origin, seed, NULL), 0);
	cr_assert_eq(checkpoint_open(b.data, b.size, &key, &back, NULL), EXP_EVERIFY);
	buf_fini(&b);
}

#define ROOT "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="

Test(checkpoint, malformed_texts_are_refused)
{
	static const char *const bad[] = {
		"",
		"a\n",
		"a\n1\n",
		"\n1\n" ROOT "\n",
		"a\n01\n" ROOT "\n",
		"a\n-1\n" ROOT "\n",
		"a\n1 \n" ROOT "\n",
		"a\n\n" ROOT "\n",
		"a\n1\n" ROOT,
		"a\n1\nq6s=\n",
		"a\n1\n" ROOT "\n\n",
		"a\n1\n" ROOT "\nx",
		"a\n4611686018427387904\n" ROOT "\n",
		"a\n99999999999999999999\n" ROOT "\n",
		/* the last character of the root carries bits that base64 throws away */
		"a\n1\nq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6t=\n",
	};
	struct checkpoint c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(checkpoint_parse(bad[i], strlen(bad[i]), &c, NULL), EXP_EPARSE, "%zu: %s", i, bad[i]);
}

Test(checkpoint, extension_lines_of_other_logs_are_passed_over)
{
	static const char text[] = "a\n4611686018427387903\n" ROOT "\nextension\n";
	struct checkpoint c;

	cr_assert_eq(checkpoint_parse(text, strlen(text), &c, NULL), 0);
	cr_assert_eq(c.head.size, (UINT64_C(1) << 62) - 1);
}
