/*
 * embedded.h: files that are compiled into the program (tools/embed.py). Threads: any; constant.
 */
#ifndef API_EMBEDDED_H
#define API_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
	const char *name;
	const unsigned char *bytes; /* followed by a NUL that size does not count */
	size_t size;
};

extern const struct embedded_file api_files[]; /* openapi.json */
extern const size_t api_files_count;

#endif
