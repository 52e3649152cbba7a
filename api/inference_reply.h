/*
 * inference_reply.h: parts of the Open Inference Protocol's answers (KServe, REST, version 2) that several endpoints
 * share. Threads: the call's.
 */
#ifndef API_INFERENCE_REPLY_H
#define API_INFERENCE_REPLY_H

#include "api/call.h"
#include "model/live.h"

/* Borrows the live snapshot of the model, or of the version, that the path names; models_give. EXP_ENOTFOUND: it is not
 * there or not the live one. */
EXP_NODISCARD int inference_take(struct call *c, struct snapshot **out, struct exp_error *err);

/* Metadata of a model: tensors with -1 for the batch. */
int inference_describe(struct call *c, struct exp_error *err);

/* 200 when the model (or that version) is live, 503 otherwise. */
int inference_tell_ready(struct call *c, struct exp_error *err);

/* Runs it. */
int inference_run(struct call *c, struct exp_error *err);

#endif
