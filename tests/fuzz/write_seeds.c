/* Writes the models of the operators' tests as files, for the fuzz target to start from: write_seeds FOLDER. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "model_text.h"
#include "operator_models.h"

static int write_seed(const char *folder, size_t i)
{
	char *path = mem_format("%s/operator_%03zu.onnx", folder, i);
	struct exp_error err = { 0 };
	struct buf file = { 0 };
	int rc;

	model_text_write(models[i], &file);
	rc = file_write_durable(path, file.data, file.size, &err);
	if (rc)
		fprintf(stderr, "%s\n", err.message);
	buf_fini(&file);
	mem_free(path);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = argc == 2 ? 0 : EXIT_FAILURE;

	if (rc)
		fprintf(stderr, "usage: write_seeds FOLDER\n");
	for (size_t i = 0; !rc && i < sizeof(models) / sizeof(models[0]); i++)
		rc = write_seed(argv[1], i);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
