#include "engine/dnnl_conv.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* Debian's oneDNN runs on libgomp, which keeps the number of threads for each thread of ours (OpenMP 4.5, 2.3). */
void omp_set_num_threads(int threads);

enum {
	LANES = 64,            /* threads that keep their handles between calls */
	CHUNK_BYTES = 1 << 20, /* images of one execution, plain and as oneDNN wants them: half of a usual L2 cache */
	ALIGN_FLOATS = 16,
};

/* A layout, and what brings a plain tensor into it or back; reorder is NULL where the layout is plain. */
struct layout {
	dnnl_memory_desc_t plain, wanted;
	dnnl_primitive_desc_t reorder;
	size_t floats; /* of wanted, a multiple of ALIGN_FLOATS */
};

enum place { FROM_PLAIN, FROM, WEIGHTS_PLAIN, WEIGHTS, BIAS, TO, TO_PLAIN, SCRATCHPAD, PLACES };

/* What one call at a time needs: handles of the generated code, which oneDNN shares between them all, and of buffers.
 */
struct lane {
	dnnl_primitive_t conv, from, weights, to; /* NULL: no reorder */
	dnnl_memory_t memory[PLACES];             /* point to buffers of the call */
};

struct dnnl_conv {
	enum dnnl_conv_direction direction;
	size_t samples, chunk;
	size_t from_floats, to_floats; /* of one chunk, plain */
	dnnl_engine_t engine;
	dnnl_stream_t stream;
	dnnl_primitive_desc_t conv;
	const char *kind;
	struct layout from, weights, to;
	dnnl_memory_desc_t bias, scratchpad;
	bool has_bias;
	size_t scratchpad_floats;
	_Atomic(struct lane *) lanes[LANES];
};

