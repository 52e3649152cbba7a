/*
 * id.h: UUIDs. Our own are version 7 (RFC 9562): time-ordered, so that they make good primary keys.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdbool.h>

enum { ID_TEXT = 37 }; /* 36 characters and the NUL */

/* A fresh UUIDv7, lower case, from the wall clock and 74 random bits; returns text. Threads: any. */
char *id_new(char text[ID_TEXT]);

/* True for any UUID in canonical lower-case form. */
bool id_is_valid(const char *text);

#endif
