/*
 * npy.h: NumPy's array files (format 1.0 to 3.0), memory-mapped for reading, and a source over a pair of them.
 *
 * Read: C order, little-endian, f4, f8, u1, i1, i2, i4, i8. A file may be hostile: header, sizes and overflow are
 * checked before use, and the file must hold exactly what the header announces.
 * Ownership: npy_close unmaps; data are borrowed until then. The file must not shrink while it is mapped; bytes that
 * are overwritten in it show at once. Threads: any number of readers. Source of the format: NumPy Enhancement Proposal
 * 1 and numpy.lib.format.
 */
#ifndef ENGINE_NPY_H
#define ENGINE_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/source.h"

enum { NPY_MAX_DIMS = 8 };

enum npy_type { NPY_F4, NPY_F8, NPY_U1, NPY_I1, NPY_I2, NPY_I4, NPY_I8 };

struct npy {
	enum npy_type type;
	size_t rank, dims[NPY_MAX_DIMS], count; /* count: elements */
	const void *data;                       /* at the first element, aligned to an element */
	void *map;                              /* private */
	size_t map_size;
};

/* EXP_ENOTFOUND, EXP_EPARSE (not npy), EXP_EUNSUPPORTED (order, type, alignment), EXP_ESHAPE (sizes of file and header
 * differ), EXP_EIO. Messages name the path. */
EXP_NODISCARD int npy_open(const char *path, struct npy *out, struct exp_error *err);
void npy_close(struct npy *a);

size_t npy_item_size(enum npy_type type);
const char *npy_type_name(enum npy_type type); /* "float32", "uint8", … as NumPy says it */

/* Writes float32 [dims] durably (format 1.0). EXP_EIO, EXP_ENOSPACE, EXP_EMEMORY. */
EXP_NODISCARD int npy_write_f4(const char *path, const float *data, const size_t *dims, size_t rank,
			       struct exp_error *err);

/* Inputs [rows, …] as f4, f8 or u1 (each value times scale), i4 or i8 (as they are: tokens) and labels [rows] or, of
 * sequences, [rows, positions] of any integer type, as a source over both. labels may be NULL: then read gives label 0.
 * Both arrays are borrowed for the life of the source, which must not move. */
struct npy_source {
	struct source source;
	const struct npy *inputs, *labels;
	float scale;
};

/* EXP_ESHAPE when rows differ, EXP_EUNSUPPORTED for a type, EXP_ENONFINITE names the first row that holds a NaN or an
 * infinity, EXP_ERANGE a label outside 0 … classes-1 (classes 0: outside of int32 only; -100 in sequences is no label).
 * Rows count from 0. */
EXP_NODISCARD int npy_source_init(struct npy_source *s, const struct npy *inputs, const struct npy *labels, float scale,
				  size_t classes, struct exp_error *err);

#endif
