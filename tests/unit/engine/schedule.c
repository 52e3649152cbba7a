#include "engine/schedule.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/file.h"

enum { CASES = 15, STEPS = 30 };

static int parse(const char *text, struct schedule *s, struct exp_error *err)
{
	json_t *json = NULL;
	int rc = json_parse(text, strlen(text), &json, err);

	cr_assert_eq(rc, 0, "%s", text);
	rc = schedule_from_json(json, "/schedule", s, err);
	json_decref(json);
	return rc;
}

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static void follow(const json_t *golden, const json_t *one)
{
	struct schedule_run run = { .learning_rate = number(golden, "learning_rate"),
				    .momentum = number(golden, "momentum"),
				    .steps_an_epoch = (uint64_t)number(golden, "steps_an_epoch"),
				    .epochs = (uint64_t)number(golden, "epochs") };
	const json_t *rates = json_object_get(one, "rates"), *momenta = json_object_get(one, "momenta");
	char *text = json_dumps(json_object_get(one, "schedule"), JSON_COMPACT);
	struct schedule s;

	cr_assert_eq(parse(text, &s, NULL), 0, "%s", text);
	cr_assert_eq(json_array_size(rates), STEPS);
	for (size_t step = 0; step < STEPS; step++) {
		struct schedule_point at = schedule_at(&s, &run, step);
		double rate = json_number_value(json_array_get(rates, step));
		double momentum = json_number_value(json_array_get(momenta, step));

		cr_assert_float_eq(at.rate, rate, 1e-12, "%s, step %zu: %.17g, not %.17g", text, step, at.rate, rate);
		cr_assert_float_eq(at.momentum, momentum, 1e-12, "%s, step %zu", text, step);
	}
	free(text);
}

/* tools/golden/make_train_goldens.py */
Test(schedule, follows_pytorch)
{
	struct buf text = { 0 };
	json_t *golden = NULL, *cases;

	cr_assert_eq(file_read(GOLDEN "/train/schedules.json", 1 << 20, &text, NULL), 0);
	cr_assert_eq(json_parse(text.data, text.size, &golden, NULL), 0);
	cases = json_object_get(golden, "cases");
	cr_assert_eq(json_array_size(cases), CASES);
	for (size_t i = 0; i < CASES; i++)
		follow(golden, json_array_get(cases, i));
	buf_fini(&text);
	json_decref(golden);
}

/* Rows leave, and with them steps: a curve without t_max still ends where the run ends. */
Test(schedule, a_curve_without_length_ends_with_the_run)
{
	struct schedule_run run = { .learning_rate = 1, .epochs = 3 };
	struct schedule s;

	cr_assert_eq(parse("{\"kind\":\"linear\",\"unit\":\"steps\",\"eta_min\":0.25,\"warmup\":2}", &s, NULL), 0);
	for (run.steps_an_epoch = 2; run.steps_an_epoch < 9; run.steps_an_epoch++) {
		uint64_t total = run.epochs * run.steps_an_epoch;

		cr_assert_eq(schedule_at(&s, &run, 2).rate, 1);
		cr_assert_float_eq(schedule_at(&s, &run, total).rate, 0.25, 1e-15);
		cr_assert_gt(schedule_at(&s, &run, total - 1).rate, 0.25);
	}
}

/* A fine-tune can be shorter than the warm-up and than a cycle's first part. */
Test(schedule, short_runs_have_finite_rates)
{
	static const char *const texts[] = {
		"{\"kind\":\"cosine\",\"unit\":\"steps\",\"warmup\":500}",
		"{\"kind\":\"linear\",\"warmup\":3}",
		"{\"kind\":\"one_cycle\"}",
		"{\"kind\":\"one_cycle\",\"unit\":\"epochs\",\"pct_start\":0.5}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct schedule s;

		cr_assert_eq(parse(texts[i], &s, NULL), 0);
		for (uint64_t epochs = 1; epochs <= 4; epochs++) {
			struct schedule_run run = { .learning_rate = 1, .steps_an_epoch = 1, .epochs = epochs };

			for (uint64_t step = 0; step < epochs; step++) {
				double rate = schedule_at(&s, &run, step).rate;

				cr_assert(rate > 0 && rate <= 1, "%s, step %llu of %llu: %g", texts[i],
					  (unsigned long long)step, (unsigned long long)epochs, rate);
			}
		}
	}
}

