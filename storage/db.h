/*
 * db.h: the handle that every read function takes, and the rules that hold for all tables.
 *
 * A struct db is one connection's view of expunge.db. Two things provide it: reader_take (store.h) and txn_db
 * (writer.h), so that the same function reads inside a transaction (and sees its own changes) and outside of it.
 * Functions that change something take a struct txn instead and can therefore only run on the writer thread.
 *
 * Rules for every table:
 *   times    milliseconds since the epoch, UTC (base/clock.h); 0 means none; changes are stamped with clock_now_ms
 *   names    at most DB_NAME - 1 bytes of UTF-8; what is longer is EXP_EINVAL
 *   ids      UUIDs in canonical text (base/id.h)
 *   enums    each has a .def table, whose names are the CHECK of its column
 *   structs  what a table keeps is a struct stored_x: the folders above need the plain noun for what they make of it
 *   strings  char * members of a struct that was read belong to it and its fini frees them; those of a struct that is
 *            written are borrowed for the call, and NULL is stored as NULL
 *   lists    items and count; items is NULL when count is 0; the list's fini frees them
 *   JSON     canonical text made elsewhere; storage never looks into it
 *   pages    newest first by id; page_size 0 means 50, at most 500; page_token NULL or "" starts at the newest; next
 *            is "" at the end; a token that is not ours is EXP_EINVAL
 *
 * Errors of every function, beside those it lists: EXP_EBUSY, EXP_ENOSPACE, EXP_EIO, EXP_ECORRUPT, EXP_EMEMORY, and
 * EXP_EINTERNAL for what only a bug explains. On failure outputs are untouched.
 * Threads: a struct db is used by one thread at a time.
 */
#ifndef STORAGE_DB_H
#define STORAGE_DB_H

enum {
	DB_NAME = 129,      /* room for a name */
	DB_REASON = 129,    /* room for a short reason */
	DB_PAGE_TOKEN = 33, /* room for a page token */
	DB_HASH = 32,       /* bytes of every hash */
};

struct db;
struct txn;

#endif