static size_t floats_of(const dnnl_memory_desc_t *d)
{
	return (dnnl_memory_desc_get_size(d) / sizeof(float) + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

/* ---- making one ---- */

/* The convolution as oneDNN's descriptors say it. */
struct request {
	dnnl_dims_t image, weight, output, bias, stride, dilation, pad, pad_end;
	int weight_rank; /* 5 with groups */
	size_t chunk;
	bool blocked; /* channels in blocks of a vector are preferred */
};

static void describe(const struct dnnl_conv_shape *s, size_t chunk, struct request *r)
{
	size_t grouped = s->groups > 1;

	*r = (struct request){ .weight_rank = grouped ? 5 : 4, .chunk = chunk, .blocked = true };
	r->image[0] = r->output[0] = (dnnl_dim_t)chunk;
	r->image[1] = (dnnl_dim_t)s->channels;
	r->output[1] = r->bias[0] = (dnnl_dim_t)s->filters;
	r->weight[0] = (dnnl_dim_t)s->groups;
	r->weight[grouped] = (dnnl_dim_t)(s->filters / s->groups);
	r->weight[grouped + 1] = (dnnl_dim_t)(s->channels / s->groups);
	for (size_t d = 0; d < 2; d++) {
		r->image[2 + d] = (dnnl_dim_t)s->in[d];
		r->output[2 + d] = (dnnl_dim_t)s->out[d];
		r->weight[grouped + 2 + d] = (dnnl_dim_t)s->kernel[d];
		r->stride[d] = (dnnl_dim_t)s->stride[d];
		r->dilation[d] = (dnnl_dim_t)s->dilation[d] - 1;
		r->pad[d] = (dnnl_dim_t)s->pad[d];
		r->pad_end[d] = (dnnl_dim_t)((s->out[d] - 1) * s->stride[d] + (s->kernel[d] - 1) * s->dilation[d] + 1) -
				(dnnl_dim_t)(s->in[d] + s->pad[d]);
	}
}

/* As many samples as keep their images in the cache, and divide the batch. */
static size_t choose_chunk(const struct dnnl_conv_shape *s)
{
	size_t sample = 2 * sizeof(float) * (s->channels * s->in[0] * s->in[1] + s->filters * s->out[0] * s->out[1]);
	size_t chunk = sample < CHUNK_BYTES ? CHUNK_BYTES / sample : 1;

	chunk = chunk < s->samples ? chunk : s->samples;
	while (s->samples % chunk)
		chunk--;
	return chunk;
}

static dnnl_status_t new_attributes(dnnl_primitive_attr_t *out)
{
	dnnl_status_t status = dnnl_primitive_attr_create(out);

	return status ? status : dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
}

/*
 * Layouts that are asked for. Left to itself, oneDNN's forward code puts channels last on AVX-512, which costs twice as
 * much to bring back and leaves small images to slower code. With groups both sides must be asked for.
 */
static void init_images(const struct dnnl_conv *c, const struct request *r, dnnl_memory_desc_t *image,
			dnnl_memory_desc_t *output)
{
	bool has_avx512 = (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
	bool blocked = r->blocked && has_avx512 && c->direction == DNNL_CONV_FORWARD;
	dnnl_format_tag_t tag = blocked ? dnnl_nChw16c : dnnl_format_tag_any;

	dnnl_memory_desc_init_by_tag(output, 4, r->output, dnnl_f32, tag);
	dnnl_memory_desc_init_by_tag(image, 4, r->image, dnnl_f32, r->weight_rank == 5 ? tag : dnnl_format_tag_any);
}

/* The generated code for the request, in the layouts that it wants. */
static dnnl_status_t new_convolution(const struct dnnl_conv *c, const struct request *r, dnnl_primitive_desc_t *out)
{
	dnnl_memory_desc_t image, weight, output, bias;
	dnnl_convolution_desc_t forward, backward;
	dnnl_primitive_desc_t hint = NULL;
	dnnl_primitive_attr_t attributes = NULL;
	bool is_forward = c->direction == DNNL_CONV_FORWARD;
	dnnl_status_t status = new_attributes(&attributes);

	init_images(c, r, &image, &output);
	dnnl_memory_desc_init_by_tag(&weight, r->weight_rank, r->weight, dnnl_f32, dnnl_format_tag_any);
	dnnl_memory_desc_init_by_tag(&bias, 1, r->bias, dnnl_f32, dnnl_x);
	if (!status)
		status = dnnl_dilated_convolution_forward_desc_init(&forward,
								    is_forward ? dnnl_forward_inference
									       : dnnl_forward_training,
								    dnnl_convolution_direct, &image, &weight,
								    c->has_bias ? &bias : NULL, &output, r->stride,
								    r->dilation, r->pad, r->pad_end);
	if (!status)
		status = dnnl_primitive_desc_create(is_forward ? out : &hint, &forward, attributes, c->engine, NULL);
	if (!status && !is_forward)
		status = dnnl_dilated_convolution_backward_data_desc_init(&backward, dnnl_convolution_direct, &image,
									  &weight, &output, r->stride, r->dilation,
									  r->pad, r->pad_end);
	if (!status && !is_forward)
		status = dnnl_primitive_desc_create(out, &backward, attributes, c->engine, hint);
	dnnl_primitive_desc_destroy(hint);
	dnnl_primitive_attr_destroy(attributes);
	return status;
}

/* l->wanted is set; to_wanted: plain comes in, else it goes out. */
static dnnl_status_t init_layout(const struct dnnl_conv *c, struct layout *l, const dnnl_dims_t dims, int rank,
				 bool to_wanted)
{
	const dnnl_memory_desc_t *from = to_wanted ? &l->plain : &l->wanted, *to = to_wanted ? &l->wanted : &l->plain;
	dnnl_status_t status;

	l->floats = floats_of(&l->wanted);
	status = dnnl_memory_desc_init_by_tag(&l->plain, rank, dims, dnnl_f32, rank == 5 ? dnnl_abcde : dnnl_abcd);
	if (status || dnnl_memory_desc_equal(&l->plain, &l->wanted))
		return status;
	return dnnl_reorder_primitive_desc_create(&l->reorder, from, c->engine, to, c->engine, NULL);
}

static dnnl_status_t init_layouts(struct dnnl_conv *c, const struct request *r)
{
	const_dnnl_primitive_desc_t conv = c->conv;
	bool forward = c->direction == DNNL_CONV_FORWARD;
	dnnl_status_t status;

	c->from.wanted = *dnnl_primitive_desc_query_md(conv, forward ? dnnl_query_src_md : dnnl_query_diff_dst_md, 0);
	c->to.wanted = *dnnl_primitive_desc_query_md(conv, forward ? dnnl_query_dst_md : dnnl_query_diff_src_md, 0);
	c->weights.wanted = *dnnl_primitive_desc_query_md(conv, dnnl_query_weights_md, 0);
	c->scratchpad = *dnnl_primitive_desc_query_md(conv, dnnl_query_scratchpad_md, 0);
	c->scratchpad_floats = floats_of(&c->scratchpad);
	dnnl_memory_desc_init_by_tag(&c->bias, 1, r->bias, dnnl_f32, dnnl_x);
	status = init_layout(c, &c->from, forward ? r->image : r->output, 4, true);
	if (!status)
		status = init_layout(c, &c->to, forward ? r->output : r->image, 4, false);
	return status ? status : init_layout(c, &c->weights, r->weight, r->weight_rank, true);
}

static bool is_plain_loop(const char *kind)
{
	return strncmp(kind, "ref", 3) == 0 || strstr(kind, "gemm:") != NULL;
}

/* oneDNN's last choice is a plain loop, slower than what we have ourselves. */
static dnnl_status_t try_request(struct dnnl_conv *c, const struct request *r)
{
	dnnl_status_t status;

	dnnl_primitive_desc_destroy(c->conv);
	c->conv = NULL;
	status = new_convolution(c, r, &c->conv);
	if (!status)
		status = dnnl_primitive_desc_query(c->conv, dnnl_query_impl_info_str, 0, &c->kind);
	return !status && is_plain_loop(c->kind) ? dnnl_unimplemented : status;
}

static dnnl_status_t init_convolution(struct dnnl_conv *c, const struct dnnl_conv_shape *s)
{
	struct request r;
	dnnl_status_t status;

	describe(s, c->chunk, &r);
	status = try_request(c, &r);
	if (status == dnnl_unimplemented) {
		r.blocked = false;
		status = try_request(c, &r);
	}
	return status ? status : init_layouts(c, &r);
}

static int fail(dnnl_status_t status, struct exp_error *err)
{
	if (status == dnnl_out_of_memory)
		return error_set(err, EXP_EMEMORY, "not enough memory for oneDNN");
	return error_set(err, EXP_EUNSUPPORTED, "oneDNN has no code for this convolution (status %d)", (int)status);
}

/* oneDNN prepares something for each row and column of padding: with millions of them, in 200 bytes of a file, for
 * minutes. Padding that a kernel does not reach across is nobody's but such a file's. */
static bool is_ordinary(const struct dnnl_conv_shape *s)
{
	enum { SPARE = 64 };

	for (size_t d = 0; d < 2; d++) {
		size_t extent = (s->kernel[d] - 1) * s->dilation[d] + 1, end = (s->out[d] - 1) * s->stride[d] + extent;

		if (s->pad[d] > extent + SPARE || end > s->pad[d] + s->in[d] + extent + SPARE)
			return false;
	}
	return true;
}

int dnnl_conv_new(const struct dnnl_conv_shape *s, enum dnnl_conv_direction direction, struct dnnl_conv **out,
		  struct exp_error *err)
{
	struct dnnl_conv *c;
	size_t image = s->channels * s->in[0] * s->in[1], output = s->filters * s->out[0] * s->out[1];
	dnnl_status_t status;

	if (!is_ordinary(s))
		return fail(dnnl_unimplemented, err);
	c = mem_alloc(sizeof(*c));
	omp_set_num_threads(1);
	c->direction = direction;
	c->samples = s->samples;
	c->chunk = choose_chunk(s);
	c->has_bias = s->bias && direction == DNNL_CONV_FORWARD;
	status = dnnl_engine_create(&c->engine, dnnl_cpu, 0);
	if (!status)
		status = dnnl_stream_create(&c->stream, c->engine, dnnl_stream_default_flags);
	if (!status)
		status = init_convolution(c, s);
	if (status) {
		dnnl_conv_free(c);
		return fail(status, err);
	}
	c->from_floats = c->chunk * (direction == DNNL_CONV_FORWARD ? image : output);
	c->to_floats = c->chunk * (direction == DNNL_CONV_FORWARD ? output : image);
	*out = c;
	return 0;
}

/* ---- lanes ---- */

static void lane_free(struct lane *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < PLACES; i++)
		dnnl_memory_destroy(l->memory[i]);
	dnnl_primitive_destroy(l->conv);
	dnnl_primitive_destroy(l->from);
	dnnl_primitive_destroy(l->weights);
	dnnl_primitive_destroy(l->to);
	mem_free(l);
}

static dnnl_primitive_t generate(const_dnnl_primitive_desc_t what)
{
	dnnl_primitive_t p = NULL;

	exp_require(!what || dnnl_primitive_create(&p, what) == dnnl_success);
	return p;
}

static struct lane *lane_new(const struct dnnl_conv *c)
{
	const dnnl_memory_desc_t *descs[PLACES] = {
		[FROM_PLAIN] = &c->from.plain,
		[FROM] = &c->from.wanted,
		[WEIGHTS_PLAIN] = &c->weights.plain,
		[WEIGHTS] = &c->weights.wanted,
		[BIAS] = &c->bias,
		[TO] = &c->to.wanted,
		[TO_PLAIN] = &c->to.plain,
		[SCRATCHPAD] = &c->scratchpad,
	};
	struct lane *l = mem_alloc(sizeof(*l));

	for (size_t i = 0; i < PLACES; i++)
		exp_require(dnnl_memory_create(&l->memory[i], descs[i], c->engine, DNNL_MEMORY_NONE) == dnnl_success);
	l->conv = generate(c->conv);
	l->from = generate(c->from.reorder);
	l->weights = generate(c->weights.reorder);
	l->to = generate(c->to.reorder);
	return l;
}

static struct lane *lane_take(struct dnnl_conv *c)
{
	omp_set_num_threads(1);
	for (size_t i = 0; i < LANES; i++) {
		struct lane *l = atomic_exchange(&c->lanes[i], NULL);

		if (l)
			return l;
	}
	return lane_new(c);
}

static void lane_give(struct dnnl_conv *c, struct lane *l)
{
	for (size_t i = 0; i < LANES; i++) {
		struct lane *empty = NULL;

		if (atomic_compare_exchange_strong(&c->lanes[i], &empty, l))
			return;
	}
	lane_free(l);
}

void dnnl_conv_free(struct dnnl_conv *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < LANES; i++)
		lane_free(c->lanes[i]);
	dnnl_primitive_desc_destroy(c->conv);
	dnnl_primitive_desc_destroy(c->from.reorder);
	dnnl_primitive_desc_destroy(c->weights.reorder);
	dnnl_primitive_desc_destroy(c->to.reorder);
	dnnl_stream_destroy(c->stream);
	dnnl_engine_destroy(c->engine);
	mem_free(c);
}

/* ---- running one ---- */

size_t dnnl_conv_prepared(const struct dnnl_conv *c)
{
	return c->weights.floats;
}

size_t dnnl_conv_scratch(const struct dnnl_conv *c)
{
	size_t images = (c->from.reorder ? c->from.floats : 0) + (c->to.reorder ? c->to.floats : 0);

	return images + c->scratchpad_floats;
}

/* oneDNN writes only what it is told to. */
static void point(dnnl_memory_t memory, const void *data)
{
	exp_require(dnnl_memory_set_data_handle(memory, (void *)(uintptr_t)data) == dnnl_success);
}

static void reorder(const struct dnnl_conv *c, dnnl_primitive_t primitive, dnnl_memory_t from, dnnl_memory_t to)
{
	const dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } };

	exp_require(dnnl_primitive_execute(primitive, c->stream, 2, args) == dnnl_success);
}

