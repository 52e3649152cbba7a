#include "workers/selection.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/files.h"
#include "storage/policies.h"
#include "storage/requests.h"
#include "workers/settle.h"

enum { JSON_FILE_MAX = 1 << 24 };

int selection_policy(struct db *db, const struct stored_model *model, struct policy *out, struct exp_error *err)
{
	struct stored_policy stored;
	json_t *json = NULL;
	int rc;

	policy_default(out);
	if (!model->has_policy)
		return 0;
	rc = policies_get(db, model->policy, &stored, err);
	if (rc)
		return rc;
	rc = json_parse(stored.body, strlen(stored.body), &json, err);
	if (!rc)
		rc = policy_from_json(json, "/policy", out, err);
	json_decref(json);
	stored_policy_fini(&stored);
	return rc ? error_wrap(err, EXP_ECORRUPT, "the stored policy of model %s", model->name) : 0;
}

static int parse_recipe(struct selection *s, struct exp_error *err)
{
	json_t *json = NULL;
	int rc;

	if (!s->model.recipe)
		return 0;
	rc = json_parse(s->model.recipe, strlen(s->model.recipe), &json, err);
	if (!rc)
		rc = recipe_from_json(json, "/recipe", &s->recipe, err);
	json_decref(json);
	s->has_recipe = !rc;
	return rc ? error_wrap(err, EXP_ECORRUPT, "the stored recipe of model %s", s->model.name) : 0;
}

static bool has_subject(const struct group *g, int64_t subject)
{
	for (size_t i = 0; i < g->subject_count; i++)
		if (g->subjects[i] == subject)
			return true;
	return false;
}

static bool shares_subject(const struct group *g, const struct subject_list *subjects)
{
	for (size_t i = 0; i < subjects->count; i++)
		if (has_subject(g, subjects->items[i]))
			return true;
	return false;
}

static void add_subjects(struct group *g, const struct subject_list *subjects)
{
	int64_t *all = mem_alloc((g->subject_count + subjects->count) * sizeof(*all));
	size_t n = g->subject_count;

	if (n)
		memcpy(all, g->subjects, n * sizeof(*all));
	for (size_t i = 0; i < subjects->count; i++)
		if (!has_subject(g, subjects->items[i]))
			all[n++] = subjects->items[i];
	mem_free(g->subjects);
	g->subjects = all;
	g->subject_count = n;
}

/* Group g takes in group other, which the last group replaces. */
static void merge_groups(struct selection *s, size_t g, size_t other)
{
	struct subject_list subjects = { s->groups[other].subjects, s->groups[other].subject_count };
	size_t last = --s->group_count;

	add_subjects(&s->groups[g], &subjects);
	mem_free(s->groups[other].subjects);
	s->groups[other] = s->groups[last];
	s->groups[last] = (struct group){ 0 };
	for (size_t i = 0; i < s->request_count; i++) {
		if (s->requests[i].group == other)
			s->requests[i].group = g;
		if (s->requests[i].group == last)
			s->requests[i].group = other;
	}
}

/* The group of a person: identities may tie together what earlier requests had kept apart. */
static size_t group_of(struct selection *s, const struct subject_list *subjects)
{
	size_t found = SIZE_MAX;

	for (size_t g = 0; g < s->group_count;) {
		if (!shares_subject(&s->groups[g], subjects)) {
			g++;
		} else if (found == SIZE_MAX) {
			found = g++;
		} else {
			merge_groups(s, found, g);
		}
	}
	if (found == SIZE_MAX)
		found = s->group_count++;
	add_subjects(&s->groups[found], subjects);
	return found;
}

/* One request of the job, unless it is over already; on this model suffices, but for the last step, which may have been
 * cut off between closing the model and completing the request. */
static int add_request(struct db *db, const struct run *r, struct selection *s, const char *id, struct exp_error *err)
{
	struct subject_list subjects = { 0 };
	struct stored_request request;
	struct request_model fare;
	size_t group;
	int rc = requests_get(db, id, &request, err);

	if (!rc)
		rc = settle_fare(db, id, s->model.name, &fare, err);
	if (rc || request_status_is_closed(request.status))
		return rc;
	if (request_status_is_closed(fare.status) && r->job.state != JOB_ERASING)
		return 0;
	rc = requests_subjects(db, id, &subjects, err);
	if (rc)
		return rc;
	group = group_of(s, &subjects);
	memcpy(s->requests[s->request_count].request, request.id, sizeof(request.id));
	s->requests[s->request_count++].group = group;
	subject_list_fini(&subjects);
	return 0;
}

static int add_requests(struct db *db, const struct run *r, struct selection *s, struct exp_error *err)
{
	struct id_list ids = { 0 };
	int rc = jobs_requests(db, r->job.id, &ids, err);

	s->requests = mem_alloc(ids.count * sizeof(*s->requests));
	s->groups = mem_alloc(ids.count * sizeof(*s->groups));
	for (size_t i = 0; !rc && i < ids.count; i++)
		rc = add_request(db, r, s, ids.items[i], err);
	id_list_fini(&ids);
	return rc;
}

static int read_storage(const struct run *r, struct selection *s, struct exp_error *err)
{
	struct db *db;
	int rc = reader_take(r->options->store, &db, err);

	if (rc)
		return rc;
	rc = models_get(db, r->job.model, &s->model, err);
	if (!rc)
		rc = selection_policy(db, &s->model, &s->policy, err);
	if (!rc)
		rc = add_requests(db, r, s, err);
	reader_give(r->options->store, db);
	if (!rc)
		policy_digest(&s->policy, s->policy_digest);
	return rc;
}

