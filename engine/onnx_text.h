/*
 * onnx_text.h: the texts of an ONNX file that reach people: names, types, messages.
 */
#ifndef ENGINE_ONNX_TEXT_H
#define ENGINE_ONNX_TEXT_H

#include <stdbool.h>

enum { ONNX_MAX_TEXT = 512 };

/* Names reach messages, JSON and file headers: printable UTF-8 of at most ONNX_MAX_TEXT bytes only. */
bool onnx_is_clean_text(const char *text);

/* "float16" for TensorProto.DataType 10; "unknown" for what is none. */
const char *onnx_type_name(int onnx_type);

#endif
