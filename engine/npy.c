#include "engine/npy.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/npy_header.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays are used as they lie in the file");

static const struct {
	size_t size;
	const char *name;
} types[] = {
	[NPY_F4] = { 4, "float32" }, [NPY_F8] = { 8, "float64" }, [NPY_U1] = { 1, "uint8" }, [NPY_I1] = { 1, "int8" },
	[NPY_I2] = { 2, "int16" },   [NPY_I4] = { 4, "int32" },   [NPY_I8] = { 8, "int64" },
};

size_t npy_item_size(enum npy_type type)
{
	return types[type].size;
}

const char *npy_type_name(enum npy_type type)
{
	return types[type].name;
}

/* Fills a from the header and holds the announced size against the mapped one. */
static int describe(const struct npy_header *h, struct npy *a, struct exp_error *err)
{
	size_t item = npy_item_size(h->type), bytes, count = 1;

	for (size_t i = 0; i < h->rank; i++)
		if (!mem_size(count, h->dims[i], &count))
			return error_set(err, EXP_ESHAPE, "the npy header's shape overflows");
	if (!mem_size(count, item, &bytes) || bytes != a->map_size - h->data_offset)
		return error_set(err, EXP_ESHAPE,
				 "the npy header announces %zu elements of %zu bytes, but %zu bytes of data follow",
				 count, item, a->map_size - h->data_offset);
	if (h->data_offset % item)
		return error_set(err, EXP_EUNSUPPORTED,
				 "the data are not aligned to their type; save the array again with numpy.save");
	a->type = h->type;
	a->rank = h->rank;
	memcpy(a->dims, h->dims, sizeof(a->dims));
	a->count = count;
	a->data = (const char *)a->map + h->data_offset;
	return 0;
}

static int map_file(const char *path, struct npy *a, struct exp_error *err)
{
	int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return error_set_errno(err, "open", path);
	if (fstat(fd, &st))
		rc = error_set_errno(err, "stat", path);
	else if (!S_ISREG(st.st_mode))
		rc = error_set(err, EXP_EINVAL, "%s is not a regular file", path);
	else if (st.st_size == 0)
		rc = error_set(err, EXP_EPARSE, "%s: the file is empty", path);
	else
		a->map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (!rc && a->map == MAP_FAILED)
		rc = error_set_errno(err, "map", path);
	if (!rc)
		a->map_size = (size_t)st.st_size;
	close(fd);
	return rc;
}

int npy_open(const char *path, struct npy *out, struct exp_error *err)
{
	struct npy a = { 0 };
	struct npy_header h;
	int rc = map_file(path, &a, err);

	if (rc)
		return rc;
	rc = npy_header_parse(a.map, a.map_size, &h, err);
	if (!rc)
		rc = describe(&h, &a, err);
	if (rc) {
		npy_close(&a);
		return error_wrap(err, rc, "%s", path);
	}
	*out = a;
	return 0;
}

void npy_close(struct npy *a)
{
	if (a->map)
		munmap(a->map, a->map_size);
	memset(a, 0, sizeof(*a));
}

int npy_write_f4(const char *path, const float *data, const size_t *dims, size_t rank, struct exp_error *err)
{
	struct buf header = { 0 };
	size_t bytes = sizeof(float);
	char *whole = NULL;
	int rc;

	exp_require(rank <= NPY_MAX_DIMS);
	for (size_t i = 0; i < rank; i++)
		exp_require(mem_size(bytes, dims[i], &bytes));
	npy_header_add(&header, NPY_F4, dims, rank);
	whole = mem_try_alloc(1, header.size + bytes);
	if (!whole) {
		rc = error_set(err, EXP_EMEMORY, "no memory for %s (%zu bytes)", path, bytes);
		goto out;
	}
	memcpy(whole, header.data, header.size);
	if (bytes)
		memcpy(whole + header.size, data, bytes);
	rc = file_write_durable(path, whole, header.size + bytes, err);
out:
	buf_fini(&header);
	mem_free(whole);
	return rc;
}
