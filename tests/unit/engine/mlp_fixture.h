/*
 * mlp_fixture.h: the small network of tests/golden/offline with its 37 rows, for tests that need a whole model.
 *
 * tools/golden/make_offline_goldens.py made it: dense 5-7-3 with tanh; PyTorch's gradients lie beside it.
 */
#ifndef ENGINE_MLP_FIXTURE_H
#define ENGINE_MLP_FIXTURE_H

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/mem.h"
#include "engine/npy.h"
#include "engine/session.h"

enum { MLP_ROWS = 37, MLP_INPUTS = 5, MLP_CLASSES = 3, MLP_FLOATS = 5 * 7 + 7 + 7 * 3 + 3 };

struct mlp {
	struct graph *graph;
	struct params *params;
	struct session *session;
	struct npy inputs, labels;
	struct npy_source rows;
	char folder[32]; /* an empty folder for this test's files */
};

static inline void mlp_open(struct mlp *m, size_t batch)
{
	*m = (struct mlp){ .folder = "/tmp/expunge-mlp-XXXXXX" };
	cr_assert_eq(crypto_init(), 0);
	cr_assert_not_null(mkdtemp(m->folder));
	cr_assert_eq(graph_load_file(GOLDEN "/offline/mlp.onnx", 1 << 20, &m->graph, NULL), 0);
	cr_assert_eq(graph_initial_params(m->graph, &m->params), 0);
	cr_assert_eq(session_new(m->graph, batch, &m->session, NULL), 0);
	cr_assert_eq(npy_open(GOLDEN "/offline/mlp_inputs.npy", &m->inputs, NULL), 0);
	cr_assert_eq(npy_open(GOLDEN "/offline/mlp_labels.npy", &m->labels, NULL), 0);
	cr_assert_eq(npy_source_init(&m->rows, &m->inputs, &m->labels, 1, MLP_CLASSES, NULL), 0);
}

static inline void mlp_close(struct mlp *m)
{
	char *command = mem_format("rm -rf %s", m->folder);

	cr_assert_eq(system(command), 0);
	mem_free(command);
	npy_close(&m->inputs);
	npy_close(&m->labels);
	session_free(m->session);
	params_free(m->params);
	graph_unref(m->graph);
}

#endif
