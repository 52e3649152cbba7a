/* dnnl_conv.h in a build without oneDNN: nothing can be made, so nothing can be run. */
#include "base/check.h"
#include "engine/dnnl_conv.h"

int dnnl_conv_new(const struct dnnl_conv_shape *s, enum dnnl_conv_direction direction, struct dnnl_conv **out,
		  struct exp_error *err)
{
	(void)s;
	(void)direction;
	(void)out;
	return error_set(err, EXP_EUNSUPPORTED, "built without oneDNN");
}

void dnnl_conv_free(struct dnnl_conv *c)
{
	exp_require(!c);
}

size_t dnnl_conv_prepared(const struct dnnl_conv *c)
{
	exp_require(!c);
	return 0;
}

size_t dnnl_conv_scratch(const struct dnnl_conv *c)
{
	exp_require(!c);
	return 0;
}

void dnnl_conv_prepare(struct dnnl_conv *c, const float *weight, float *prepared)
{
	(void)weight;
	(void)prepared;
	exp_require(!c);
}

void dnnl_conv_run(struct dnnl_conv *c, const struct dnnl_conv_buffers *b)
{
	(void)b;
	exp_require(!c);
}

const char *dnnl_conv_kind(const struct dnnl_conv *c)
{
	exp_require(!c);
	return "none";
}

size_t dnnl_conv_chunk(const struct dnnl_conv *c)
{
	exp_require(!c);
	return 0;
}

void dnnl_conv_config(struct buf *out)
{
	buf_add_text(out, "no oneDNN");
}
