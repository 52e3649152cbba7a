/*
 * page_internal.h: keyset paging over UUIDv7 keys, newest first. Pure; any thread.
 */
#ifndef STORAGE_PAGE_INTERNAL_H
#define STORAGE_PAGE_INTERNAL_H

#include <stddef.h>

#include "base/error.h"
#include "base/id.h"
#include "storage/db.h"

struct page {
	char before[ID_TEXT]; /* keys of the page are smaller; "~" at the start, which is larger than any */
	size_t size;
};

/* EXP_EINVAL: a token that page_next did not make, or a size over the limit. */
EXP_NODISCARD int page_init(struct page *page, size_t size, const char *token, struct exp_error *err);

/* The token of the page that follows the one that ends with id. */
void page_next(const char *id, char token[DB_PAGE_TOKEN]);

#endif
