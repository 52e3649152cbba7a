#include "dataset/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/identity.h"
#include "base/mem.h"
#include "dataset/csv.h"

enum { SAMPLE, SUBJECT, SPLIT, COLUMNS };
enum { CSV_LIMIT = 1 << 30 };

static const char *const header[COLUMNS] = { "sample_id", "subject", "split" };

static int fill(int fd, char *text, size_t size)
{
	while (size) {
		ssize_t n = read(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return EXP_EIO;
		text += n;
		size -= (size_t)n;
	}
	return 0;
}

static int read_opened(int fd, const char *path, char **text, size_t *size, struct exp_error *err)
{
	struct stat st;
	char *bytes;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return error_set(err, EXP_EINVAL, "%s is not a regular file", path);
	if (st.st_size > CSV_LIMIT)
		return error_set(err, EXP_ELIMIT, "%s is larger than the allowed %d bytes", path, CSV_LIMIT);
	bytes = mem_try_alloc((size_t)st.st_size + 1, 1);
	if (!bytes)
		return error_set(err, EXP_EMEMORY, "no memory for %s", path);
	if (fill(fd, bytes, (size_t)st.st_size)) {
		mem_free_secret(bytes, (size_t)st.st_size);
		return error_set(err, EXP_EIO, "%s cannot be read, or it shrank meanwhile", path);
	}
	*text = bytes;
	*size = (size_t)st.st_size;
	return 0;
}

/* One allocation of the file's size: a buffer that grew would leave copies of identities behind. */
static int read_text(const char *path, char **text, size_t *size, struct exp_error *err)
{
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_set_errno(err, "open", path);
	rc = read_opened(fd, path, text, size, err);
	close(fd);
	return rc;
}

static int check_header(struct csv *c, struct exp_error *err)
{
	char *fields[COLUMNS];
	size_t line;

	if (!csv_more(c) || csv_next(c, fields, COLUMNS, &line, NULL))
		return error_set(err, EXP_EPARSE, "line 1 must be the header sample_id,subject,split");
	for (int i = 0; i < COLUMNS; i++)
		if (strcmp(fields[i], header[i]))
			return error_set(err, EXP_EPARSE, "line 1 must be the header sample_id,subject,split");
	return 0;
}

static int hash_identity(const char *type, const char *text, const uint8_t *key, uint8_t *out, struct exp_error *err)
{
	struct identity id;
	int rc = type ? identity_init(&id, type, text, err) : identity_parse(&id, text, err);

	if (rc)
		return rc;
	identity_hash(&id, key, out);
	identity_fini(&id);
	return 0;
}

static int parse_record(char *const *fields, const uint8_t *key, struct dataset_row *row, struct exp_error *err)
{
	int rc = hash_identity("sample_id", fields[SAMPLE], key, row->sample, err);

	if (rc)
		return error_wrap(err, rc, "sample_id");
	row->has_subject = fields[SUBJECT][0] != '\0';
	if (row->has_subject)
		rc = hash_identity(NULL, fields[SUBJECT], key, row->subject, err);
	if (rc)
		return error_wrap(err, rc, "subject");
	if (row_split_parse(fields[SPLIT], &row->split))
		return error_set(err, EXP_EINVAL, "split must be train or heldout");
	return 0;
}

static int add_record(struct csv *c, const uint8_t *key, size_t expected, struct rows_table *t, struct exp_error *err)
{
	struct dataset_row *row = &t->rows[t->count];
	char *fields[COLUMNS];
	size_t line;
	int rc = csv_next(c, fields, COLUMNS, &line, err);

	if (rc)
		return rc;
	if (t->count == expected)
		return error_set(err, EXP_ESHAPE, "line %zu is one record too many: the arrays have %zu rows", line,
				 expected);
	rc = parse_record(fields, key, row, err);
	if (rc)
		return error_wrap(err, rc, "line %zu", line);
	t->lines[t->count++] = line;
	t->train += row->split == ROW_TRAIN;
	t->heldout += row->split == ROW_HELDOUT;
	t->without_subject += !row->has_subject;
	return 0;
}

static int compare_samples(const void *a, const void *b, void *arg)
{
	const struct dataset_row *rows = arg;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	int order = memcmp(rows[i].sample, rows[j].sample, DB_HASH);

	return order ? order : i < j ? -1 : 1;
}

static int compare_subjects(const void *a, const void *b, void *arg)
{
	const struct dataset_row *rows = arg;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	int order = memcmp(rows[i].subject, rows[j].subject, DB_HASH);

	return order ? order : i < j ? -1 : 1;
}

/* The first record of the file that repeats an earlier one's sample id. */
static int check_samples(const struct rows_table *t, size_t *order, struct exp_error *err)
{
	size_t first = 0, again = t->count;

	for (size_t i = 0; i < t->count; i++)
		order[i] = i;
	qsort_r(order, t->count, sizeof(*order), compare_samples, t->rows);
	for (size_t i = 1; i < t->count; i++) {
		if (order[i] >= again || memcmp(t->rows[order[i - 1]].sample, t->rows[order[i]].sample, DB_HASH))
			continue;
		first = order[i - 1];
		again = order[i];
	}
	if (again < t->count)
		return error_set(err, EXP_EINVAL, "lines %zu and %zu have the same sample_id", t->lines[first],
				 t->lines[again]);
	return 0;
}

/* Counts subjects, and finds the first record whose subject stood in the other split before. */
static int check_subjects(struct rows_table *t, size_t *order, struct exp_error *err)
{
	size_t n = 0, head = 0, first = 0, other = t->count;

	for (size_t i = 0; i < t->count; i++)
		if (t->rows[i].has_subject)
			order[n++] = i;
	qsort_r(order, n, sizeof(*order), compare_subjects, t->rows);
	for (size_t i = 0; i < n; i++) {
		if (!i || memcmp(t->rows[head].subject, t->rows[order[i]].subject, DB_HASH)) {
			head = order[i];
			t->subjects++;
		} else if (t->rows[head].split != t->rows[order[i]].split && order[i] < other) {
			first = head;
			other = order[i];
		}
	}
	if (other < t->count)
		return error_set(
		    err, EXP_EINVAL,
		    "lines %zu and %zu are one subject in both splits; all rows of a person belong into one",
		    t->lines[first], t->lines[other]);
	return 0;
}

static int check_table(struct rows_table *t, struct exp_error *err)
{
	size_t *order = mem_try_alloc(t->count, sizeof(*order));
	int rc;

	if (!order)
		return error_set(err, EXP_EMEMORY, "no memory to sort %zu rows", t->count);
	rc = check_samples(t, order, err);
	if (!rc)
		rc = check_subjects(t, order, err);
	mem_free(order);
	return rc;
}

static int parse_text(char *text, size_t size, const uint8_t *key, size_t expected, struct rows_table *t,
		      struct exp_error *err)
{
	struct csv c;
	int rc = csv_init(&c, text, size, err);

	if (!rc)
		rc = check_header(&c, err);
	while (!rc && csv_more(&c))
		rc = add_record(&c, key, expected, t, err);
	if (!rc && t->count < expected)
		return error_set(err, EXP_ESHAPE, "%zu records, but the arrays have %zu rows", t->count, expected);
	return rc ? rc : check_table(t, err);
}

int rows_read(const char *path, const uint8_t key[DIGEST_KEY_SIZE], size_t expected, struct rows_table *out,
	      struct exp_error *err)
{
	struct rows_table t = { 0 };
	char *text = NULL;
	size_t size = 0;
	int rc = read_text(path, &text, &size, err);

	if (rc)
		return error_wrap(err, rc, "rows.csv");
	/* One row more than expected, so that a record too many has a place to stand while it is looked at. */
	t.rows = mem_try_alloc(expected + 1, sizeof(*t.rows));
	t.lines = mem_try_alloc(expected + 1, sizeof(*t.lines));
	rc = t.rows && t.lines ? parse_text(text, size, key, expected, &t, err)
			       : error_set(err, EXP_EMEMORY, "no memory for %zu rows", expected);
	mem_free_secret(text, size);
	if (rc) {
		rows_fini(&t);
		return error_wrap(err, rc, "rows.csv");
	}
	*out = t;
	return 0;
}

void rows_fini(struct rows_table *t)
{
	mem_free(t->rows);
	mem_free(t->lines);
	*t = (struct rows_table){ 0 };
}