static int view_group(const struct selection *s, struct group *g, struct exp_error *err)
{
	struct dataset_view all = { 0 };
	int rc = dataset_view_init(&g->train, s->dataset, DATASET_FORGET, g->subjects, g->subject_count);

	if (!rc)
		rc = dataset_view_init(&all, s->dataset, DATASET_ERASE, g->subjects, g->subject_count);
	g->heldout_count = all.source.rows - g->train.source.rows;
	dataset_view_fini(&all);
	return rc ? error_set(err, rc, "the rows of dataset %s do not fit into memory", s->model.dataset) : 0;
}

/* What the served model has seen and what it never saw, once everybody in this job is named. */
static int view_population(struct selection *s, struct exp_error *err)
{
	struct group everybody = { 0 };
	int rc = 0;

	for (size_t g = 0; !rc && g < s->group_count; g++) {
		struct subject_list subjects = { s->groups[g].subjects, s->groups[g].subject_count };

		add_subjects(&everybody, &subjects);
		rc = view_group(s, &s->groups[g], err);
	}
	if (!rc)
		rc = dataset_view_init(&s->train, s->dataset, DATASET_TRAIN, everybody.subjects,
				       everybody.subject_count);
	if (!rc)
		rc = dataset_view_init(&s->heldout, s->dataset, DATASET_HELDOUT, everybody.subjects,
				       everybody.subject_count);
	mem_free(everybody.subjects);
	s->population = (struct population){ .source = dataset_all(s->dataset),
					     .train = { s->train.rows, s->train.source.rows },
					     .heldout = { s->heldout.rows, s->heldout.source.rows },
					     .train_units = s->train.units,
					     .heldout_units = s->heldout.units };
	return rc;
}

char *selection_importance_path(const char *folder, const char *sha256)
{
	return mem_format("%s/importance-%s.safetensors", folder, sha256);
}

static int load_calibration(const char *folder, struct selection *s, struct exp_error *err)
{
	char *path = file_join(folder, "calibration.json");
	struct buf text = { 0 };
	json_t *json = NULL;
	int rc = 0;

	if (file_exists(path)) {
		rc = file_read(path, JSON_FILE_MAX, &text, err);
		if (!rc)
			rc = json_parse(text.data, text.size, &json, err);
		if (!rc)
			rc = calibration_from_json(json, &s->calibration, err);
		s->has_calibration = !rc;
	}
	json_decref(json);
	buf_fini(&text);
	mem_free(path);
	return rc;
}

static int load_scores(const char *folder, struct selection *s, struct exp_error *err)
{
	char *path = calibrate_scores_path(folder);
	int rc = file_exists(path) ? scores_load(path, &s->scores, err) : 0;

	s->has_scores = !rc && s->scores.models;
	mem_free(path);
	return rc;
}

/* An importance that does not go with the live weights is no use: erasure computes a fresh one then. */
static int load_importance(const char *folder, struct selection *s, struct exp_error *err)
{
	char *path = selection_importance_path(folder, s->live->sha256);
	int rc = file_exists(path) ? importance_load(s->live->graph, path, &s->importance, err) : 0;

	s->has_importance = !rc && s->importance.sum;
	mem_free(path);
	return rc;
}

static int load_files(const struct run *r, struct selection *s, struct exp_error *err)
{
	char *folder = model_folder(r->options->data_folder, r->job.model);
	int rc = load_calibration(folder, s, err);

	if (!rc)
		rc = load_scores(folder, s, err);
	if (!rc && s->model.live_version)
		rc = models_take(r->options->models, r->job.model, 0, &s->live, err);
	if (!rc && s->live)
		rc = load_importance(folder, s, err);
	mem_free(folder);
	return rc;
}

int selection_load(const struct run *r, struct selection *s, struct exp_error *err)
{
	int rc;

	*s = (struct selection){ 0 };
	rc = read_storage(r, s, err);
	if (!rc)
		rc = parse_recipe(s, err);
	if (!rc)
		rc = dataset_open(r->options->store, r->options->data_folder, s->model.dataset, &s->dataset, err);
	if (!rc)
		rc = view_population(s, err);
	if (!rc)
		rc = load_files(r, s, err);
	if (rc)
		selection_fini(r, s);
	return rc;
}

size_t selection_lists(const struct selection *s, struct row_list *lists, size_t *indices)
{
	size_t n = 0;

	for (size_t g = 0; g < s->group_count; g++) {
		const struct dataset_view *train = &s->groups[g].train;

		indices[g] = train->source.rows ? n : SIZE_MAX;
		if (train->source.rows)
			lists[n++] = (struct row_list){ train->rows, train->source.rows };
	}
	return n;
}

void selection_fini(const struct run *r, struct selection *s)
{
	for (size_t g = 0; g < s->group_count; g++) {
		mem_free(s->groups[g].subjects);
		dataset_view_fini(&s->groups[g].train);
	}
	mem_free(s->groups);
	mem_free(s->requests);
	dataset_view_fini(&s->train);
	dataset_view_fini(&s->heldout);
	if (s->live)
		models_give(r->options->models, s->live);
	if (s->has_scores)
		scores_fini(&s->scores);
	if (s->has_importance)
		importance_fini(&s->importance);
	dataset_close(s->dataset);
	stored_model_fini(&s->model);
	*s = (struct selection){ 0 };
}
