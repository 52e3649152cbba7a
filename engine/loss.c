#include "engine/loss.h"

#include <math.h>

void loss_log_softmax(float *y, const float *x, size_t n)
{
	float top = x[0], sum = 0.0f, shift;

	for (size_t i = 1; i < n; i++)
		top = x[i] > top ? x[i] : top;
	for (size_t i = 0; i < n; i++)
		sum += expf(x[i] - top);
	shift = logf(sum);
	for (size_t i = 0; i < n; i++)
		y[i] = (x[i] - top) - shift;
}

void loss_gradient(float *grads, const float *log_probs, const int32_t *labels, size_t rows, size_t classes)
{
	for (size_t n = 0; n < rows; n++) {
		float *g = grads + n * classes;

		for (size_t k = 0; k < classes; k++)
			g[k] = expf(log_probs[n * classes + k]);
		g[labels[n]] -= 1.0f;
	}
}
