/*
 * onnx_suite.h: ONNX's own tests of operators, run against the engine.
 *
 * A case is a folder with model.onnx and data sets test_data_set_0, test_data_set_1 …, each with input_0.pb … and
 * output_0.pb … (serialized TensorProto), as onnx.backend.test writes them and Debian's libonnx-testdata has them. The
 * graph is loaded whole (no batch dimension), fed with the inputs in its own order, and every output is compared with
 * the tolerance that ONNX's runner uses: |found - expected| <= 1e-7 + 1e-3 |expected|; integers and booleans exactly.
 *
 * Cases are files from elsewhere: nothing in them is trusted. Ownership: onnx_suite_fini frees everything; texts of a
 * case belong to its suite. Threads: any, one to a suite.
 */
#ifndef ENGINE_ONNX_SUITE_H
#define ENGINE_ONNX_SUITE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "engine/arena.h"

enum onnx_verdict {
	ONNX_PASSED,
	ONNX_FAILED,      /* a wrong result, or a refusal for another reason than a feature that is missing */
	ONNX_UNSUPPORTED, /* the engine said EXP_EUNSUPPORTED */
};

struct onnx_case {
	const char
	    *name; /* the folder, from the argument on: "node/test_add"; the argument's own last part otherwise */
	const char *folder; /* to open */
	enum onnx_verdict verdict;
	struct exp_error why;         /* code 0 when passed; else what, and for a wrong result where */
	const char *const *operators; /* operators that the engine does not know, each once, sorted */
	size_t operator_count;
	double deviation; /* of a wrong number: |found - expected|, the largest against its tolerance; else 0 */
};

struct onnx_suite {
	struct arena arena;
	struct onnx_case *cases; /* sorted by name */
	size_t count, room;
};

/* Adds the cases in folder, at any depth up to 16, or folder itself when it is one. glob (fnmatch, of the whole name;
 * NULL: all) chooses. EXP_ENOTFOUND when there is none at all, EXP_EIO, EXP_EMEMORY. Start from a zeroed struct. */
EXP_NODISCARD int onnx_suite_find(struct onnx_suite *s, const char *folder, const char *glob, struct exp_error *err);

/* Runs one case and fills verdict and what follows it. EXP_EMEMORY; all else is a verdict. */
EXP_NODISCARD int onnx_suite_run(struct onnx_suite *s, struct onnx_case *c, struct exp_error *err);

/* "passed", "failed", "unsupported". */
const char *onnx_verdict_name(enum onnx_verdict verdict);

void onnx_suite_fini(struct onnx_suite *s);

#endif
