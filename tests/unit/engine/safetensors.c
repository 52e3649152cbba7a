#include "engine/safetensors.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "mlp_fixture.h"

/* Writes a file with this header text and data_size bytes of zeros. */
static void write_file(const char *path, const char *header, size_t data_size)
{
	struct buf b = { 0 };
	uint64_t length = strlen(header);
	static const char zeros[1024];

	buf_add(&b, &length, sizeof(length));
	buf_add_text(&b, header);
	buf_add(&b, zeros, data_size);
	cr_assert_eq(file_write_durable(path, b.data, b.size, NULL), 0);
	buf_fini(&b);
}

Test(safetensors, survives_a_round_trip)
{
	json_t *metadata = json_pack("{s:s}", "made by", "a test"), *found = NULL;
	struct params *loaded = NULL;
	struct mlp m;
	char *path;

	mlp_open(&m, 4);
	path = file_join(m.folder, "w.safetensors");
	cr_assert_eq(safetensors_save(path, m.params, metadata, NULL), 0);
	cr_assert_eq(safetensors_load(m.graph, path, &loaded, &found, NULL), 0);
	cr_assert_eq(memcmp(loaded->values, m.params->values, m.params->count * sizeof(float)), 0);
	cr_assert(json_equal(metadata, found));
	json_decref(metadata);
	json_decref(found);
	params_free(loaded);
	mem_free(path);
	mlp_close(&m);
}

/* Written by the generator's own few lines of Python, not by ours. */
Test(safetensors, reads_what_others_wrote)
{
	struct params *loaded = NULL;
	json_t *metadata = NULL;
	struct mlp m;

	mlp_open(&m, 4);
	cr_assert_eq(safetensors_load(m.graph, GOLDEN "/offline/mlp_sum.safetensors", &loaded, &metadata, NULL), 0);
	cr_assert_str_eq(json_string_value(json_object_get(metadata, "rows")), "37");
	json_decref(metadata);
	params_free(loaded);
	mlp_close(&m);
}

#define HB(offsets) "\"hidden.bias\":{\"dtype\":\"F32\",\"shape\":[7],\"data_offsets\":" offsets "}"
#define HW(offsets) "\"hidden.weight\":{\"dtype\":\"F32\",\"shape\":[7,5],\"data_offsets\":" offsets "}"
#define OB(offsets) "\"output.bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":" offsets "}"
#define OW(offsets) "\"output.weight\":{\"dtype\":\"F32\",\"shape\":[3,7],\"data_offsets\":" offsets "}"
#define REST        "," HB("[0,28]") "," OB("[168,180]") "," OW("[180,264]") "}"

Test(safetensors, refuses_broken_files)
{
	static const struct {
		const char *header;
		size_t size;
		int code;
	} cases[] = {
		{ "{" HW("[28,168]") REST, 264, 0 },
		{ "{\"__metadata__\":{\"a\":\"b\"}," HW("[28,168]") REST, 264, 0 },
		{ "", 264, EXP_EPARSE },
		{ "[]", 264, EXP_EPARSE },
		{ "{}", 0, EXP_EFIELD },
		{ "{" HW("[28,168]") REST, 263, EXP_EPARSE },
		{ "{" HW("[28,168]") REST, 265, EXP_EPARSE },
		{ "{" HW("[0,140]") REST, 264, EXP_EPARSE },
		{ "{" HW("[168,28]") REST, 264, EXP_EPARSE },
		{ "{" HW("[-112,28]") REST, 264, EXP_EPARSE },
		{ "{" HW("[28,164]") REST, 264, EXP_ESHAPE },
		{ "{" HW("[28]") REST, 264, EXP_EPARSE },
		{ "{" HW("28") REST, 264, EXP_EPARSE },
		{ "{" HW("[28,1e2]") REST, 264, EXP_EPARSE },
		{ "{" HW("[28,9223372036854775807]") REST, 264, EXP_EPARSE },
		{ "{\"extra\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}," HW("[28,168]") REST, 264,
		  EXP_EFIELD },
		{ "{\"hidden.weight\":{\"dtype\":\"F16\",\"shape\":[7,5],\"data_offsets\":[28,168]}" REST, 264,
		  EXP_EUNSUPPORTED },
		{ "{\"hidden.weight\":{\"dtype\":\"F32\",\"shape\":[5,7],\"data_offsets\":[28,168]}" REST, 264,
		  EXP_ESHAPE },
		{ "{\"hidden.weight\":{\"dtype\":\"F32\",\"shape\":[35],\"data_offsets\":[28,168]}" REST, 264,
		  EXP_ESHAPE },
		{ "{\"hidden.weight\":[]" REST, 264, EXP_EUNSUPPORTED },
		{ "{" HW("[28,168]") "," HW("[28,168]") REST, 264, EXP_EPARSE },
		{ "{\"__metadata__\":{\"a\":1}," HW("[28,168]") REST, 264, EXP_EPARSE },
		{ "{\"__metadata__\":7," HW("[28,168]") REST, 264, EXP_EPARSE },
	};
	struct mlp m;
	char *path;

	mlp_open(&m, 4);
	path = file_join(m.folder, "bad.safetensors");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct params *loaded = NULL;
		struct exp_error err = { 0 };

		write_file(path, cases[i].header, cases[i].size);
		cr_assert_eq(safetensors_load(m.graph, path, &loaded, NULL, &err), cases[i].code, "%s: %s",
			     cases[i].header, err.message);
		params_free(loaded);
	}
	mem_free(path);
	mlp_close(&m);
}

Test(safetensors, refuses_every_truncation_and_wild_lengths)
{
	struct buf whole = { 0 };
	struct params *loaded = NULL;
	struct mlp m;
	char *path;

	mlp_open(&m, 4);
	path = file_join(m.folder, "cut.safetensors");
	cr_assert_eq(file_read(GOLDEN "/offline/mlp_sum.safetensors", 1 << 16, &whole, NULL), 0);
	for (size_t cut = 0; cut < whole.size; cut += 7) {
		cr_assert_eq(file_write_durable(path, whole.data, cut, NULL), 0);
		cr_assert_lt(safetensors_load(m.graph, path, &loaded, NULL, NULL), 0, "cut at %zu", cut);
	}
	memset(whole.data, 0xff, 8);
	cr_assert_eq(file_write_durable(path, whole.data, whole.size, NULL), 0);
	cr_assert_eq(safetensors_load(m.graph, path, &loaded, NULL, NULL), EXP_EPARSE);
	buf_fini(&whole);
	mem_free(path);
	mlp_close(&m);
}

Test(safetensors, refuses_numbers_that_are_not_finite)
{
	struct params *loaded = NULL;
	struct exp_error err = { 0 };
	struct mlp m;
	char *path;

	mlp_open(&m, 4);
	path = file_join(m.folder, "nan.safetensors");
	m.params->values[graph_parameter(m.graph, 1)->offset] = (float)NAN;
	cr_assert_eq(safetensors_save(path, m.params, NULL, NULL), 0);
	cr_assert_eq(safetensors_load(m.graph, path, &loaded, NULL, &err), EXP_ENONFINITE);
	cr_assert(strstr(err.message, graph_parameter(m.graph, 1)->name) != NULL, "%s", err.message);
	mem_free(path);
	mlp_close(&m);
}
