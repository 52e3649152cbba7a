/*
 * DepthToSpace and SpaceToDepth: blocks of pixels to channels and back. Both are a transpose of six axes.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/strided.h"

enum { TO_SPACE, TO_DEPTH };

struct blocks {
	struct strided map;
	size_t size; /* bytes of an element */
};

/* Axes of the image with more pixels: [N, C, H, b, W, b]; of the other: [N, b, b, C, H, W] (DCR), or [N, C, b, b, H, W]
 * (CRD). deep[d]: the place among the other's axes. */
static const size_t dcr[6] = { 0, 3, 4, 1, 5, 2 }, crd[6] = { 0, 1, 4, 2, 5, 3 };

static int read_attributes(const struct op_build *b, size_t *block, const size_t **order, struct exp_error *err)
{
	const char *mode = "DCR";
	int64_t value = 0;
	int rc;

	if ((rc = op_get_int(b, "blocksize", &value, err)) || (rc = op_get_string(b, "mode", &mode, err)))
		return rc;
	if (value < 1 || value > (int64_t)SHAPE_MAX_COUNT)
		return error_set(err, EXP_ESHAPE, "its blocksize is %" PRId64, value);
	if (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0)
		return error_set(err, EXP_EUNSUPPORTED, "the mode \"%.32s\" is not supported", mode);
	*block = (size_t)value;
	*order = strcmp(mode, "DCR") == 0 ? dcr : crd;
	return 0;
}

static int infer_shape(struct op_build *b, size_t block, struct exp_error *err)
{
	const struct shape *x = &b->inputs[0]->shape;
	struct shape *out = &b->outputs[0]->shape;
	bool fits = x->rank == 4 && block <= SHAPE_MAX_COUNT / block;
	char text[SHAPE_TEXT];
	int rc;

	if (fits)
		fits = b->op->variant == TO_SPACE ? x->dims[1] % (block * block) == 0
						  : x->dims[2] % block == 0 && x->dims[3] % block == 0;
	if (!fits)
		return error_set(err, EXP_ESHAPE, "%s does not fit into blocks of %zu", op_format(b, 0, text), block);
	for (size_t d = 1; d < 4; d++)
		if ((rc = op_keep_apart(b, 0, d, err)))
			return rc;
	op_copy(b, 0, 0);
	out->dims[1] = b->op->variant == TO_SPACE ? x->dims[1] / (block * block) : x->dims[1] * block * block;
	for (size_t d = 2; d < 4; d++)
		out->dims[d] = b->op->variant == TO_SPACE ? x->dims[d] * block : x->dims[d] / block;
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct blocks *c = b->config;
	const size_t *order;
	size_t block = 1, sizes[6], deep[6];
	const struct shape *wide;
	int rc;

	if ((rc = read_attributes(b, &block, &order, err)) || (rc = infer_shape(b, block, err)))
		return rc;
	wide = b->op->variant == TO_SPACE ? &b->outputs[0]->shape : &b->inputs[0]->shape;
	memcpy(sizes,
	       (size_t[]){ wide->dims[0], wide->dims[1], wide->dims[2] / block, block, wide->dims[3] / block, block },
	       sizeof(sizes));
	for (size_t d = 0; d < 6; d++)
		deep[order[d]] = sizes[d];
	for (size_t d = 0, step = shape_count(wide); d < 6; d++) {
		ptrdiff_t in_deep = 1, in_wide;

		step = sizes[d] ? step / sizes[d] : 0;
		in_wide = (ptrdiff_t)step;
		for (size_t k = order[d] + 1; k < 6; k++)
			in_deep *= (ptrdiff_t)deep[k];
		if (b->op->variant == TO_SPACE)
			strided_push(&c->map, sizes[d], in_deep, in_wide);
		else
			strided_push(&c->map, sizes[d], in_wide, in_deep);
	}
	strided_merge(&c->map);
	c->size = tensor_size(b->inputs[0]->type);
	b->selects = true;
	return 0;
}

static void forward(const struct op_run *r)
{
	const struct blocks *c = r->config;

	strided_copy(&c->map, c->size, r->out->data, r->in->data);
}

static void backward(const struct op_run *r)
{
	const struct blocks *c = r->config;
	struct strided back = strided_reverse(&c->map);

	if (r->in->grad)
		strided_copy(&back, sizeof(float), r->in->grad, r->out->grad);
}

const struct op op_depth_to_space = {
	.name = "DepthToSpace",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "blocksize mode",
	.flags = OP_LINEAR,
	.config_size = sizeof(struct blocks),
	.variant = TO_SPACE,
	.infer = infer,
	.forward = forward,
	.backward = backward,
};
const struct op op_space_to_depth = {
	.name = "SpaceToDepth",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "blocksize",
	.flags = OP_LINEAR,
	.config_size = sizeof(struct blocks),
	.variant = TO_DEPTH,
	.infer = infer,
	.forward = forward,
	.backward = backward,
};
