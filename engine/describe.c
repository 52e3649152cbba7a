#include <inttypes.h>
#include <string.h>

#include "engine/graph_internal.h"
#include "engine/plan.h"

static const char *const outputs[] = {
	[GRAPH_LOGITS] = "logits",
	[GRAPH_PROBABILITIES] = "probabilities",
	[GRAPH_LOG_PROBABILITIES] = "log-probabilities",
};

static void describe_ends(const struct graph *g, struct buf *out)
{
	char text[SHAPE_TEXT];

	buf_format(out, "opset       %" PRId64 "\n", g->opset);
	buf_format(out, "input       %s %s, ", graph_input_name(g),
		   shape_format(&g->values[g->input].v.shape, true, text));
	if (g->file_batch)
		buf_format(out, "exported with a batch of %" PRId64 "\n", g->file_batch);
	else
		buf_add_text(out, "any batch\n");
	buf_format(out, "output      %s [N, %zu], %s\n", graph_output_name(g), g->classes, outputs[g->output_kind]);
}

static void describe_nodes(const struct graph *g, struct buf *out)
{
	uint64_t flops = 0;
	char text[SHAPE_TEXT];

	buf_add_text(out, "operators\n");
	for (size_t i = 0; i < g->node_count; i++) {
		const struct graph_node *n = &g->nodes[i];
		const struct op_value *v;

		if (!n->live || n->is_constant || n->phase == PHASE_FOLDED)
			continue;
		v = &g->values[n->output].v;
		flops += n->flops_per_row;
		buf_format(out, "  %-20s %-24s %s\n", n->op_type, shape_format(&v->shape, v->batched, text),
			   n->name ? n->name : "");
	}
	buf_format(out, "work        %" PRIu64 " floating-point operations a row, forward\n", flops);
}

static void describe_parameters(const struct graph *g, struct buf *out)
{
	char text[SHAPE_TEXT];

	buf_format(out, "parameters  %zu in %zu tensors\n", g->parameter_floats, g->parameter_count);
	for (size_t i = 0; i < g->parameter_count; i++)
		buf_format(out, "  %-32s %s\n", g->parameters[i].name,
			   shape_format(&g->values[g->parameter_values[i]].v.shape, false, text));
}

void graph_describe(const struct graph *g, size_t batch, struct buf *out)
{
	struct plan p;

	describe_ends(g, out);
	describe_nodes(g, out);
	describe_parameters(g, out);
	if (batch < 1 || plan_init(&p, g, batch, NULL) != 0)
		return;
	buf_format(out, "memory      %zu KiB at a batch of %zu\n", p.floats * sizeof(float) >> 10, batch);
	plan_fini(&p);
}
