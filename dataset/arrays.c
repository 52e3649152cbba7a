#include "dataset/arrays.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/npy_header.h"

enum { CHUNK = 1 << 16 }; /* elements written at a time */
enum { CLASSES_MAX = 1 << 20 };

static int check_inputs(struct arrays *a, double scale, struct exp_error *err)
{
	enum npy_type type = a->inputs.type;

	if (type != NPY_F4 && type != NPY_F8 && type != NPY_U1)
		return error_set(err, EXP_EUNSUPPORTED, "inputs are %s; they must be float32, float64 or uint8",
				 npy_type_name(type));
	if (a->inputs.rank == 0 || a->inputs.count == 0)
		return error_set(err, EXP_ESHAPE, "the inputs are empty; they must be [rows, …]");
	if (a->inputs.rank == NPY_MAX_DIMS)
		return error_set(err, EXP_ESHAPE, "the inputs have %d dimensions; at most %d are supported",
				 NPY_MAX_DIMS, NPY_MAX_DIMS - 1);
	if (!isfinite((float)scale) || scale < 0 || (type != NPY_U1 && scale != 0 && scale != 1))
		return error_set_field(err, EXP_EINVAL, "/scale",
				       "scale must be a positive number, and applies to uint8 inputs only");
	a->rows = a->inputs.dims[0];
	a->row_floats = a->inputs.count / a->rows;
	a->scale = scale == 0 ? 1.0f : (float)scale;
	return 0;
}

/* As float32, which is how they are kept: a float64 beyond its range is as bad as an infinity. */
static bool is_finite(const struct npy *inputs, size_t i)
{
	if (inputs->type == NPY_F4)
		return isfinite(((const float *)inputs->data)[i]);
	return isfinite((float)((const double *)inputs->data)[i]);
}

static int check_finite(const struct arrays *a, struct exp_error *err)
{
	if (a->inputs.type == NPY_U1)
		return 0;
	for (size_t i = 0; i < a->inputs.count; i++)
		if (!is_finite(&a->inputs, i))
			return error_set(err, EXP_ENONFINITE,
					 "row %zu, column %zu of the inputs is a NaN, an infinity or beyond float32",
					 i / a->row_floats, i % a->row_floats);
	return 0;
}

static int64_t label_at(const struct npy *labels, size_t i)
{
	switch (labels->type) {
	case NPY_U1:
		return ((const uint8_t *)labels->data)[i];
	case NPY_I1:
		return ((const int8_t *)labels->data)[i];
	case NPY_I2:
		return ((const int16_t *)labels->data)[i];
	case NPY_I4:
		return ((const int32_t *)labels->data)[i];
	default:
		return ((const int64_t *)labels->data)[i];
	}
}

static int check_labels(struct arrays *a, int64_t classes, struct exp_error *err)
{
	int64_t end = classes ? classes : CLASSES_MAX, largest = 0;

	if (classes < 0 || classes > CLASSES_MAX)
		return error_set_field(err, EXP_EINVAL, "/classes", "classes must be 0 (find out) to %d", CLASSES_MAX);
	if (a->labels.type == NPY_F4 || a->labels.type == NPY_F8)
		return error_set(err, EXP_EUNSUPPORTED, "labels are %s; they must be integers",
				 npy_type_name(a->labels.type));
	if (a->labels.rank != 1 || a->labels.dims[0] != a->rows)
		return error_set(err, EXP_ESHAPE, "the inputs have %zu rows, but the labels are not one list of %zu",
				 a->rows, a->rows);
	for (size_t i = 0; i < a->rows; i++) {
		int64_t label = label_at(&a->labels, i);

		if (label < 0 || label >= end)
			return error_set(err, EXP_ERANGE, "row %zu has a label outside 0 to %lld", i,
					 (long long)end - 1);
		largest = label > largest ? label : largest;
	}
	a->classes = (size_t)(classes ? classes : largest + 1);
	return 0;
}

int arrays_open(const char *inputs, const char *labels, double scale, int64_t classes, struct arrays *out,
		struct exp_error *err)
{
	struct arrays a = { 0 };
	int rc = npy_open(inputs, &a.inputs, err);

