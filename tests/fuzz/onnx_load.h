/*
 * onnx_load.h: what is done with any bytes that claim to be a model: load, plan, describe, and, where they turn out to
 * be a small model, run in every direction.
 *
 * Aborts (through a sanitizer or exp_require) where anything goes wrong; an error code is right. The fuzz target and
 * the replay of its corpus share it. Threads: one.
 */
#ifndef TESTS_FUZZ_ONNX_LOAD_H
#define TESTS_FUZZ_ONNX_LOAD_H

#include <stddef.h>
#include <stdint.h>

void try_model(const uint8_t *bytes, size_t size);

#endif
