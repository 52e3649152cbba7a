#include "engine/op.h"

#include <string.h>

/* Every operator: a row here, a file op_*.c, a test. In alphabetical order. */
#define OPERATORS(X)                                                                                                   \
	X(op_abs)                                                                                                      \
	X(op_acos)                                                                                                     \
	X(op_acosh)                                                                                                    \
	X(op_add)                                                                                                      \
	X(op_and)                                                                                                      \
	X(op_arg_max)                                                                                                  \
	X(op_arg_min)                                                                                                  \
	X(op_asin)                                                                                                     \
	X(op_asinh)                                                                                                    \
	X(op_atan)                                                                                                     \
	X(op_atanh)                                                                                                    \
	X(op_average_pool)                                                                                             \
	X(op_batch_normalization)                                                                                      \
	X(op_cast)                                                                                                     \
	X(op_cast_like)                                                                                                \
	X(op_ceil)                                                                                                     \
	X(op_celu)                                                                                                     \
	X(op_clip)                                                                                                     \
	X(op_concat)                                                                                                   \
	X(op_constant_of_shape)                                                                                        \
	X(op_conv)                                                                                                     \
	X(op_conv_transpose)                                                                                           \
	X(op_cos)                                                                                                      \
	X(op_cosh)                                                                                                     \
	X(op_cum_sum)                                                                                                  \
	X(op_depth_to_space)                                                                                           \
	X(op_div)                                                                                                      \
	X(op_dropout)                                                                                                  \
	X(op_einsum)                                                                                                   \
	X(op_elu)                                                                                                      \
	X(op_equal)                                                                                                    \
	X(op_erf)                                                                                                      \
	X(op_exp)                                                                                                      \
	X(op_expand)                                                                                                   \
	X(op_eye_like)                                                                                                 \
	X(op_flatten)                                                                                                  \
	X(op_floor)                                                                                                    \
	X(op_gather)                                                                                                   \
	X(op_gather_elements)                                                                                          \
	X(op_gather_nd)                                                                                                \
	X(op_gemm)                                                                                                     \
	X(op_global_average_pool)                                                                                      \
	X(op_global_max_pool)                                                                                          \
	X(op_greater)                                                                                                  \
	X(op_greater_or_equal)                                                                                         \
	X(op_gru)                                                                                                      \
	X(op_hard_sigmoid)                                                                                             \
	X(op_hard_swish)                                                                                               \
	X(op_hardmax)                                                                                                  \
	X(op_identity)                                                                                                 \
	X(op_instance_normalization)                                                                                   \
	X(op_is_inf)                                                                                                   \
	X(op_is_nan)                                                                                                   \
	X(op_layer_normalization)                                                                                      \
	X(op_leaky_relu)                                                                                               \
	X(op_less)                                                                                                     \
	X(op_less_or_equal)                                                                                            \
	X(op_log)                                                                                                      \
	X(op_log_softmax)                                                                                              \
	X(op_lstm)                                                                                                     \
	X(op_mat_mul)                                                                                                  \
	X(op_max)                                                                                                      \
	X(op_max_pool)                                                                                                 \
	X(op_mean)                                                                                                     \
	X(op_min)                                                                                                      \
	X(op_mod)                                                                                                      \
	X(op_mul)                                                                                                      \
	X(op_neg)                                                                                                      \
	X(op_negative_log_likelihood_loss)                                                                             \
	X(op_non_zero)                                                                                                 \
	X(op_not)                                                                                                      \
	X(op_one_hot)                                                                                                  \
	X(op_or)                                                                                                       \
	X(op_pad)                                                                                                      \
	X(op_pow)                                                                                                      \
	X(op_prelu)                                                                                                    \
	X(op_range)                                                                                                    \
	X(op_reciprocal)                                                                                               \
	X(op_reduce_l1)                                                                                                \
	X(op_reduce_l2)                                                                                                \
	X(op_reduce_log_sum)                                                                                           \
	X(op_reduce_log_sum_exp)                                                                                       \
	X(op_reduce_max)                                                                                               \
	X(op_reduce_mean)                                                                                              \
	X(op_reduce_min)                                                                                               \
	X(op_reduce_prod)                                                                                              \
	X(op_reduce_sum)                                                                                               \
	X(op_reduce_sum_square)                                                                                        \
	X(op_relu)                                                                                                     \
	X(op_reshape)                                                                                                  \
	X(op_resize)                                                                                                   \
	X(op_reverse_sequence)                                                                                         \
	X(op_rnn)                                                                                                      \
	X(op_round)                                                                                                    \
	X(op_scatter)                                                                                                  \
	X(op_scatter_elements)                                                                                         \
	X(op_scatter_nd)                                                                                               \
	X(op_selu)                                                                                                     \
	X(op_shape)                                                                                                    \
	X(op_sigmoid)                                                                                                  \
	X(op_sign)                                                                                                     \
	X(op_sin)                                                                                                      \
	X(op_sinh)                                                                                                     \
	X(op_size)                                                                                                     \
	X(op_slice)                                                                                                    \
	X(op_softmax)                                                                                                  \
	X(op_softmax_cross_entropy_loss)                                                                               \
	X(op_softplus)                                                                                                 \
	X(op_softsign)                                                                                                 \
	X(op_space_to_depth)                                                                                           \
	X(op_split)                                                                                                    \
	X(op_sqrt)                                                                                                     \
	X(op_squeeze)                                                                                                  \
	X(op_sub)                                                                                                      \
	X(op_sum)                                                                                                      \
	X(op_tan)                                                                                                      \
	X(op_tanh)                                                                                                     \
	X(op_thresholded_relu)                                                                                         \
	X(op_tile)                                                                                                     \
	X(op_transpose)                                                                                                \
	X(op_trilu)                                                                                                    \
	X(op_unsqueeze)                                                                                                \
	X(op_upsample)                                                                                                 \
	X(op_where)                                                                                                    \
	X(op_xor)

#define DECLARE(row) extern const struct op row;
OPERATORS(DECLARE)

#define POINT(row) &row,
static const struct op *const rows[] = { OPERATORS(POINT) };

const struct op *op_find(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i]->name, name) == 0)
			return rows[i];
	return NULL;
}

const struct op *const *op_all(size_t *count)
{
	*count = sizeof(rows) / sizeof(rows[0]);
	return rows;
}