Test(schedule, survives_a_round_trip)
{
	static const char *const texts[] = {
		"{\"kind\":\"constant\",\"unit\":\"epochs\",\"warmup\":3,\"warmup_start_factor\":0.5}",
		"{\"kind\":\"step\",\"unit\":\"steps\",\"warmup\":0,\"warmup_start_factor\":0.25,\"step_size\":30,"
		"\"gamma\":0.5}",
		"{\"kind\":\"multistep\",\"unit\":\"epochs\",\"warmup\":0,\"warmup_start_factor\":0.25,\"milestones\":["
		"3,80],\"gamma\":0.125}",
		"{\"kind\":\"cosine\",\"unit\":\"epochs\",\"warmup\":0,\"warmup_start_factor\":0.25,\"t_max\":9,"
		"\"eta_min\":0.0}",
		"{\"kind\":\"linear\",\"unit\":\"steps\",\"warmup\":0,\"warmup_start_factor\":0.25,\"eta_min\":0.5}",
		"{\"kind\":\"one_cycle\",\"unit\":\"epochs\",\"pct_start\":0.25,\"div_factor\":10.0,"
		"\"final_div_factor\":100.0,\"anneal_strategy\":\"linear\",\"cycle_momentum\":false,"
		"\"base_momentum\":0.5,\"max_momentum\":0.75}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct buf text = { 0 };
		struct schedule s;
		json_t *json;

		cr_assert_eq(parse(texts[i], &s, NULL), 0, "%s", texts[i]);
		json = schedule_to_json(&s);
		json_write(json, false, &text);
		cr_assert_str_eq(text.data, texts[i]);
		json_decref(json);
		buf_fini(&text);
	}
}

Test(schedule, names_the_field_at_fault)
{
	static const struct {
		const char *text, *pointer;
	} cases[] = {
		{ "{}", "/schedule/kind" },
		{ "{\"kind\":\"exponential\"}", "/schedule/kind" },
		{ "{\"kind\":\"step\"}", "/schedule/step_size" },
		{ "{\"kind\":\"step\",\"step_size\":0}", "/schedule/step_size" },
		{ "{\"kind\":\"step\",\"step_size\":3,\"t_max\":9}", "/schedule/t_max" },
		{ "{\"kind\":\"multistep\"}", "/schedule/milestones" },
		{ "{\"kind\":\"multistep\",\"milestones\":[]}", "/schedule/milestones" },
		{ "{\"kind\":\"multistep\",\"milestones\":7}", "/schedule/milestones" },
		{ "{\"kind\":\"multistep\",\"milestones\":[1,2.5]}", "/schedule/milestones/1" },
		{ "{\"kind\":\"multistep\",\"milestones\":[0]}", "/schedule/milestones/0" },
		{ "{\"kind\":\"multistep\",\"milestones\":[3,7,7]}", "/schedule/milestones/2" },
		{ "{\"kind\":\"cosine\",\"gamma\":0.1}", "/schedule/gamma" },
		{ "{\"kind\":\"cosine\",\"t_max\":-1}", "/schedule/t_max" },
		{ "{\"kind\":\"cosine\",\"unit\":\"hours\"}", "/schedule/unit" },
		{ "{\"kind\":\"linear\",\"warmup\":-1}", "/schedule/warmup" },
		{ "{\"kind\":\"linear\",\"warmup_start_factor\":1.5}", "/schedule/warmup_start_factor" },
		{ "{\"kind\":\"one_cycle\",\"warmup\":5}", "/schedule/warmup" },
		{ "{\"kind\":\"one_cycle\",\"pct_start\":1}", "/schedule/pct_start" },
		{ "{\"kind\":\"one_cycle\",\"max_momentum\":0.5}", "/schedule/base_momentum" },
		{ "{\"kind\":\"constant\",\"period\":5}", "/schedule/period" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exp_error err = { 0 };
		struct schedule s;

		cr_assert_eq(parse(cases[i].text, &s, &err), EXP_EFIELD, "%s", cases[i].text);
		cr_assert_str_eq(err.pointer, cases[i].pointer, "%s: %s", cases[i].text, err.message);
	}
}

Test(schedule, has_room_for_so_many_milestones)
{
	struct schedule s;
	struct buf text = { 0 };

	for (int i = 0; i <= SCHEDULE_MILESTONES; i++)
		buf_format(&text, i ? ",%d" : "{\"kind\":\"multistep\",\"milestones\":[%d", i + 1);
	buf_add_text(&text, "]}");
	cr_assert_eq(parse(text.data, &s, NULL), EXP_EFIELD);
	buf_fini(&text);
}
