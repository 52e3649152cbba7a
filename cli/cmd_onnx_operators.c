#include <stdio.h>

#include "cli/command.h"
#include "cli/table.h"
#include "engine/op.h"

/* What the engine can do with an operator beside running it. */
static bool has_gradient(const struct op *op)
{
	return op->backward || op->flags & OP_VIEW;
}

static json_t *to_json(const struct op *op)
{
	return json_pack("{s:s, s:b, s:s}", "name", op->name, "gradient", has_gradient(op), "attributes",
			 op->attributes ? op->attributes : "");
}

static void print_all(const struct op *const *all, size_t count)
{
	static const char *const heads[] = { "operator", "gradient", "attributes" };
	struct table t;

	table_init(&t, "lll", heads);
	for (size_t i = 0; i < count; i++) {
		table_add(&t, all[i]->name);
		table_add(&t, has_gradient(all[i]) ? "yes" : "no");
		table_add(&t, all[i]->attributes ? all[i]->attributes : "");
	}
	table_print(&t);
	table_fini(&t);
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct op *const *all;
	json_t *array;
	size_t count;

	(void)options;
	(void)err;
	all = op_all(&count);
	if (!c->json) {
		print_all(all, count);
		return 0;
	}
	array = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, to_json(all[i]));
	command_print_json(json_pack("{s:o}", "operators", array));
	return 0;
}

const struct command cmd_onnx_operators = {
	.group = "onnx",
	.name = "operators",
	.summary = "list the operators that the engine knows",
	.text =
	    "ONNX operators of the default domain, opset 9 to 17, with the attributes that are understood; a file "
	    "with\n"
	    "any other is refused. Operators without a gradient, such as ArgMax, end it. Constant needs no row: its\n"
	    "tensor is read like an initializer.",
	.example = "  expunge onnx operators",
	.run = run,
};
