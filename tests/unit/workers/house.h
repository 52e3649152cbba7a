/*
 * house.h: everything below HTTP for the tests of workers: a data folder with the wages example, its model, a policy
 * small enough for seconds, and requests put in as api would.
 */
#ifndef WORKERS_HOUSE_H
#define WORKERS_HOUSE_H

#include "audit/audit.h"
#include "model/live.h"
#include "storage/jobs.h"
#include "storage/requests.h"
#include "storage/store.h"
#include "workers/workers.h"

struct house {
	char folder[64];
	struct store *store;
	struct audit *audit;
	struct models *models;
	struct workers *workers;
	uint8_t lookup[32];
};

/* A registered dataset and model, the register job queued; workers are not running yet. policy: JSON. */
void house_make(struct house *h, const char *policy);
void house_start(struct house *h); /* opens storage if need be, recovers, starts workers */
void house_stop(struct house *h);  /* stops workers and closes storage */
void house_remove(struct house *h);

/* Puts a request in as api does; identities are type:value, at most four, separated by one space. */
void house_request(struct house *h, const char *identities, char id[ID_TEXT]);

/* Waits until the request has the status (at most two minutes) and gives it as it then is. */
struct stored_request house_wait(struct house *h, const char *id, enum request_status status);

/* Waits until no job is unfinished. */
void house_settle(struct house *h);

#endif
