#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "model/live.h"
#include "model/live_internal.h"
#include "model/sessions.h"

enum { SESSIONS = 4, BATCH = 64, SESSIONS_MAX = 256 };

static int check_spec(const struct snapshot_spec *spec, struct exp_error *err)
{
	uint8_t digest[DIGEST_SIZE];

	if (!id_is_name(spec->model))
		return error_set(err, EXP_EINVAL, "a snapshot needs the name of its model");
	if (hex_decode(spec->sha256, digest, sizeof(digest)))
		return error_set(err, EXP_EINVAL, "a snapshot of model %s needs the digest of its file", spec->model);
	if (spec->sessions > SESSIONS_MAX)
		return error_set(err, EXP_EINVAL, "at most %d predictions can run at a time", SESSIONS_MAX);
	return 0;
}

int snapshot_new(const struct snapshot_spec *spec, struct snapshot **out, struct exp_error *err)
{
	struct sessions *sessions;
	struct snapshot *s;
	int rc = check_spec(spec, err);

	if (!rc)
		rc = sessions_new(spec->graph, spec->sessions ? spec->sessions : SESSIONS,
				  spec->batch ? spec->batch : BATCH, &sessions, err);
	if (rc)
		return rc;
	s = mem_alloc(sizeof(*s));
	strcpy(s->model, spec->model);
	strcpy(s->sha256, spec->sha256);
	s->graph = graph_ref(spec->graph);
	s->params = spec->params;
	s->sessions = sessions;
	atomic_init(&s->last_served_ms, 0);
	*out = s;
	return 0;
}

void snapshot_wipe(struct snapshot *s)
{
	params_free(s->params);
	sessions_free(s->sessions);
	graph_unref(s->graph);
	s->params = NULL;
	s->sessions = NULL;
	s->graph = NULL;
}

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	snapshot_wipe(s);
	mem_free(s);
}