void dnnl_conv_prepare(struct dnnl_conv *c, const float *weight, float *prepared)
{
	struct lane *l;

	if (!c->weights.reorder) {
		memcpy(prepared, weight, dnnl_memory_desc_get_size(&c->weights.plain));
		return;
	}
	l = lane_take(c);
	point(l->memory[WEIGHTS_PLAIN], weight);
	point(l->memory[WEIGHTS], prepared);
	reorder(c, l->weights, l->memory[WEIGHTS_PLAIN], l->memory[WEIGHTS]);
	lane_give(c, l);
}

static void run_chunk(const struct dnnl_conv *c, const struct lane *l, const float *from, float *to)
{
	bool forward = c->direction == DNNL_CONV_FORWARD;
	const dnnl_exec_arg_t args[] = {
		{ forward ? DNNL_ARG_SRC : DNNL_ARG_DIFF_DST, l->memory[FROM] },
		{ DNNL_ARG_WEIGHTS, l->memory[WEIGHTS] },
		{ forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_SRC, l->memory[TO] },
		{ DNNL_ARG_SCRATCHPAD, l->memory[SCRATCHPAD] },
		{ DNNL_ARG_BIAS, l->memory[BIAS] },
	};

	point(l->memory[l->from ? FROM_PLAIN : FROM], from);
	point(l->memory[l->to ? TO_PLAIN : TO], to);
	if (l->from)
		reorder(c, l->from, l->memory[FROM_PLAIN], l->memory[FROM]);
	exp_require(dnnl_primitive_execute(l->conv, c->stream, c->has_bias ? 5 : 4, args) == dnnl_success);
	if (l->to)
		reorder(c, l->to, l->memory[TO], l->memory[TO_PLAIN]);
}

