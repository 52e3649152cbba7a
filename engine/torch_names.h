/*
 * torch_names.h: under which names a PyTorch user finds the weights of an exported model.
 *
 * torch.onnx.export renames: it transposes a Linear's weight for MatMul and calls it onnx::MatMul_123, folds a batch
 * norm into the convolution before it, reorders an LSTM's gates, writes a tied weight twice, and keeps one of several
 * equal initializers and the others as Identity nodes. The names are found again, in this order:
 *   - the initializer's own name, when the exporter has kept it
 *   - the bias beside it: what is multiplied in front of "a.b.bias" is "a.b.weight"
 *   - the scope of the node that uses it: "/layers.0/linear1/MatMul" belongs to "layers.0.linear1". This is a guess:
 *     scopes leave out ModuleDicts, and a module that is called twice has another scope the second time.
 * Measured on exports of PyTorch 1.13. Ownership: everything is the inventory's. Threads: one to an inventory.
 */
#ifndef ENGINE_TORCH_NAMES_H
#define ENGINE_TORCH_NAMES_H

#include "engine/onnx_inventory.h"

/* What the exporter did to the tensor that PyTorch has under the name. */
enum torch_form {
	TORCH_KEPT,
	TORCH_TRANSPOSED,
	TORCH_RESHAPED,
	TORCH_FOLDED, /* the batch norm behind the convolution is multiplied in */
	TORCH_GATES,  /* directions stacked, gates in ONNX's order: i o f c of an LSTM, z r n of a GRU */
};

struct torch_name {
	const char *name; /* "layers.0.linear1.weight", "rnn.bias_ih_l0 and rnn.bias_hh_l0"; NULL: none was found */
	enum torch_form form;
	bool guess;
};

struct torch_weight {
	struct torch_name *names; /* of the initializer itself, then of those that were merged into it */
	size_t count;             /* at least 1 */
	const char *copy_of;      /* an initializer with the same numbers, transposed: tied in PyTorch; else NULL */
};

/* out: [initializer_count]. bytes: the file that v is the inventory of. EXP_EMEMORY. */
EXP_NODISCARD int torch_names_find(struct onnx_inventory *v, const void *bytes, struct torch_weight **out,
				   struct exp_error *err);

/* What follows names in a text: " (transposed)", " (batch norm folded in)" …; "" for TORCH_KEPT. */
const char *torch_form_text(enum torch_form form);

#endif
