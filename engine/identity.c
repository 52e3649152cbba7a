#include "engine/identity.h"

#include "engine/blas.h"
#include "engine/dnnl_conv.h"
#include "engine/square_product_internal.h"

static const char *product_level(void)
{
	if (tile_kernels_at(TILE_AVX512))
		return "avx512";
	return tile_kernels_at(TILE_AVX2) ? "avx2" : "plain";
}

void engine_identity(struct buf *out)
{
	buf_add_text(out, "expunge " EXPUNGE_VERSION ", ");
	blas_config(out);
	buf_add_text(out, ", ");
	dnnl_conv_config(out);
	buf_format(out, ", products %s", product_level());
}
