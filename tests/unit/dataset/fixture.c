#include "tests/unit/dataset/fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "storage/subjects.h"

void fixture_init_with(struct fixture *f, const struct store_options *options)
{
	struct exp_error err = { 0 };

	*f = (struct fixture){ .root = "/tmp/expunge-dataset-XXXXXX" };
	cr_assert_eq(crypto_init(), 0);
	cr_assert(mkdtemp(f->root) != NULL);
	snprintf(f->data, sizeof(f->data), "%s/data", f->root);
	snprintf(f->inputs, sizeof(f->inputs), "%s/x.npy", f->root);
	snprintf(f->labels, sizeof(f->labels), "%s/y.npy", f->root);
	snprintf(f->rows, sizeof(f->rows), "%s/rows.csv", f->root);
	memset(f->key, 0x5a, sizeof(f->key));
	cr_assert_eq(store_open(f->data, options, &f->store, &err), 0, "%s", err.message);
	f->home = (struct dataset_home){ .store = f->store, .data_folder = f->data, .lookup_key = f->key };
	f->spec = (struct dataset_spec){
		.name = "people", .inputs = f->inputs, .labels = f->labels, .rows = f->rows, .source = DATASET_IMPORTED
	};
}

void fixture_init(struct fixture *f)
{
	fixture_init_with(f, NULL);
}

void fixture_fini(struct fixture *f)
{
	char *command = mem_format("rm -rf %s", f->root);

	store_close(f->store);
	cr_assert_eq(system(command), 0);
	mem_free(command);
}

void fixture_write(const char *path, const void *bytes, size_t size)
{
	cr_assert_eq(file_write_durable(path, bytes, size, NULL), 0);
}

void fixture_npy(const char *path, const char *descr, const char *shape, const void *bytes, size_t size)
{
	char text[129];
	FILE *file = fopen(path, "wb");
	int n = snprintf(text, sizeof(text), "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape);

	cr_assert(file != NULL);
	memset(text + n, ' ', sizeof(text) - (size_t)n);
	text[117] = '\n';
	cr_assert_eq(fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file), 10);
	cr_assert_eq(fwrite(text, 1, 118, file), 118);
	cr_assert_eq(fwrite(bytes, 1, size, file), size);
	cr_assert_eq(fclose(file), 0);
}

static void make_rows(const struct fixture *f, size_t rows, size_t people)
{
	struct buf csv = { 0 };

	buf_add_text(&csv, "sample_id,subject,split\n");
	for (size_t i = 0; i < rows; i++) {
		size_t person = i % people;

		if (person)
			buf_format(&csv, "s%zu,id:p%zu,%s\n", i, person, person % 2 ? "heldout" : "train");
		else
			buf_format(&csv, "s%zu,,train\n", i);
	}
	fixture_write(f->rows, csv.data, csv.size);
	buf_fini(&csv);
}

void fixture_make(const struct fixture *f, size_t rows, size_t floats, size_t people)
{
	float *inputs = calloc(rows * floats, sizeof(*inputs));
	int64_t *labels = calloc(rows, sizeof(*labels));
	char shape[64];

	for (size_t i = 0; i < rows * floats; i++)
		inputs[i] = (float)(i / floats) + (float)(i % floats) / 100;
	for (size_t i = 0; i < rows; i++)
		labels[i] = (int64_t)(i % 3);
	snprintf(shape, sizeof(shape), "(%zu, %zu)", rows, floats);
	fixture_npy(f->inputs, "<f4", shape, inputs, rows * floats * sizeof(*inputs));
	snprintf(shape, sizeof(shape), "(%zu,)", rows);
	fixture_npy(f->labels, "<i8", shape, labels, rows * sizeof(*labels));
	make_rows(f, rows, people);
	free(inputs);
	free(labels);
}

void fixture_hash(const struct fixture *f, const char *canonical, size_t size, uint8_t out[32])
{
	crypto_auth_hmacsha256(out, (const unsigned char *)canonical, size, f->key);
}

void fixture_import(struct fixture *f)
{
	struct dataset_summary summary;
	struct exp_error err = { 0 };

	cr_assert_eq(dataset_import(&f->home, &f->spec, &summary, &err), 0, "%s", err.message);
}

int64_t fixture_subject(const struct fixture *f, size_t person)
{
	char canonical[32];
	uint8_t hash[32];
	int64_t subject = 0;
	struct db *db;

	fixture_hash(f, canonical, (size_t)snprintf(canonical, sizeof(canonical), "id\x1fp%zu", person), hash);
	cr_assert_eq(reader_take(f->store, &db, NULL), 0);
	if (subjects_find(db, hash, &subject, NULL))
		subject = 0;
	reader_give(f->store, db);
	return subject;
}

static bool file_holds(const char *path, const void *bytes, size_t size)
{
	struct buf b = { 0 };
	bool found;

	cr_assert_eq(file_read(path, SIZE_MAX, &b, NULL), 0);
	found = b.data && memmem(b.data, b.size, bytes, size);
	buf_fini(&b);
	return found;
}

/* Files that hold the bytes (all when bytes is NULL) and, then, folders too. */
static size_t walk(const char *folder, const void *bytes, size_t size)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	size_t count = 0;

	while (dir && (entry = readdir(dir))) {
		char *path = file_join(folder, entry->d_name);
		struct stat st;

		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && !lstat(path, &st)) {
			if (S_ISDIR(st.st_mode))
				count += walk(path, bytes, size) + !bytes;
			else
				count += !bytes || file_holds(path, bytes, size);
		}
		mem_free(path);
	}
	if (dir)
		closedir(dir);
	return count;
}

bool fixture_grep(const char *folder, const void *bytes, size_t size)
{
	return walk(folder, bytes, size) > 0;
}

size_t fixture_count(const char *folder)
{
	return walk(folder, NULL, 0);
}
