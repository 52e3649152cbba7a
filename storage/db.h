/*
 * db.h: the handle that every read function takes, and the rules that hold for all tables.
 *
 * A struct db is one connection's view of expunge.db. Two things provide it: reader_take (store.h) and txn_db
 * (writer.h), so that the same function reads inside a transaction (and sees its own changes) and outside of it.
 * Functions that change something take a struct txn instead and can therefore only run on the writer thread.
 *
 * Rules for every table:
 *   times      milliseconds since the epoch, UTC (base/clock.h); 0 means none. Storage stamps what it changes with
 * clock_now_ms. names      at most DB_NAME - 1 bytes of UTF-8; what is longer is EXP_EINVAL. ids        UUIDs in
 * canonical text (base/id.h). enums      each has a .def table that also yields the CHECK of its column; …_name never
 * returns NULL unless said. strings    char * members of a struct that was read belong to it: the matching …_fini frees
 * them. Members of a struct that is written are borrowed for the call, NULL is stored as NULL. structs    what a table
 * keeps is a struct stored_…, so that the folders above can use the plain noun for what they make of it. lists items
 * and count; count 0 means items is NULL. The matching …_list_fini frees it. JSON       canonical text made elsewhere;
 * storage never looks into it. pages      newest first by id; page_size 0 means 50, at most 500; page_token NULL or ""
 * means from the start; what comes back as next is "" at the end. A token that is not ours is EXP_EINVAL.
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
