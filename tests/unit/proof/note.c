#include "proof/note.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

static const char text[] = "log.example\n5\nroot\n";
static uint8_t seed[NOTE_SEED_SIZE], other_seed[NOTE_SEED_SIZE];
static struct note_key key, other;

static void make_keys(void)
{
	cr_assert_eq(crypto_init(), 0);
	memset(seed, 1, sizeof(seed));
	memset(other_seed, 2, sizeof(other_seed));
	cr_assert_eq(note_key_init(&key, "log.example", seed, NULL), 0);
	cr_assert_eq(note_key_init(&other, "witness.example", other_seed, NULL), 0);
}

TestSuite(note, .init = make_keys);

static int verify(const struct buf *bytes, const struct note_key *keys, size_t count)
{
	struct note n;
	int rc = note_parse(bytes->data, bytes->size, &n, NULL);

	return rc ? rc : note_verify(&n, keys, count, NULL);
}

static struct buf signed_note(void)
{
	struct buf b = { 0 };

	cr_assert_eq(note_sign(text, strlen(text), "log.example", seed, &b, NULL), 0);
	return b;
}

/* The example of C2SP signed-note: verifier key and note as published there. */
Test(note, verifies_the_example_of_the_specification)
{
	static const char example[] =
	    "This is an example message.\n\n"
	    "\xe2\x80\x94 example.com/foo "
	    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
	struct buf b = { 0 };
	struct note_key k;
	char *again;

	cr_assert_eq(note_key_parse(&k, "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n",
				    NULL),
		     0);
	cr_assert_eq(k.id, 0x530d903a);
	again = note_key_format(&k);
	cr_assert_str_eq(again, "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
	buf_add_text(&b, example);
	cr_assert_eq(verify(&b, &k, 1), 0);
	mem_free(again);
	buf_fini(&b);
}

Test(note, signs_and_verifies)
{
	struct buf b = signed_note();
	struct note n;

	cr_assert_eq(verify(&b, &key, 1), 0);
	cr_assert_eq(note_parse(b.data, b.size, &n, NULL), 0);
	cr_assert_eq(n.text_size, strlen(text));
	cr_assert_eq(memcmp(n.text, text, n.text_size), 0);
	buf_fini(&b);
}

Test(note, every_changed_bit_is_refused)
{
	struct buf b = signed_note();

	for (size_t i = 0; i < b.size; i++) {
		for (int bit = 0; bit < 8; bit++) {
			b.data[i] = (char)(b.data[i] ^ 1 << bit);
			cr_assert_lt(verify(&b, &key, 1), 0, "byte %zu, bit %d", i, bit);
			b.data[i] = (char)(b.data[i] ^ 1 << bit);
		}
	}
	for (size_t size = 0; size < b.size; size++) {
		struct buf cut = { b.data, size, b.capacity };

		cr_assert_lt(verify(&cut, &key, 1), 0, "cut to %zu bytes", size);
	}
	buf_fini(&b);
}

/* Adds the signature line of another note over the same text. */
static void add_signature(struct buf *b, const char *name, const uint8_t by[NOTE_SEED_SIZE], const char *over)
{
	struct buf second = { 0 };

	cr_assert_eq(note_sign(over, strlen(over), name, by, &second, NULL), 0);
	buf_add(b, second.data + strlen(over) + 1, second.size - strlen(over) - 1);
	buf_fini(&second);
}

Test(note, unknown_signatures_are_ignored_and_known_bad_ones_reject)
{
	struct buf b = signed_note();
	struct note_key both[2] = { key, other };

	add_signature(&b, "witness.example", other_seed, "another text\n");
	cr_assert_eq(verify(&b, &key, 1), 0);
	cr_assert_eq(verify(&b, both, 2), EXP_EVERIFY);
	cr_assert_eq(verify(&b, &other, 1), EXP_EVERIFY);
	buf_fini(&b);
}

Test(note, the_same_name_with_another_key_is_another_signer)
{
	struct buf b = signed_note();
	struct note_key impostor;
	struct exp_error err = { 0 };
	struct note n;

	cr_assert_eq(note_key_init(&impostor, "log.example", other_seed, NULL), 0);
	cr_assert_eq(note_parse(b.data, b.size, &n, NULL), 0);
	cr_assert_eq(note_verify(&n, &impostor, 1, &err), EXP_EVERIFY);
	cr_assert(strstr(err.message, "log.example") != NULL);
	cr_assert_eq(note_verify(&n, NULL, 0, NULL), EXP_EVERIFY);
	buf_fini(&b);
}

Test(note, bounds_the_signatures)
{
	struct buf b = signed_note();

	for (int i = 1; i < NOTE_SIGNATURES_MAX; i++)
		add_signature(&b, "log.example", seed, text);
	cr_assert_eq(verify(&b, &key, 1), 0);
	add_signature(&b, "log.example", seed, text);
	cr_assert_eq(verify(&b, &key, 1), EXP_EPARSE);
	buf_fini(&b);
}

Test(note, names_and_texts_are_held_to_the_grammar)
{
	static const char *const bad_names[] = { "",    "a b",  "a+b",          "a\xc2\xa0z", "a\xe2\x80\x83",
						 "a\n", "\xff", "a\xed\xa0\x80" };
	static const char *const bad_texts[] = { "", "no newline", "tab\there\n", "\xc0\xaf\n" };
	struct buf b = { 0 };

	for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++)
		cr_assert_eq(note_sign(text, strlen(text), bad_names[i], seed, &b, NULL), EXP_EINVAL, "name %zu", i);
	for (size_t i = 0; i < sizeof(bad_texts) / sizeof(bad_texts[0]); i++)
		cr_assert_eq(note_sign(bad_texts[i], strlen(bad_texts[i]), "a", seed, &b, NULL), EXP_EINVAL, "text %zu",
			     i);
	cr_assert_eq(b.size, 0);
}

