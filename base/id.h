/*
 * id.h: UUIDs and names. Our own UUIDs are version 7 (RFC 9562): time-ordered, so that they make good primary keys.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdbool.h>

enum { ID_TEXT = 37 }; /* 36 characters and the NUL */

/* A fresh UUIDv7, lower case, from the wall clock and 74 random bits; returns text. Threads: any. */
char *id_new(char text[ID_TEXT]);

/* True for any UUID in canonical lower-case form. */
bool id_is_valid(const char *text);

/* True for what a model or a dataset may be called: 1 to 63 characters of a-z, A-Z, 0-9, '.', '_' and '-', the first a
 * letter or a digit. Such a name is safe as a folder and in a URL. */
bool id_is_name(const char *text);

#endif