void dnnl_conv_run(struct dnnl_conv *c, const struct dnnl_conv_buffers *b)
{
	struct lane *l = lane_take(c);
	float *at = b->scratch;

	point(l->memory[WEIGHTS], b->prepared);
	point(l->memory[BIAS], b->bias);
	point(l->memory[SCRATCHPAD], at);
	at += c->scratchpad_floats;
	if (l->from) {
		point(l->memory[FROM], at);
		at += c->from.floats;
	}
	if (l->to)
		point(l->memory[TO], at);
	for (size_t n = 0, i = 0; n < c->samples; n += c->chunk, i++)
		run_chunk(c, l, b->from + i * c->from_floats, b->to + i * c->to_floats);
	lane_give(c, l);
}

/* ---- reports ---- */

const char *dnnl_conv_kind(const struct dnnl_conv *c)
{
	return c->kind;
}

size_t dnnl_conv_chunk(const struct dnnl_conv *c)
{
	return c->chunk;
}

void dnnl_conv_config(struct buf *out)
{
	static const struct {
		dnnl_cpu_isa_t isa;
		const char *name;
	} levels[] = {
		{ dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx" },
		{ dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16" },
		{ dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni" },
		{ dnnl_cpu_isa_avx512_core, "avx512_core" },
		{ dnnl_cpu_isa_avx2_vnni, "avx2_vnni" },
		{ dnnl_cpu_isa_avx2, "avx2" },
		{ dnnl_cpu_isa_avx, "avx" },
		{ dnnl_cpu_isa_sse41, "sse41" },
	};
	const dnnl_version_t *version = dnnl_version();
	dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
	const char *name = "baseline";

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (levels[i].isa == isa)
			name = levels[i].name;
	buf_format(out, "oneDNN %d.%d.%d %s", version->major, version->minor, version->patch, name);
}
