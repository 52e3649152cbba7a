#include "base/file.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static char folder[] = "/tmp/expunge-file-XXXXXX";

static void make_folder(void)
{
	cr_assert(mkdtemp(folder) != NULL);
}

static void remove_folder(void)
{
	char *command = mem_format("rm -rf %s", folder);

	cr_assert_eq(system(command), 0);
	mem_free(command);
}

TestSuite(file, .init = make_folder, .fini = remove_folder);

Test(file, writes_durably_and_reads_back)
{
	char *path = file_join(folder, "a");
	struct buf b = { 0 };
	struct stat st;

	cr_assert_eq(file_write_durable(path, "one", 3, NULL), 0);
	cr_assert_eq(file_write_durable(path, "two", 3, NULL), 0);
	cr_assert_eq(file_read(path, 3, &b, NULL), 0);
	cr_assert_str_eq(b.data, "two");
	cr_assert_eq(file_read(path, 2, &b, NULL), EXP_ELIMIT);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	buf_fini(&b);
	mem_free(path);
}

Test(file, never_puts_a_file_in_the_place_of_something_else)
{
	char *pipe = file_join(folder, "pipe"), *link = file_join(folder, "link-to-pipe");
	struct stat st;

	cr_assert_eq(mkfifo(pipe, 0600), 0);
	cr_assert_eq(symlink(pipe, link), 0);
	cr_assert_eq(file_write_durable(pipe, "x", 1, NULL), EXP_EINVAL);
	cr_assert_eq(file_write_durable(link, "x", 1, NULL), EXP_EINVAL);
	cr_assert_eq(file_write_durable(folder, "x", 1, NULL), EXP_EINVAL);
	cr_assert_eq(lstat(pipe, &st), 0);
	cr_assert(S_ISFIFO(st.st_mode));
	mem_free(pipe);
	mem_free(link);
}

Test(file, copy_gives_the_digest_and_refuses_links)
{
	char *from = file_join(folder, "from"), *to = file_join(folder, "to"), *link = file_join(folder, "link");
	uint8_t digest[DIGEST_SIZE], expected[DIGEST_SIZE];

	cr_assert_eq(file_write_durable(from, "abc", 3, NULL), 0);
	cr_assert_eq(file_copy_durable(from, to, 3, digest, NULL), 0);
	sha256("abc", 3, expected);
	cr_assert_eq(memcmp(digest, expected, sizeof(digest)), 0);
	cr_assert_eq(file_copy_durable(from, to, 2, digest, NULL), EXP_ELIMIT);
	cr_assert_eq(symlink(from, link), 0);
	cr_assert_lt(file_copy_durable(link, to, 3, digest, NULL), 0);
	cr_assert_eq(file_destroy(from, NULL), 0);
	cr_assert_not(file_exists(from));
	cr_assert_eq(file_destroy(from, NULL), 0);
	mem_free(from);
	mem_free(to);
	mem_free(link);
}

Test(file, lock_is_exclusive)
{
	char *path = file_join(folder, "lock");
	int first, second;

	cr_assert_eq(file_lock(path, &first, NULL), 0);
	cr_assert_eq(file_lock(path, &second, NULL), EXP_EBUSY);
	file_unlock(first);
	cr_assert_eq(file_lock(path, &second, NULL), 0);
	file_unlock(second);
	mem_free(path);
}
