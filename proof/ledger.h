/*
 * ledger.h: what the leaves of a log must not say after one another.
 *
 * The ledger takes the leaves in order and holds them to these rules:
 *   - a request is received once, before anything else is said of it; its subject never changes
 *   - after it is completed, rejected or cancelled nothing is said of it, except once that its key was destroyed; jobs
 * that were under way may still list it when it was cancelled or rejected
 *   - for each model that a completion names there was an attempt with this method, parameters and policy that did not
 * fail, and a publication of this version and these weights, both for this request; mitigated or erased rows that were
 * trained on name a model
 *   - completed as erased: its rows were erased before; as not_found: there were none
 *   - a model is registered before it changes; each publication starts from the weights that are live; versions rise
 *   - weights are destroyed once, and only when they are no longer live
 *   - a policy is recorded before a leaf refers to it; a data set is registered before rows of it are erased
 *
 * Ownership: the ledger keeps copies. Threads: a ledger belongs to one thread. Memory grows with requests and attempts.
 */
#ifndef PROOF_LEDGER_H
#define PROOF_LEDGER_H

#include <stdint.h>

#include "base/error.h"
#include "proof/leaf.h"

struct ledger;

struct ledger_counts {
	uint64_t requests, completed, rejected, cancelled, models, publications;
};

struct ledger *ledger_new(void);
void ledger_free(struct ledger *l);

/* EXP_EVERIFY names the rule that the leaf breaks; the ledger is then of no further use. */
EXP_NODISCARD int ledger_add(struct ledger *l, const struct leaf *leaf, struct exp_error *err);

void ledger_count(const struct ledger *l, struct ledger_counts *out);

#endif
