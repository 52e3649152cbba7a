/*
 * fixture.h: a data folder with a store, and an operator's files to import, for the tests of this folder.
 */
#ifndef DATASET_FIXTURE_H
#define DATASET_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataset/import.h"

struct fixture {
	char root[64]; /* a fresh folder, removed by fixture_fini */
	char data[96], inputs[96], labels[96], rows[96];
	uint8_t key[32];
	struct store *store;
	struct dataset_home home;
	struct dataset_spec spec; /* of the files above, name "people" */
};

void fixture_init(struct fixture *f);
void fixture_init_with(struct fixture *f, const struct store_options *options);
void fixture_fini(struct fixture *f);

void fixture_write(const char *path, const void *bytes, size_t size);

/* An npy file written by hand: descr as "<f4", shape as "(3, 2)". */
void fixture_npy(const char *path, const char *descr, const char *shape, const void *bytes, size_t size);

/*
 * rows rows of floats columns: input [i, k] = i + k / 100, label i % 3, sample "s<i>". Row i is subject "id:p<i %
 * people>", or nobody when that is 0; even persons are in train, odd ones in heldout; nobody's rows are in train.
 */
void fixture_make(const struct fixture *f, size_t rows, size_t floats, size_t people);

/* The lookup hash of a person, by libsodium directly. */
void fixture_hash(const struct fixture *f, const char *canonical, size_t size, uint8_t out[32]);

/* Imports the files as dataset "people", or fails the test. */
void fixture_import(struct fixture *f);

/* Storage's number of "id:p<person>"; 0 when there is none. */
int64_t fixture_subject(const struct fixture *f, size_t person);

/* Whether any file below the folder holds these bytes. */
bool fixture_grep(const char *folder, const void *bytes, size_t size);

/* Files and folders below a folder; 0 when it is missing. */
size_t fixture_count(const char *folder);

#endif
