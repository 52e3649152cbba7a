#include "engine/onnx_text.h"

#include <string.h>

/* Bytes that follow the first of a UTF-8 sequence; -1: cannot be a first. */
static int followers(unsigned char first)
{
	if (first < 0x80)
		return 0;
	if (first < 0xc2 || first > 0xf4)
		return -1;
	return first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
}

bool onnx_is_clean_text(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	if (strnlen(text, ONNX_MAX_TEXT + 1) > ONNX_MAX_TEXT)
		return false;
	while (*c) {
		int follow = followers(*c);

		if (follow < 0 || *c < 0x20 || *c == 0x7f)
			return false;
		for (c++; follow > 0; follow--, c++)
			if ((*c & 0xc0) != 0x80)
				return false;
	}
	return true;
}

const char *onnx_type_name(int onnx_type)
{
	/* By TensorProto.DataType. */
	static const char *const names[] = { "undefined", "float",  "uint8",     "int8",       "uint16",  "int16",
					     "int32",     "int64",  "string",    "bool",       "float16", "double",
					     "uint32",    "uint64", "complex64", "complex128", "bfloat16" };

	return onnx_type >= 0 && onnx_type < (int)(sizeof(names) / sizeof(names[0])) ? names[onnx_type] : "unknown";
}
