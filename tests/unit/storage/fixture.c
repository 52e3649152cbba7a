#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/thread.h"
#include "storage/datasets.h"
#include "storage/models.h"
#include "storage/tokens.h"

char folder[64];
struct store *store;
int64_t test_now;

static struct {
	struct lock lock;
	struct condition changed;
	struct txn *txn; /* lent, while not NULL */
	bool finish, done;
	int rc, result;
} park;

static int64_t now_ms(void)
{
	struct timespec now;

	if (test_now)
		return test_now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void folder_make(void)
{
	strcpy(folder, "/tmp/expunge-storage-XXXXXX");
	cr_assert_eq(crypto_init(), 0);
	cr_assert(mkdtemp(folder) != NULL);
	lock_init(&park.lock, LOCK_WORKERS);
	condition_init(&park.changed);
	clock_set_source(now_ms);
}

void folder_remove(void)
{
	char *command = mem_format("rm -rf %s", folder);

	cr_assert_eq(system(command), 0);
	mem_free(command);
}

void store_make_with(const struct store_options *options)
{
	struct exp_error err = { 0 };

	folder_make();
	cr_assert_eq(store_open(folder, options, &store, &err), 0, "%s", err.message);
}

void store_make(void)
{
	store_make_with(NULL);
}

void store_remove(void)
{
	store_close(store);
	folder_remove();
}

void store_reopen(void)
{
	struct exp_error err = { 0 };

	store_close(store);
	cr_assert_eq(store_open(folder, NULL, &store, &err), 0, "%s", err.message);
}

static int wait_parked(struct txn *txn, void *arg, struct exp_error *err)
{
	int rc;

	(void)arg;
	lock_take(&park.lock);
	park.txn = txn;
	condition_broadcast(&park.changed);
	while (!park.finish)
		condition_wait(&park.changed, &park.lock);
	park.txn = NULL;
	rc = park.rc;
	lock_release(&park.lock);
	return rc ? error_set(err, rc, "the test said so") : 0;
}

static void end_parked(void *arg, int rc, const struct exp_error *err)
{
	(void)arg;
	(void)err;
	lock_take(&park.lock);
	park.result = rc;
	park.done = true;
	condition_broadcast(&park.changed);
	lock_release(&park.lock);
}

struct txn *tx_begin(void)
{
	park.finish = park.done = false;
	cr_assert_eq(writer_submit(store, wait_parked, end_parked, NULL), 0);
	lock_take(&park.lock);
	while (!park.txn)
		condition_wait(&park.changed, &park.lock);
	lock_release(&park.lock);
	return park.txn;
}

int tx_end(int rc)
{
	lock_take(&park.lock);
	park.rc = rc;
	park.finish = true;
	condition_broadcast(&park.changed);
	while (!park.done)
		condition_wait(&park.changed, &park.lock);
	lock_release(&park.lock);
	return park.result;
}

struct db *read_begin(void)
{
	struct db *db;

	cr_assert_eq(reader_take(store, &db, NULL), 0);
	return db;
}

void read_end(struct db *db)
{
	reader_give(store, db);
}

void stop_growth(bool stop)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };
	struct store_health health;

	store_health(store, &health);
	signal(SIGXFSZ, SIG_IGN);
	if (stop)
		limit.rlim_cur = (rlim_t)health.wal_bytes + 1;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

const uint8_t *hash_of(uint8_t value)
{
	static uint8_t hashes[8][DB_HASH];
	static unsigned next;
	uint8_t *hash = hashes[next++ % 8];

	memset(hash, value, DB_HASH);
	return hash;
}

void make_token(const char *id)
{
	struct stored_token token = { .name = "tester", .role = ROLE_SUBMITTER };

	strcpy(token.id, id);
	OK(tokens_insert(tx_begin(), &token, err));
	tx_commit();
}

void make_dataset(const char *name)
{
	char dims[] = "[4]";
	struct stored_dataset dataset = {
		.state = DATASET_READY, .rows = 3, .row_dims = dims, .scale = 1, .classes = 2
	};

	strcpy(dataset.name, name);
	OK(datasets_insert(tx_begin(), &dataset, err));
	tx_commit();
}

void make_model(const char *name, const char *dataset)
{
	char dims[] = "[4]";
	struct stored_model model = { .state = MODEL_READY, .classes = 2, .input_name = "x", .input_dims = dims };

	strcpy(model.name, name);
	strcpy(model.dataset, dataset);
	OK(models_insert(tx_begin(), &model, err));
	tx_commit();
}

void make_request(char id[ID_TEXT], int64_t due_at)
{
	struct stored_request request = { .regime = REGIME_GDPR, .received_at = 1, .identities = 1, .leaf = -1 };

	request.due_at = due_at;
	strcpy(request.submitted_by, "t1");
	strcpy(request.id, id_new(id));
	OK(requests_insert(tx_begin(), &request, err));
	tx_commit();
}
