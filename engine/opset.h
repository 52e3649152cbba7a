/*
 * opset.h: which opsets the engine reads, and what operators meant before opset 9.
 *
 * Operators are written for opsets 9 to 17. Of older files, those are read whose operators mean the same: most were
 * only given more types since, or lost an attribute that can be checked away (ONNX's Changelog.md, versions 1 to 9).
 */
#ifndef ENGINE_OPSET_H
#define ENGINE_OPSET_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/op.h"

enum { OPSET_OLDEST = 1, OPSET_PLAIN = 9, OPSET_NEWEST = 17 };

/* EXP_EUNSUPPORTED when the operator meant something else in an opset, or did not exist. */
EXP_NODISCARD int opset_check_operator(const struct op *op, int64_t opset, struct exp_error *err);

/* The operator has the attribute: infer knows it, or opset_check_use does. */
bool opset_has_attribute(const struct op *op, int64_t opset, const char *attribute);

/* Before infer, of opsets below OPSET_PLAIN: EXP_EUNSUPPORTED when shapes or attributes of before would make a
 * difference. */
EXP_NODISCARD int opset_check_use(const struct op_build *b, struct exp_error *err);

#endif
