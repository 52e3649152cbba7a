/* Runs the fuzz target once over each file of the corpus, in any build: replay FOLDER. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "onnx_load.h"

enum { LIMIT = 1 << 20 };

static int replay(const char *folder, const char *name)
{
	char *path = file_join(folder, name), *exact;
	struct exp_error err = { 0 };
	struct buf file = { 0 };
	int rc = file_read(path, LIMIT, &file, &err);

	mem_free(path);
	if (rc) {
		fprintf(stderr, "%s\n", err.message);
		return rc;
	}
	/* Exactly as long as the file, so that a sanitizer sees a read past the end. */
	exact = malloc(file.size ? file.size : 1);
	memcpy(exact, file.data ? file.data : "", file.size);
	printf("%s\n", name);
	fflush(stdout);
	try_model((const uint8_t *)exact, file.size);
	free(exact);
	buf_fini(&file);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent **names;
	int count = argc == 2 ? scandir(argv[1], &names, NULL, alphasort) : -1, rc = 0;

	if (count < 0) {
		fprintf(stderr, "usage: replay FOLDER\n");
		return EXIT_FAILURE;
	}
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.' && replay(argv[1], names[i]->d_name))
			rc = EXIT_FAILURE;
		free(names[i]);
	}
	free(names);
	return rc;
}
