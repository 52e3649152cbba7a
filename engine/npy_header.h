/*
 * npy_header.h: the text between an npy file's magic and its data: a Python dict with exactly the keys descr,
 * fortran_order and shape. Split from npy.c so that a fuzzer can reach the parser without a file, and arrays can be
 * written as they come.
 */
#ifndef ENGINE_NPY_HEADER_H
#define ENGINE_NPY_HEADER_H

#include <stdbool.h>

#include "base/buf.h"
#include "engine/npy.h"

struct npy_header {
	enum npy_type type;
	bool fortran_order;
	size_t rank, dims[NPY_MAX_DIMS];
	size_t data_offset; /* bytes from the start of the file */
};

/* bytes: the whole file or its beginning. EXP_EPARSE, EXP_EUNSUPPORTED. */
EXP_NODISCARD int npy_header_parse(const void *bytes, size_t size, struct npy_header *out, struct exp_error *err);

/* Appends what stands before the data of a C-ordered array: format 1.0, padded to a multiple of 64 bytes, as numpy.save
 * writes it. */
void npy_header_add(struct buf *b, enum npy_type type, const size_t *dims, size_t rank);

#endif
