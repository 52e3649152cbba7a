/* The table of methods, their parameters, and both methods run on a real small network. */
#include "unlearn/method.h"

#include <criterion/criterion.h>
#include <string.h>

#include "engine/train.h"
#include "tests/unit/engine/mlp_fixture.h"
#include "unlearn/retrain.h"
#include "unlearn/ssd.h"

static const struct recipe recipe = {
	.optimizer = RECIPE_SGD, .learning_rate = 0.05, .momentum = 0.9, .epochs = 3, .batch = 8
};
static const size_t forget_rows[] = { 3, 4, 20 };

struct fixture {
	struct mlp mlp;
	size_t retain_rows[MLP_ROWS];
	struct source_subset forget, retain;
	struct importance all;
};

static void set_up(struct fixture *f)
{
	size_t n = 0;

	mlp_open(&f->mlp, 8);
	for (size_t i = 0; i < MLP_ROWS; i++)
		if (i != 3 && i != 4 && i != 20)
			f->retain_rows[n++] = i;
	source_subset_init(&f->forget, &f->mlp.rows.source, forget_rows, 3);
	source_subset_init(&f->retain, &f->mlp.rows.source, f->retain_rows, n);
	cr_assert_eq(importance_compute(f->mlp.session, f->mlp.params, &f->mlp.rows.source, NULL, &f->all, NULL), 0);
}

static void tear_down(struct fixture *f)
{
	importance_fini(&f->all);
	mlp_close(&f->mlp);
}

static struct method_input input_of(const struct fixture *f)
{
	struct method_input in = { .session = f->mlp.session,
				   .forget = &f->forget.source,
				   .retain = &f->retain.source,
				   .importance = &f->all,
				   .initial = f->mlp.params,
				   .recipe = &recipe,
				   .parameters = { 2, 1 },
				   .seed = 11 };

	return in;
}

Test(methods, are_found_by_name)
{
	cr_assert_eq(method_find("ssd"), &ssd_method);
	cr_assert_eq(method_find("retrain"), &retrain_method);
	cr_assert_null(method_find("magic"));
	for (size_t i = 0; i < method_count(); i++) {
		cr_assert_eq(method_find(method_at(i)->name), method_at(i));
		cr_assert_leq(method_at(i)->parameter_count, (size_t)METHOD_MAX_PARAMETERS);
	}
	cr_assert_str_eq(method_class_name(retrain_method.class), "exact");
	cr_assert_str_eq(method_class_name(ssd_method.class), "approximate");
}

static int parse(const char *text, double *values, struct exp_error *err)
{
	json_t *object = NULL;
	int rc;

	cr_assert_eq(json_parse(text, strlen(text), &object, NULL), 0);
	rc = method_parse(&ssd_method, object, "/parameters", values, err);
	json_decref(object);
	return rc;
}

Test(methods, parse_their_parameters)
{
	double values[METHOD_MAX_PARAMETERS] = { 0 };
	json_t *back;

	cr_assert_eq(parse("{\"alpha\": 12.5}", values, NULL), 0);
	cr_assert_eq(values[SSD_ALPHA], 12.5);
	cr_assert_eq(values[SSD_LAMBDA], 1, "the fallback");
	back = method_parameters_json(&ssd_method, values);
	cr_assert_eq(json_number_value(json_object_get(back, "alpha")), 12.5);
	cr_assert_eq(json_object_size(back), 2);
	json_decref(back);
}

Test(methods, name_the_parameter_at_fault)
{
	static const struct {
		const char *text, *pointer;
	} cases[] = {
		{ "{}", "/parameters/alpha" },
		{ "{\"alpha\": 0}", "/parameters/alpha" },
		{ "{\"alpha\": \"10\"}", "/parameters/alpha" },
		{ "{\"alpha\": 10, \"lambda\": -1}", "/parameters/lambda" },
		{ "{\"alpha\": 10, \"gamma\": 1}", "/parameters/gamma" },
		{ "[1]", "/parameters" },
	};
	double values[METHOD_MAX_PARAMETERS];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exp_error err = { 0 };

		cr_assert_eq(parse(cases[i].text, values, &err), EXP_EFIELD, "%s", cases[i].text);
		cr_assert_str_eq(err.pointer, cases[i].pointer);
	}
}