	if (!rc)
		rc = npy_open(labels, &a.labels, err);
	if (!rc)
		rc = check_inputs(&a, scale, err);
	if (!rc)
		rc = check_labels(&a, classes, err);
	if (!rc)
		rc = check_finite(&a, err);
	if (rc) {
		arrays_close(&a);
		return rc;
	}
	*out = a;
	return 0;
}

void arrays_close(struct arrays *a)
{
	npy_close(&a->inputs);
	npy_close(&a->labels);
}

/* An npy file that is being made. convert puts elements first … first+n-1 of from into out, in the type that is kept.
 */
struct output {
	const struct npy *from;
	enum npy_type type;
	void (*convert)(const struct npy *from, size_t first, size_t n, void *out);
	const char *path;
	int fd; /* -1: only the digest is wanted */
	struct digest digest;
};

static void convert_inputs(const struct npy *from, size_t first, size_t n, void *out)
{
	size_t item = npy_item_size(from->type);
	const double *wide = from->data;
	float *narrow = out;

	if (from->type != NPY_F8) {
		memcpy(out, (const char *)from->data + first * item, n * item);
		return;
	}
	for (size_t i = 0; i < n; i++)
		narrow[i] = (float)wide[first + i];
}

static void convert_labels(const struct npy *from, size_t first, size_t n, void *out)
{
	int32_t *labels = out;

	for (size_t i = 0; i < n; i++)
		labels[i] = (int32_t)label_at(from, first + i);
}

static struct output output_of_inputs(const struct arrays *a, const char *path)
{
	enum npy_type type = a->inputs.type == NPY_U1 ? NPY_U1 : NPY_F4;

	return (struct output){ .from = &a->inputs, .type = type, .convert = convert_inputs, .path = path, .fd = -1 };
}

static struct output output_of_labels(const struct arrays *a, const char *path)
{
	return (struct output){ .from = &a->labels, .type = NPY_I4, .convert = convert_labels, .path = path, .fd = -1 };
}

static int put(struct output *o, const void *bytes, size_t size, struct exp_error *err)
{
	const char *p = bytes;

	digest_add(&o->digest, bytes, size);
	while (o->fd >= 0 && size) {
		ssize_t n = write(o->fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, "write", o->path);
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

static int put_all(struct output *o, struct exp_error *err)
{
	size_t item = npy_item_size(o->type);
	struct buf header = { 0 };
	void *chunk = mem_try_alloc(CHUNK, item);
	int rc;

	if (!chunk)
		return error_set(err, EXP_EMEMORY, "no memory to convert an array");
	digest_init(&o->digest);
	npy_header_add(&header, o->type, o->from->dims, o->from->rank);
	rc = put(o, header.data, header.size, err);
	for (size_t first = 0; !rc && first < o->from->count; first += CHUNK) {
		size_t n = o->from->count - first < CHUNK ? o->from->count - first : CHUNK;

		o->convert(o->from, first, n, chunk);
		rc = put(o, chunk, n * item, err);
	}
	buf_fini(&header);
	mem_free(chunk);
	return rc;
}

static int write_output(struct output *o, struct exp_error *err)
{
	int rc;

	o->fd = open(o->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (o->fd < 0 && errno == EEXIST)
		return error_set(err, EXP_EEXISTS, "%s is there already", o->path);
	if (o->fd < 0)
		return error_set_errno(err, "create", o->path);
	rc = put_all(o, err);
	if (!rc && fsync(o->fd))
		rc = error_set_errno(err, "fsync", o->path);
	if (close(o->fd) && !rc)
		rc = error_set_errno(err, "close", o->path);
	return rc;
}

int arrays_digest(const struct arrays *a, uint8_t inputs[DIGEST_SIZE], uint8_t labels[DIGEST_SIZE],
		  struct exp_error *err)
{
	struct output i = output_of_inputs(a, NULL), l = output_of_labels(a, NULL);
	int rc = put_all(&i, err);

	if (!rc)
		rc = put_all(&l, err);
	if (rc)
		return rc;
	digest_final(&i.digest, inputs);
	digest_final(&l.digest, labels);
	return 0;
}

int arrays_write(const struct arrays *a, const char *inputs, const char *labels, struct exp_error *err)
{
	struct output i = output_of_inputs(a, inputs), l = output_of_labels(a, labels);
	int rc = write_output(&i, err);

	return rc ? rc : write_output(&l, err);
}
