#include "engine/evaluate.h"

#include <math.h>

#include "mlp_fixture.h"

/* The logits that PyTorch gave for the same rows. */
static void read_logits(float out[MLP_ROWS][MLP_CLASSES])
{
	struct npy a;

	cr_assert_eq(npy_open(GOLDEN "/offline/mlp_outputs.npy", &a, NULL), 0);
	cr_assert_eq(a.count, MLP_ROWS * MLP_CLASSES);
	for (size_t i = 0; i < a.count; i++)
		out[i / MLP_CLASSES][i % MLP_CLASSES] = ((const float *)a.data)[i];
	npy_close(&a);
}

Test(evaluate, agrees_with_pytorch)
{
	float logits[MLP_ROWS][MLP_CLASSES], losses[MLP_ROWS], log_probs[MLP_ROWS * MLP_CLASSES];
	int32_t predictions[MLP_ROWS], labels[MLP_ROWS];
	double norms[MLP_ROWS], accuracy, right = 0;
	struct evaluation e = { log_probs, losses, predictions, labels, norms };
	struct mlp m;

	mlp_open(&m, 8);
	read_logits(logits);
	cr_assert_eq(evaluate(m.session, m.params, &m.rows.source, &e, NULL), 0);
	for (size_t i = 0; i < MLP_ROWS; i++) {
		int32_t label = ((const int32_t *)m.labels.data)[i], best = 0;
		double sum = 0;

		for (int32_t c = 0; c < MLP_CLASSES; c++) {
			sum += exp((double)logits[i][c]);
			best = logits[i][c] > logits[i][best] ? c : best;
		}
		cr_assert_eq(labels[i], label);
		cr_assert_eq(predictions[i], best);
		cr_assert_float_eq(losses[i], log(sum) - (double)logits[i][label], 1e-5);
		cr_assert_float_eq(log_probs[i * MLP_CLASSES + (size_t)label], -losses[i], 1e-6);
		right += best == label;
	}
	cr_assert_eq(evaluate_accuracy(m.session, m.params, &m.rows.source, &accuracy, NULL), 0);
	cr_assert_float_eq(accuracy, right / MLP_ROWS, 1e-12);
	mlp_close(&m);
}

/* The squared norms of all rows are the importance's total. */
Test(evaluate, gradient_norms_add_up_to_the_importance)
{
	double norms[MLP_ROWS], sum = 0, total = 0;
	struct evaluation e = { .gradient_norms = norms };
	struct importance all;
	struct mlp m;

	mlp_open(&m, 8);
	cr_assert_eq(evaluate(m.session, m.params, &m.rows.source, &e, NULL), 0);
	cr_assert_eq(importance_compute(m.session, m.params, &m.rows.source, NULL, &all, NULL), 0);
	for (size_t i = 0; i < MLP_ROWS; i++)
		sum += norms[i];
	for (size_t i = 0; i < all.sum->count; i++)
		total += (double)all.sum->values[i];
	cr_assert_float_eq(sum, total, 1e-5 * total);
	importance_fini(&all);
	mlp_close(&m);
}

Test(evaluate, an_empty_source_has_no_accuracy)
{
	struct source_subset none;
	double accuracy = 0;
	struct mlp m;

	mlp_open(&m, 8);
	source_subset_init(&none, &m.rows.source, NULL, 0);
	cr_assert_eq(evaluate_accuracy(m.session, m.params, &none.source, &accuracy, NULL), 0);
	cr_assert(isnan(accuracy));
	mlp_close(&m);
}

Test(evaluate, refuses_labels_and_rows_that_do_not_fit)
{
	int32_t high[MLP_ROWS] = { [11] = MLP_CLASSES };
	float losses[MLP_ROWS];
	struct evaluation e = { .losses = losses };
	struct exp_error err = { 0 };
	struct mlp m;

	mlp_open(&m, 8);
	m.labels.data = high;
	cr_assert_eq(evaluate(m.session, m.params, &m.rows.source, &e, &err), EXP_ERANGE,
		     "the source changed after its check");
	m.rows.source.row_floats = 4;
	cr_assert_eq(evaluate(m.session, m.params, &m.rows.source, &e, &err), EXP_ESHAPE);
	mlp_close(&m);
}
