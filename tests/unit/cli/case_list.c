#include "cli/case_list.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static const char *const loop[] = { "Loop" }, *const loop_and_scan[] = { "Loop", "Scan" };

static struct onnx_case cases[] = {
	{ .name = "node/test_add", .verdict = ONNX_PASSED },
	{ .name = "node/test_loop", .verdict = ONNX_UNSUPPORTED, .operators = loop, .operator_count = 1 },
	{ .name = "node/test_scan", .verdict = ONNX_UNSUPPORTED, .operators = loop_and_scan, .operator_count = 2 },
	{ .name = "node/test_cast_16", .verdict = ONNX_UNSUPPORTED },
	{ .name = "node/test_cast_b16", .verdict = ONNX_UNSUPPORTED },
	{ .name = "node/test_wrong", .verdict = ONNX_FAILED },
};

static const struct onnx_suite suite = { .cases = cases, .count = sizeof(cases) / sizeof(cases[0]) };

static int read_text(struct case_list *list, const char *text, struct exp_error *err)
{
	char path[] = "/tmp/case_list_XXXXXX";
	int fd = mkstemp(path), rc;

	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	rc = case_list_read(list, path, err);
	unlink(path);
	return rc;
}

/* says: words of the lines, NULL-terminated; as many lines as words. */
static void check(const char *text, bool complete, const char *const *says)
{
	struct exp_error err = { 0 };
	struct case_list list = { 0 };
	struct buf out = { 0 };
	size_t wrong, lines = 0;

	cr_assert_eq(read_text(&list, text, &err), 0, "%s", err.message);
	wrong = case_list_check(&list, &suite, complete, &out);
	for (; says[lines]; lines++)
		cr_expect_not_null(strstr(out.data ? out.data : "", says[lines]), "\"%s\" is not in:\n%s", says[lines],
				   out.data ? out.data : "");
	cr_expect_eq(wrong, lines, "%zu lines:\n%s", wrong, out.data ? out.data : "");
	buf_fini(&out);
	case_list_fini(&list);
}

#define EXACT                                                                                                          \
	"# what is missing\n\noperator Loop  control flow\noperator Scan\tcontrol flow\n"                              \
	"unsupported node/test_cast_*16  half precision\nfailed node/test_wrong  the file contradicts itself\n"
#define SAYS(...) ((const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

Test(case_list, exact)
{
	check(EXACT, true, SAYS());
}

Test(case_list, what_is_not_listed)
{
	check("", true,
	      SAYS("test_loop: the operator Loop", "test_scan: the operator Loop", "test_scan: the operator Scan",
		   "test_cast_16: unsupported", "test_cast_b16: unsupported", "test_wrong: failed"));
	check("operator Loop x\nunsupported node/test_cast_* x\nfailed node/test_wrong x\n", true,
	      SAYS("test_scan: the operator Scan"));
}

Test(case_list, what_is_listed_wrongly)
{
	check(EXACT "unsupported node/test_add x\n", true, SAYS("test_add: passed, but line 7"));
	check(EXACT "unsupported node/test_wr* x\n", true, SAYS("test_wrong: failed, but line 7"));
	check(EXACT "failed node/test_nothing x\n", true, SAYS("line 7: failed node/test_nothing"));
	check(EXACT "operator Add x\n", true, SAYS("line 7: operator Add"));
	check(EXACT "operator Add x\nfailed node/test_nothing x\n", false, SAYS());
}

Test(case_list, broken)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "operator\n", "line 1" },
		{ "\n\noperator Loop\n", "line 3" },
		{ "unsupported node/x   \n", "reason" },
		{ "skipped node/x because\n", "\"skipped\"" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exp_error err = { 0 };
		struct case_list list = { 0 };

		cr_expect_eq(read_text(&list, rows[i].text, &err), EXP_EPARSE);
		cr_expect_not_null(strstr(err.message, rows[i].says), "%s", err.message);
		case_list_fini(&list);
	}
}
