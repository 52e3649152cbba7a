/*
 * identity.h: what a result's last bits depend on beside the data: builds of the engine and of the libraries under it,
 * and the vector level of the processor.
 */
#ifndef ENGINE_IDENTITY_H
#define ENGINE_IDENTITY_H

#include "base/buf.h"

/* Appends for example "expunge 0.1.0, OpenBLAS 0.3.21 …, core SkylakeX, oneDNN 2.6.3 avx512_core, products avx512". */
void engine_identity(struct buf *out);

#endif
