#include "model/files.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/model/fixture.h"

static struct fixture f;

static void init(void)
{
	fixture_init(&f);
}

static void fini(void)
{
	fixture_fini(&f);
}

TestSuite(files, .init = init, .fini = fini);

/* SHA-256 of "abc", FIPS 180-2 appendix B.1. */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

Test(files, weights_are_named_by_their_digest)
{
	char *path = mem_format("%s/models/" ABC ".onnx", f.root), *same = model_weights_path(f.root, ABC);
	struct weights_id id;
	struct buf b = { 0 };

	cr_assert_str_eq(same, path);
	cr_assert_eq(model_weights_write(f.root, "abc", 3, &id, NULL), 0);
	cr_assert_str_eq(id.sha256, ABC);
	cr_assert_eq(file_read(path, 3, &b, NULL), 0);
	cr_assert_str_eq(b.data, "abc");
	cr_assert_eq(model_weights_write(f.root, "abc", 3, &id, NULL), 0);
	cr_assert_eq(fixture_files(&f, NULL, 0), 1);
	buf_fini(&b);
	mem_free(path);
	mem_free(same);
}

Test(files, damaged_weights_are_written_anew)
{
	char *path = model_weights_path(f.root, ABC);
	struct weights_id id;

	cr_assert_eq(model_weights_write(f.root, "abc", 3, &id, NULL), 0);
	cr_assert_eq(truncate(path, 1), 0);
	cr_assert_eq(model_weights_write(f.root, "abc", 3, &id, NULL), 0);
	cr_assert_eq(fixture_files(&f, "abc", 3), 1);
	mem_free(path);
}

Test(files, model_folders_have_safe_names)
{
	char *path = model_folder(f.root, "wages");

	cr_assert_eq(model_make_folder(f.root, "wages", NULL), 0);
	cr_assert(file_exists(path));
	cr_assert_eq(model_make_folder(f.root, "../wages", NULL), EXP_EINVAL);
	mem_free(path);
}

Test(files, destroyed_weights_are_in_no_file)
{
	static const char weights[] = "the weights that must go";
	struct weights_id id, other;
	bool destroyed = false;

	cr_assert_eq(model_weights_write(f.root, weights, sizeof(weights), &id, NULL), 0);
	cr_assert_eq(model_weights_write(f.root, "other", 5, &other, NULL), 0);
	cr_assert_eq(model_weights_destroy(f.root, &id, &(struct weights_list){ &other, 1 }, &destroyed, NULL), 0);
	cr_assert(destroyed);
	cr_assert_eq(fixture_files(&f, weights, sizeof(weights)), 0);
	cr_assert_eq(fixture_files(&f, "other", 5), 1);
	destroyed = false;
	cr_assert_eq(model_weights_destroy(f.root, &id, NULL, &destroyed, NULL), 0);
	cr_assert(destroyed);
}

Test(files, weights_that_another_version_needs_stay)
{
	struct weights_id id;
	bool destroyed = true;

	cr_assert_eq(model_weights_write(f.root, "abc", 3, &id, NULL), 0);
	cr_assert_eq(model_weights_destroy(f.root, &id, &(struct weights_list){ &id, 1 }, &destroyed, NULL), 0);
	cr_assert_not(destroyed);
	cr_assert_eq(fixture_files(&f, "abc", 3), 1);
}

static void put(const char *name)
{
	char *path = mem_format("%s/models/%s", f.root, name);

	cr_assert_eq(file_write_durable(path, "x", 1, NULL), 0);
	mem_free(path);
}

static bool is_there(const char *name)
{
	char *path = mem_format("%s/models/%s", f.root, name);
	bool there = file_exists(path);

	mem_free(path);
	return there;
}

Test(files, sweep_takes_what_nobody_needs)
{
	struct weights_id kept, lost;
	struct weights_list needed = { &kept, 1 };
	size_t destroyed = 99;

	cr_assert_eq(model_sweep(f.root, &needed, &destroyed, NULL), 0);
	cr_assert_eq(destroyed, 0);
	cr_assert_eq(model_weights_write(f.root, "kept", 4, &kept, NULL), 0);
	cr_assert_eq(model_weights_write(f.root, "lost", 4, &lost, NULL), 0);
	cr_assert_eq(model_make_folder(f.root, "wages", NULL), 0);
	put(ABC ".onnx.tmp-Xy12ab");
	put("wages/importance.safetensors");
	put("wages/importance.safetensors.tmp-Xy12ab");
	put("README.onnx");
	put("wages/" ABC ".onnx");
	cr_assert_eq(model_sweep(f.root, &needed, &destroyed, NULL), 0);
	cr_assert_eq(destroyed, 3);
	cr_assert_eq(fixture_files(&f, "kept", 4), 1);
	cr_assert_eq(fixture_files(&f, "lost", 4), 0);
	cr_assert(is_there("wages/importance.safetensors"));
	cr_assert(is_there("wages/" ABC ".onnx"));
	cr_assert(is_there("README.onnx"));
	cr_assert_not(is_there(ABC ".onnx.tmp-Xy12ab"));
	cr_assert_not(is_there("wages/importance.safetensors.tmp-Xy12ab"));
}
