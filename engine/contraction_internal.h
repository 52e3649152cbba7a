/* contraction_internal.h: between the files of engine/contraction.h. */
#ifndef ENGINE_CONTRACTION_INTERNAL_H
#define ENGINE_CONTRACTION_INTERNAL_H

#include "engine/contraction.h"

/* The operands that target follows from: dA from dY and B, dB from A and dY, Y from A and B. */
static inline enum contraction_operand contraction_left(enum contraction_operand target)
{
	return target == CONTRACTION_A ? CONTRACTION_Y : CONTRACTION_A;
}

static inline enum contraction_operand contraction_right(enum contraction_operand target)
{
	return target == CONTRACTION_B ? CONTRACTION_Y : CONTRACTION_B;
}

/* contraction_order.c: merges axes, then picks three of them for a matrix product. */
void contraction_set_order(const struct contraction_axis *axes, size_t count, enum contraction_operand target,
			   struct contraction_order *out);

/* Axes that act as one in all operands become one; with apart, the one that counts samples stays alone. */
size_t contraction_merge(struct contraction_axis *axes, size_t count, bool apart);

#endif
