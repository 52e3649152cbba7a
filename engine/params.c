#include "engine/params.h"

#include <stdatomic.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "engine/kernels.h"

static uint64_t next_id(void)
{
	static atomic_uint_fast64_t last;

	return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

int params_new(struct graph *g, struct params **out)
{
	struct params *p = mem_try_alloc(1, sizeof(*p));

	if (!p)
		return EXP_EMEMORY;
	p->count = graph_parameter_floats(g);
	p->values = mem_try_aligned(p->count, sizeof(*p->values));
	if (!p->values) {
		mem_free(p);
		return EXP_EMEMORY;
	}
	p->graph = graph_ref(g);
	p->id = next_id();
	*out = p;
	return 0;
}

int params_clone(const struct params *p, struct params **out)
{
	struct params *copy;
	int rc = params_new(p->graph, &copy);

	if (rc)
		return rc;
	params_copy(copy, p);
	*out = copy;
	return 0;
}

void params_copy(struct params *to, const struct params *from)
{
	exp_require(to->graph == from->graph);
	memcpy(to->values, from->values, to->count * sizeof(*to->values));
}

void params_free(struct params *p)
{
	if (!p)
		return;
	graph_unref(p->graph);
	mem_free_secret(p->values, p->count * sizeof(*p->values));
	mem_free(p);
}

void params_digest(const struct params *p, uint8_t out[DIGEST_SIZE])
{
	sha256(p->values, p->count * sizeof(*p->values), out);
}

int params_check_finite(const struct params *p, struct exp_error *err)
{
	for (size_t i = 0; i < graph_parameter_count(p->graph); i++) {
		const struct graph_parameter *view = graph_parameter(p->graph, i);

		if (!kernel_all_finite(p->values + view->offset, view->count))
			return error_set(err, EXP_ENONFINITE, "the parameter \"%s\" holds a NaN or an infinity",
					 view->name);
	}
	return 0;
}
