/*
 * `expunge audit verify`, `expunge-verify` and `expunge audit show` as their users meet them: command lines, exit
 * status, words.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "../proof/sample_log.h"

#define REQUEST "01995b5e-7c00-7000-8000-000000000001"

static char folder[] = "/tmp/expunge-cli-audit-XXXXXX";
static struct sample_log story;
static const uint8_t k[DIGEST_KEY_SIZE] = { 3 };

static void write_to(const char *name, const char *bytes, size_t size)
{
	char *path = file_join(folder, name);

	cr_assert_eq(file_write_durable(path, bytes, size, NULL), 0);
	mem_free(path);
}

static void write_receipt(void)
{
	struct buf file = { 0 };
	struct receipt r;

	sample_log_receipt(&story, story.count - 1, REQUEST, k, &r);
	receipt_build(&r, &file);
	write_to("receipt.tlog-proof", file.data, file.size);
	file.data[file.size / 2] ^= 1;
	write_to("flipped.tlog-proof", file.data, file.size);
	receipt_fini(&r);
	buf_fini(&file);
}

static void write_evidence(void)
{
	struct buf pin = { 0 };
	struct identity ada;
	char *log, *vkey;

	cr_assert(mkdtemp(folder) != NULL);
	sample_log_init(&story);
	sample_log_checkpoint(&story, story.count, &pin);
	write_to("pinned", pin.data, pin.size);
	cr_assert_eq(identity_parse(&ada, "email:ada@example.com", NULL), 0);
	sample_log_erase(&story, REQUEST, k, &ada);
	log = file_join(folder, "log");
	sample_log_publish(&story, story.count, log);
	vkey = note_key_format(&story.key);
	buf_fini(&pin);
	pin = (struct buf){ 0 };
	buf_format(&pin, "%s\n", vkey);
	write_to("vkey", pin.data, pin.size);
	write_to("identity", "email:ada@example.com\n", 22);
	write_receipt();
	identity_fini(&ada);
	buf_fini(&pin);
	mem_free(vkey);
	mem_free(log);
}

static void remove_evidence(void)
{
	char *command = mem_format("rm -rf %s", folder);

	cr_assert_eq(system(command), 0);
	mem_free(command);
	sample_log_fini(&story);
}

TestSuite(cli_audit, .init = write_evidence, .fini = remove_evidence);

/* Runs program with arguments inside the folder; output gets both streams. */
static int run(const char *program, const char *arguments, struct buf *output)
{
	char *command = mem_format("cd %s && { %s %s; } 2>&1", folder, program, arguments);
	FILE *pipe = popen(command, "r");
	char chunk[4096];
	size_t n;
	int status;

	cr_assert(pipe != NULL);
	while ((n = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
		buf_add(output, chunk, n);
	status = pclose(pipe);
	cr_assert(WIFEXITED(status), "%s", command);
	mem_free(command);
	return WEXITSTATUS(status);
}

static const struct {
	const char *arguments;
	int status;
	const char *says;
} cases[] = {
	{ "receipt.tlog-proof --key @vkey", 0, "VERIFIED" },
	{ "receipt.tlog-proof --key \"$(cat vkey)\" --identity email:Ada@Example.com", 0, "good       identity" },
	{ "receipt.tlog-proof --key @vkey --identity @identity --json", 0, "\"identity\": \"good\"" },
	{ "receipt.tlog-proof --key @vkey --identity email:bob@example.com", 1, "not about the identity" },
	{ "receipt.tlog-proof --key @vkey --identity email:bob@example.com --json", 1, "\"verified\": false" },
	{ "flipped.tlog-proof --key @vkey", 1, "" },
	{ "vkey --key @vkey", 1, "its first line is not" },
	{ "log --key @vkey", 0, "VERIFIED" },
	{ "log --key @vkey --checkpoint pinned", 0, "continues the checkpoint" },
	{ "log --key @vkey --checkpoint pinned --json", 0, "\"pinned\": true" },
	{ "log --key @vkey --checkpoint vkey", 1, "pinned checkpoint" },
	{ ". --key @vkey", 1, "checkpoint" },
	{ "log --key @vkey --identity @identity", 3, "goes with a receipt" },
	{ "receipt.tlog-proof --key @vkey --checkpoint pinned", 3, "goes with a log folder" },
	{ "receipt.tlog-proof --key nonsense", 3, "verifier key is malformed" },
	{ "receipt.tlog-proof --key log.example/expunge+00000000+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", 3,
	  "copy it again" },
	{ "receipt.tlog-proof --key @missing", 4, "missing" },
	{ "missing --key @vkey", 4, "missing" },
	{ "receipt.tlog-proof", 2, "--key is missing" },
};

static void check_cases(const char *program)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf output = { 0 };
		int status = run(program, cases[i].arguments, &output);

		cr_assert_eq(status, cases[i].status, "%s: %d: %s", cases[i].arguments, status, output.data);
		cr_assert(strstr(output.data, cases[i].says) != NULL, "%s: %s", cases[i].arguments, output.data);
		cr_assert_eq(strstr(output.data, "bob@"), NULL, "an identity is repeated");
		buf_fini(&output);
	}
}

Test(cli_audit, verify_answers_by_status_and_names_what_is_wrong)
{
	check_cases(EXPUNGE " audit verify");
}

Test(cli_audit, the_auditors_program_answers_the_same)
{
	check_cases(EXPUNGE_VERIFY);
}

Test(cli_audit, a_damaged_log_is_named_by_file_and_entry)
{
	char *path = mem_format("%s/log/tile/entries/000.p/10", folder);
	struct buf bytes = { 0 }, output = { 0 };
	json_t *result = NULL;

	cr_assert_eq(file_read(path, 1 << 20, &bytes, NULL), 0);
	bytes.data[20] ^= 1;
	cr_assert_eq(file_write_durable(path, bytes.data, bytes.size, NULL), 0);
	cr_assert_eq(run(EXPUNGE_VERIFY, "log --key @vkey --json 2>/dev/null", &output), 1);
	cr_assert_eq(json_parse(output.data, output.size, &result, NULL), 0);
	cr_assert_str_eq(json_string_value(json_object_get(result, "file")), "tile/entries/000.p/10");
	cr_assert_eq(json_integer_value(json_object_get(result, "entry")), 0);
	json_decref(result);
	buf_fini(&bytes);
	buf_fini(&output);
	mem_free(path);
}

Test(cli_audit, show_prints_the_leaf)
{
	static const char *const says[] = { REQUEST,   "pass/by_construction", "-0.31", "0.87",
					    "retrain", "Nothing was verified" };
	struct buf output = { 0 };

	cr_assert_eq(run(EXPUNGE, "audit show receipt.tlog-proof", &output), 0);
	for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++)
		cr_assert(strstr(output.data, says[i]) != NULL, "%s is not in %s", says[i], output.data);
	cr_assert_eq(strstr(output.data, "0000000000000000"), NULL, "the padding is not shown");
	buf_fini(&output);
}

Test(cli_audit, help_is_help)
{
	struct buf output = { 0 };

	cr_assert_eq(run(EXPUNGE_VERIFY, "--help", &output), 0);
	cr_assert(strstr(output.data, "--identity") != NULL);
	cr_assert(strstr(output.data, "evidence does not verify") != NULL);
	buf_fini(&output);
	cr_assert_eq(run(EXPUNGE_VERIFY, "--version", &output), 0);
	buf_fini(&output);
}
