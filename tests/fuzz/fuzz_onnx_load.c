/* libFuzzer's entry. `make fuzz` runs it. */
#include "onnx_load.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	try_model(bytes, size);
	return 0;
}
