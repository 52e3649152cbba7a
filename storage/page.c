#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "storage/page_internal.h"

enum { DEFAULT_SIZE = 50, MAX_SIZE = 500, UUID_BYTES = 16 };

int page_init(struct page *page, size_t size, const char *token, struct exp_error *err)
{
	uint8_t u[UUID_BYTES];

	if (size > MAX_SIZE)
		return error_set(err, EXP_EINVAL, "page_size is at most %d", MAX_SIZE);
	page->size = size ? size : DEFAULT_SIZE;
	if (!token || !*token) {
		strcpy(page->before, "~");
		return 0;
	}
	if (hex_decode(token, u, sizeof(u)))
		return error_set(err, EXP_EINVAL, "page_token is not one that a list gave");
	snprintf(page->before, sizeof(page->before),
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2], u[3], u[4],
		 u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
	return 0;
}

void page_next(const char *id, char token[DB_PAGE_TOKEN])
{
	size_t n = 0;

	for (; *id && n < DB_PAGE_TOKEN - 1; id++)
		if (*id != '-')
			token[n++] = *id;
	token[n] = '\0';
}
