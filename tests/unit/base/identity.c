#include "base/identity.h"

#include <criterion/criterion.h>
#include <string.h>

static void expect(const char *type, const char *value, const char *canonical, size_t size)
{
	struct identity id = { 0 };

	cr_assert_eq(identity_init(&id, type, value, NULL), 0, "%s", value);
	cr_assert_eq(id.size, size, "%s", value);
	cr_assert_eq(memcmp(id.canonical, canonical, size), 0, "%s", value);
	identity_fini(&id);
}

Test(identity, is_trimmed_composed_and_emails_are_lower_case)
{
	expect("email", " Ada@Example.ORG\t",
	       "email\x1f"
	       "ada@example.org",
	       21);
	expect("customer_id", "AbC",
	       "customer_id\x1f"
	       "AbC",
	       15);
	expect("name", "Zoe\xcc\x88",
	       "name\x1f"
	       "Zo\xc3\xab",
	       9); /* e + diaeresis composes */
	expect("name",
	       "\xc2\xa0"
	       "a b\xe2\x80\x83",
	       "name\x1f"
	       "a b",
	       8); /* no-break and em space */
	expect("email", "\xc3\x89@X.FR",
	       "email\x1f"
	       "\xc3\xa9@x.fr",
	       13);
}

Test(identity, refuses_bad_types_and_values)
{
	struct identity id = { 0 };
	char longest[1100];

	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	cr_assert_eq(identity_init(&id, "Email", "a", NULL), EXP_EINVAL);
	cr_assert_eq(identity_init(&id, "", "a", NULL), EXP_EINVAL);
	cr_assert_eq(identity_init(&id, "email", " \t", NULL), EXP_EINVAL);
	cr_assert_eq(identity_init(&id, "email", longest, NULL), EXP_EINVAL);
	cr_assert_eq(identity_init(&id, "email", "\xff\xfe", NULL), EXP_EPARSE);
	cr_assert_eq(identity_parse(&id, "no colon", NULL), EXP_EINVAL);
}

Test(identity, hash_depends_on_the_key_and_on_the_canonical_form_only)
{
	uint8_t key[DIGEST_KEY_SIZE] = { 1 }, other[DIGEST_KEY_SIZE] = { 2 }, a[DIGEST_SIZE], b[DIGEST_SIZE];
	struct identity x = { 0 }, y = { 0 };

	cr_assert_eq(identity_parse(&x, "email:A@b.c", NULL), 0);
	cr_assert_eq(identity_parse(&y, "email: a@B.c ", NULL), 0);
	identity_hash(&x, key, a);
	identity_hash(&y, key, b);
	cr_assert_eq(memcmp(a, b, sizeof(a)), 0);
	identity_hash(&y, other, b);
	cr_assert_neq(memcmp(a, b, sizeof(a)), 0);
	identity_fini(&x);
	identity_fini(&y);
}