Test(note, damaged_verifier_keys_are_refused)
{
	char *good = note_key_format(&key);
	struct note_key k;

	cr_assert_eq(note_key_parse(&k, good, NULL), 0);
	for (size_t i = 0; good[i]; i++) {
		for (int bit = 0; bit < 7; bit++) {
			good[i] = (char)(good[i] ^ 1 << bit);
			cr_assert_lt(note_key_parse(&k, good, NULL), 0, "%s", good);
			good[i] = (char)(good[i] ^ 1 << bit);
		}
	}
	cr_assert_eq(note_key_parse(&k, "log.example", NULL), EXP_EPARSE);
	cr_assert_eq(note_key_parse(&k, "log.example+00000000", NULL), EXP_EPARSE);
	cr_assert_eq(note_key_parse(&k, "log.example+00000000+", NULL), EXP_EPARSE);
	mem_free(good);
}

/* Published vectors, when EXPUNGE_KAT names the folder that holds them. */
static json_t *published;

static void load_published(void)
{
	const char *folder = getenv("EXPUNGE_KAT");
	struct buf bytes = { 0 };
	char *path;

	make_keys();
	if (!folder)
		return;
	path = mem_format("%s/signed-note/notes.json", folder);
	cr_assert_eq(file_read(path, 1 << 20, &bytes, NULL), 0);
	cr_assert_eq(json_parse(bytes.data, bytes.size, &published, NULL), 0);
	buf_fini(&bytes);
	mem_free(path);
}

static void free_published(void)
{
	json_decref(published);
}

TestSuite(published_notes, .init = load_published, .fini = free_published);

static int judge(const json_t *c)
{
	const char *bytes = json_string_value(json_object_get(c, "note"));
	struct note_key keys[4];
	json_t *item;
	size_t i;
	struct note n;

	if (note_parse(bytes, strlen(bytes), &n, NULL))
		return EXP_EPARSE;
	json_array_foreach(json_object_get(c, "keys"), i, item)
		cr_assert_eq(note_key_parse(&keys[i], json_string_value(item), NULL), 0);
	return note_verify(&n, keys, json_array_size(json_object_get(c, "keys")), NULL);
}

static void expect_all(const char *group, int expected)
{
	json_t *item;
	size_t i;

	cr_assert_gt(json_array_size(json_object_get(published, group)), 0);
	json_array_foreach(json_object_get(published, group), i, item)
		cr_expect_eq(judge(item), expected, "%s %zu", group, i);
}

Test(published_notes, are_judged_as_published)
{
	if (!published)
		cr_skip_test("EXPUNGE_KAT is not set");
	expect_all("valid", 0);
	expect_all("malformed", EXP_EPARSE);
	expect_all("unverifiable", EXP_EVERIFY);
	expect_all("invalid_signature", EXP_EVERIFY);
}

Test(published_notes, odd_bytes_and_too_many_signatures_are_malformed)
{
	struct buf b = { 0 };
	const char *hex, *line;
	struct note n;

	if (!published)
		cr_skip_test("EXPUNGE_KAT is not set");
	hex = json_string_value(json_array_get(json_object_get(published, "malformed_raw_hex"), 0));
	b.size = strlen(hex) / 2;
	b.data = mem_alloc(b.size + 1);
	b.capacity = b.size + 1;
	cr_assert_eq(hex_decode(hex, b.data, b.size), 0);
	cr_assert_eq(note_parse(b.data, b.size, &n, NULL), EXP_EPARSE);
	buf_fini(&b);
	b = (struct buf){ 0 };
	buf_format(&b, "%s\n", json_string_value(json_object_get(published, "text")));
	line = json_string_value(json_object_get(json_object_get(published, "too_many_signatures"), "line"));
	for (int i = 0; i < 101; i++)
		buf_add_text(&b, line);
	cr_assert_eq(note_parse(b.data, b.size, &n, NULL), EXP_EPARSE);
	buf_fini(&b);
}

Test(published_notes, bad_verifier_keys_are_refused)
{
	struct note_key k;
	json_t *item;
	size_t i;

	if (!published)
		cr_skip_test("EXPUNGE_KAT is not set");
	json_array_foreach(json_object_get(published, "bad_vkeys"), i, item)
		cr_expect_lt(note_key_parse(&k, json_string_value(item), NULL), 0, "%s", json_string_value(item));
}

/* The private key's text is not ours; its seed signs to the same bytes. */
Test(published_notes, signing_again_gives_the_same_bytes)
{
	uint8_t secret[1 + NOTE_SEED_SIZE];
	const char *skey, *words, *note;
	size_t size = sizeof(secret);
	struct buf b = { 0 };

	if (!published)
		cr_skip_test("EXPUNGE_KAT is not set");
	/* Base64 has plus signs of its own, so the key is cut off by its length. */
	skey = json_string_value(json_object_get(json_object_get(published, "signer"), "skey"));
	skey += strlen(skey) - 44;
	cr_assert_eq(base64_decode(skey, 44, secret, &size), 0);
	words = json_string_value(json_object_get(published, "text"));
	note = json_string_value(json_object_get(json_array_get(json_object_get(published, "valid"), 0), "note"));
	cr_assert_eq(note_sign(words, strlen(words), "PeterNeumann", secret + 1, &b, NULL), 0);
	cr_assert_str_eq(b.data, note);
	buf_fini(&b);
}