Test(methods, say_what_they_miss)
{
	struct fixture f;
	struct method_input in;
	struct method_report report;
	struct exp_error err = { 0 };

	set_up(&f);
	in = input_of(&f);
	in.importance = NULL;
	cr_assert_eq(method_missing(&ssd_method, &in), METHOD_NEEDS_IMPORTANCE);
	cr_assert_eq(method_run(&ssd_method, &in, f.mlp.params, &report, &err), EXP_EINVAL);
	cr_assert_not_null(strstr(err.message, "importances"));
	in.recipe = NULL;
	cr_assert_eq(method_missing(&retrain_method, &in), METHOD_NEEDS_RECIPE);
	in = input_of(&f);
	in.parameters[SSD_ALPHA] = 0;
	cr_assert_eq(method_run(&ssd_method, &in, f.mlp.params, &report, &err), EXP_EINVAL);
	cr_assert_not_null(strstr(err.message, "alpha"));
	tear_down(&f);
}

Test(methods, dampen_with_the_forget_rows_importance)
{
	struct fixture f;
	struct method_input in;
	struct method_report report;
	struct importance forget = { 0 };
	struct params *a = NULL, *b = NULL;
	uint64_t selected;

	set_up(&f);
	in = input_of(&f);
	cr_assert_eq(params_clone(f.mlp.params, &a), 0);
	cr_assert_eq(params_clone(f.mlp.params, &b), 0);
	cr_assert_eq(method_run(&ssd_method, &in, a, &report, NULL), 0);
	cr_assert_eq(importance_compute(f.mlp.session, b, &f.forget.source, NULL, &forget, NULL), 0);
	cr_assert_eq(ssd_dampen(b, &f.all, &forget, 2, 1, &selected), 0);
	cr_assert_eq(memcmp(a->values, b->values, MLP_FLOATS * sizeof(float)), 0);
	cr_assert_eq(report.edited, selected);
	cr_assert_eq(report.parameters, MLP_FLOATS);
	cr_assert_gt(selected, 0);
	importance_fini(&forget);
	params_free(a);
	params_free(b);
	tear_down(&f);
}

Test(methods, retrain_on_the_retained_rows_alone)
{
	struct fixture f;
	struct method_input in;
	struct method_report report;
	struct params *a = NULL, *b = NULL;

	set_up(&f);
	in = input_of(&f);
	cr_assert_eq(params_clone(f.mlp.params, &a), 0);
	cr_assert_eq(params_clone(f.mlp.params, &b), 0);
	cr_assert_eq(method_run(&retrain_method, &in, a, &report, NULL), 0);
	cr_assert_eq(train_initialize(&recipe, 11, f.mlp.params, b, NULL), 0);
	cr_assert_eq(train_run(f.mlp.session, &recipe, 11, &f.retain.source, b, NULL, NULL), 0);
	cr_assert_eq(memcmp(a->values, b->values, MLP_FLOATS * sizeof(float)), 0, "the same bits");
	cr_assert_neq(memcmp(a->values, f.mlp.params->values, MLP_FLOATS * sizeof(float)), 0);
	params_free(a);
	params_free(b);
	tear_down(&f);
}

static bool stop(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	(void)done;
	(void)total;
	return true;
}

Test(methods, stop_when_they_are_told_to)
{
	struct fixture f;
	struct method_input in;
	struct method_report report;
	struct progress progress = { stop, NULL };

	set_up(&f);
	in = input_of(&f);
	in.progress = &progress;
	cr_assert_eq(method_run(&retrain_method, &in, f.mlp.params, &report, NULL), EXP_ECANCELLED);
	cr_assert_eq(method_run(&ssd_method, &in, f.mlp.params, &report, NULL), EXP_ECANCELLED);
	tear_down(&f);
}
