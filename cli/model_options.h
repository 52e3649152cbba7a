/*
 * model_options.h: options that say what an ONNX file leaves open: --size, --shape and --frozen.
 *
 * Offline commands load the model with them, a registration hands them to the daemon: both as the JSON of
 * engine/graph_options.h. Threads: one.
 */
#ifndef CLI_MODEL_OPTIONS_H
#define CLI_MODEL_OPTIONS_H

#include "cli/option.h"
#include "engine/graph_options.h"

/* A member of the command's own struct, so that the rows below find it. */
struct model_options {
	struct option_list sizes, shapes, frozen;
};

#define MODEL_OPTIONS_ROWS(type, member)                                                                               \
	{ .name = "size",                                                                                              \
	  .kind = OPTION_LIST,                                                                                         \
	  .offset = offsetof(type, member.sizes),                                                                      \
	  .value = "SYMBOL=N",                                                                                         \
	  .help = "how long the inputs' dimensions with that symbol are; may be given several times" },                \
	    { .name = "shape",                                                                                         \
	      .kind = OPTION_LIST,                                                                                     \
	      .offset = offsetof(type, member.shapes),                                                                 \
	      .value = "INPUT=N,...",                                                                                  \
	      .help = "the shape of one row of that input, where dimensions have no symbol; likewise" },               \
	{                                                                                                              \
		.name = "frozen", .kind = OPTION_LIST, .offset = offsetof(type, member.frozen), .value = "NAME",       \
		.help = "an initializer that was not learned and stays as it is; likewise"                             \
	}

/* Sets the fields "sizes", "shapes" and "frozen" of body, those that are given. EXP_EINVAL says which option is wrong.
 */
EXP_NODISCARD int model_options_to_json(const struct model_options *o, json_t *body, struct exp_error *err);

/* What is read lies in the arena. EXP_EINVAL as above, EXP_EMEMORY. */
EXP_NODISCARD int model_options_read(const struct model_options *o, struct arena *arena, struct graph_options *out,
				     struct exp_error *err);

#endif
