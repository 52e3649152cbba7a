/*
 * stage.h: from a block of parameters to a version that is fit to be published, and back from disk at start.
 *
 * Staging writes the ONNX file (graph_save) durably under its digest, reads it back into private memory, holds the
 * digest against the bytes and runs both blocks of parameters over warm-up rows: what is published is what lies on the
 * disk. Nothing is served by it: models_swap does that after storage has committed the version.
 *
 * Threads: any; nothing is shared.
 */
#ifndef MODEL_STAGE_H
#define MODEL_STAGE_H

#include "engine/source.h"
#include "model/files.h"
#include "model/live.h"
#include "storage/versions.h"

struct stage_spec {
	const char *data_folder, *model; /* borrowed */
	const struct params *params;     /* the new weights, borrowed; their graph says which file they go into */
	const struct source *warm;       /* rows for the warm-up, borrowed; NULL: one row of zeros */
};

struct staged {
	struct weights_id id;
	size_t bytes;              /* of the file */
	struct snapshot *snapshot; /* the caller's: to models_swap, or snapshot_free */
};

/*
 * EXP_ENONFINITE (weights, or outputs on the warm-up rows), EXP_ECORRUPT (what was read back is not what was written),
 * EXP_ENOSPACE, EXP_EIO, EXP_EMEMORY. On failure no file stays unless it was there before. Idempotent.
 */
EXP_NODISCARD int model_stage(const struct stage_spec *spec, struct staged *out, struct exp_error *err);

/* The first version of a model: takes the bytes of an uploaded ONNX file as they are. The errors of graph_load, too. */
EXP_NODISCARD int model_stage_file(const char *data_folder, const char *model, const void *bytes, size_t size,
				   struct staged *out, struct exp_error *err);

/* A version from disk, warmed with one row of zeros. options: what the file leaves open; NULL: nothing. EXP_ECORRUPT:
 * the file is missing or its digest is another. */
EXP_NODISCARD int model_open(const char *data_folder, const char *model, const char *sha256,
			     const struct graph_options *options, struct snapshot **out, struct exp_error *err);

/* The same with the options that storage has of the version's model. */
EXP_NODISCARD int model_open_version(const char *data_folder, struct store *store, const struct stored_version *version,
				     struct snapshot **out, struct exp_error *err);

#endif
