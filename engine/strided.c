#include "engine/strided.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "engine/kernels.h"

/* A matrix with shorter sides is copied line by line. */
enum { MATRIX = 4 };

void strided_push(struct strided *s, size_t size, ptrdiff_t from, ptrdiff_t to)
{
	exp_require(s->rank < STRIDED_MAX_AXES);
	s->sizes[s->rank] = size;
	s->from[s->rank] = from;
	s->to[s->rank++] = to;
}

size_t strided_push_samples(struct strided *s, const struct op_samples *at, size_t samples, size_t entries,
			    const ptrdiff_t steps[2])
{
	ptrdiff_t after = (ptrdiff_t)at->after;

	strided_push(s, at->before, steps[0] * after * (ptrdiff_t)entries, steps[1] * after * (ptrdiff_t)samples);
	strided_push(s, samples, entries == samples ? steps[0] * after : 0, steps[1] * after);
	strided_push(s, at->after, steps[0], steps[1]);
	return s->rank - 2;
}

/* ---- order of the axes ---- */

static ptrdiff_t reach(const struct strided *s, size_t d)
{
	return labs(s->to[d] ? s->to[d] : s->from[d]);
}

static void swap_axes(struct strided *s, size_t i, size_t j)
{
	size_t size = s->sizes[i];
	ptrdiff_t from = s->from[i], to = s->to[i];

	s->sizes[i] = s->sizes[j];
	s->from[i] = s->from[j];
	s->to[i] = s->to[j];
	s->sizes[j] = size;
	s->from[j] = from;
	s->to[j] = to;
}

/* Long steps of writing first; what is written again and again stands where its reading belongs. */
static void sort_axes(struct strided *s)
{
	for (size_t i = 1; i < s->rank; i++)
		for (size_t k = i; k > 0; k--) {
			ptrdiff_t a = reach(s, k - 1), b = reach(s, k);

			if (a > b || (a == b && (s->to[k - 1] || !s->to[k])))
				break;
			swap_axes(s, k - 1, k);
		}
}

static void join_axes(struct strided *s)
{
	size_t rank = 0;

	for (size_t d = 0; d < s->rank; d++) {
		ptrdiff_t size = (ptrdiff_t)s->sizes[d];

		if (size == 1)
			continue;
		if (rank > 0 && s->from[rank - 1] == s->from[d] * size && s->to[rank - 1] == s->to[d] * size) {
			s->sizes[rank - 1] *= s->sizes[d];
			s->from[rank - 1] = s->from[d];
			s->to[rank - 1] = s->to[d];
			continue;
		}
		s->sizes[rank] = s->sizes[d];
		s->from[rank] = s->from[d];
		s->to[rank++] = s->to[d];
	}
	s->rank = rank;
}

/* The axis along which reading steps by one comes next to last: with the last it makes a matrix. */
static void cross_axes(struct strided *s)
{
	size_t last = s->rank - 1, j = 0;

	while (j < last && s->from[j] != 1)
		j++;
	if (s->rank < 2 || j == last || s->to[last] != 1 || s->from[last] <= 1 || s->to[j] <= 1)
		return;
	for (; j + 1 < last; j++)
		swap_axes(s, j, j + 1);
	s->crossed = s->sizes[last - 1] >= MATRIX && s->sizes[last] >= MATRIX;
	if (!s->crossed && s->sizes[last - 1] > s->sizes[last])
		swap_axes(s, last - 1, last);
}

void strided_merge(struct strided *s)
{
	s->crossed = false;
	sort_axes(s);
	join_axes(s);
	if (s->rank == 0)
		strided_push(s, 1, 1, 1);
	cross_axes(s);
}

struct strided strided_reverse(const struct strided *s)
{
	struct strided back = *s;

	for (size_t d = 0; d < s->rank; d++) {
		back.from[d] = s->to[d];
		back.to[d] = s->from[d];
	}
	back.from_at = s->to_at;
	back.to_at = s->from_at;
	strided_merge(&back);
	return back;
}

struct strided strided_reverse_by_sample(const struct strided *s, size_t axis, size_t count)
{
	struct strided each = *s;

	each.from[axis] += (ptrdiff_t)count;
	return strided_reverse(&each);
}

/* ---- walking ---- */

struct cursor {
	size_t index[STRIDED_MAX_AXES];
	ptrdiff_t from, to;
};

static bool is_empty(const struct strided *s)
{
	for (size_t d = 0; d < s->rank; d++)
		if (s->sizes[d] == 0)
			return true;
	return false;
}

/* The next place of the first rank axes; false when all have been visited. */
static bool step(const struct strided *s, size_t rank, struct cursor *c)
{
	while (rank-- > 0) {
		c->from += s->from[rank];
		c->to += s->to[rank];
		if (++c->index[rank] < s->sizes[rank])
			return true;
		c->from -= s->from[rank] * (ptrdiff_t)s->sizes[rank];
		c->to -= s->to[rank] * (ptrdiff_t)s->sizes[rank];
		c->index[rank] = 0;
	}
	return false;
}

/* ---- copying ---- */

#define COPY_LINE(bytes)                                                                                               \
	for (size_t i = 0; i < n; i++, to += to_step, from += from_step)                                               \
		memcpy(to, from, bytes);

static void copy_line(char *restrict to, ptrdiff_t to_step, const char *restrict from, ptrdiff_t from_step, size_t n,
		      size_t size)
{
	if (to_step == 1 && from_step == 1) {
		memcpy(to, from, n * size);
		return;
	}
	to_step *= (ptrdiff_t)size;
	from_step *= (ptrdiff_t)size;
	if (size == 4)
		COPY_LINE(4)
	else if (size == 8)
		COPY_LINE(8)
	else
		COPY_LINE(1)
}

static void copy_matrices(const struct strided *s, float *to, const float *from)
{
	size_t across = s->rank - 2, along = s->rank - 1;
	struct kernel_matrix shape = { s->sizes[along], s->sizes[across], (size_t)s->from[along] };
	struct cursor c = { .from = s->from_at, .to = s->to_at };

	do {
		kernel_transpose(to + c.to, (size_t)s->to[across], from + c.from, shape);
	} while (step(s, across, &c));
}

void strided_copy(const struct strided *s, size_t size, void *to, const void *from)
{
	struct cursor c = { .from = s->from_at, .to = s->to_at };
	size_t last = s->rank - 1;

	if (is_empty(s))
		return;
	if (s->crossed && size == sizeof(float)) {
		copy_matrices(s, to, from);
		return;
	}
	do {
		copy_line((char *)to + c.to * (ptrdiff_t)size, s->to[last],
			  (const char *)from + c.from * (ptrdiff_t)size, s->from[last], s->sizes[last], size);
	} while (step(s, last, &c));
}

static void add_line(float *to, ptrdiff_t to_step, const float *from, ptrdiff_t from_step, size_t n)
{
	if (to_step == 1 && from_step == 1) {
		kernel_add(to, from, n);
	} else if (to_step == 0 && from_step == 1) {
		*to += (float)kernel_sum(from, n);
	} else {
		for (size_t i = 0; i < n; i++)
			to[(ptrdiff_t)i * to_step] += from[(ptrdiff_t)i * from_step];
	}
}

void strided_add(const struct strided *s, float *to, const float *from)
{
	struct cursor c = { .from = s->from_at, .to = s->to_at };
	size_t last = s->rank - 1;

	if (is_empty(s))
		return;
	do {
		add_line(to + c.to, s->to[last], from + c.from, s->from[last], s->sizes[last]);
	} while (step(s, last, &c));
}
