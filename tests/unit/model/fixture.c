#include "tests/unit/model/fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/session.h"

void fixture_init(struct fixture *f)
{
	*f = (struct fixture){ .root = "/tmp/expunge-model-XXXXXX" };
	cr_assert_eq(crypto_init(), 0);
	cr_assert(mkdtemp(f->root) != NULL);
	golden_open(&f->golden, "mlp_logits");
}

void fixture_fini(struct fixture *f)
{
	char *command = mem_format("rm -rf %s", f->root);

	golden_close(&f->golden);
	cr_assert_eq(system(command), 0);
	mem_free(command);
}

struct params *fixture_params(const struct fixture *f, int variant)
{
	struct params *p;
	struct rng r;

	cr_assert_eq(graph_initial_params(f->golden.graph, &p), 0);
	rng_init(&r, (uint64_t)variant, "variant");
	for (size_t i = 0; variant && i < p->count; i++)
		p->values[i] = (float)rng_normal(&r);
	return p;
}

struct snapshot *fixture_snapshot(const struct fixture *f, const char *model, int variant)
{
	struct snapshot_spec spec = { .model = model, .graph = f->golden.graph, .sessions = 2, .batch = 3 };
	struct exp_error err = { 0 };
	char sha256[DIGEST_HEX];
	struct snapshot *s;

	memset(sha256, '0' + variant % 10, sizeof(sha256) - 1);
	sha256[sizeof(sha256) - 1] = '\0';
	spec.sha256 = sha256;
	spec.params = fixture_params(f, variant);
	cr_assert_eq(snapshot_new(&spec, &s, &err), 0, "%s", err.message);
	return s;
}

float *fixture_outputs(const struct fixture *f, int variant)
{
	float *outputs = calloc(f->golden.rows * f->golden.classes, sizeof(*outputs));
	struct params *p = fixture_params(f, variant);
	struct session *s;

	cr_assert_eq(session_new(f->golden.graph, 3, &s, NULL), 0);
	for (size_t i = 0; i < f->golden.rows; i += 3) {
		size_t n = f->golden.rows - i < 3 ? f->golden.rows - i : 3;

		cr_assert_eq(session_forward(s, p, f->golden.inputs + i * f->golden.row_floats, n,
					     outputs + i * f->golden.classes),
			     0);
	}
	session_free(s);
	params_free(p);
	return outputs;
}

static size_t walk(const char *folder, const void *bytes, size_t size)
{
	const struct dirent *entry;
	DIR *dir = opendir(folder);
	size_t count = 0;

	while (dir && (entry = readdir(dir))) {
		char *path = file_join(folder, entry->d_name);
		struct buf b = { 0 };
		struct stat st;

		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && !lstat(path, &st)) {
			if (S_ISDIR(st.st_mode)) {
				count += walk(path, bytes, size);
			} else {
				cr_assert_eq(file_read(path, SIZE_MAX, &b, NULL), 0);
				count += !bytes || (b.data && memmem(b.data, b.size, bytes, size));
			}
		}
		buf_fini(&b);
		mem_free(path);
	}
	if (dir)
		closedir(dir);
	return count;
}

size_t fixture_files(const struct fixture *f, const void *bytes, size_t size)
{
	return walk(f->root, bytes, size);
}
