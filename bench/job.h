/*
 * job.h: the jobs that are measured, and what one process needs for one of them.
 *
 * A job works on the first rows of a pair of npy files with one model, or on nothing (the machine's own peaks).
 * Ownership: job_close gives everything back, also after a failed job_open. Threads: one; a session may use its own.
 */
#ifndef BENCH_JOB_H
#define BENCH_JOB_H

#include "engine/importance.h"
#include "engine/npy.h"
#include "unlearn/method.h"

/* What the command line says. */
struct job_options {
	const char *model, *inputs, *labels; /* paths: an ONNX file and two npy files */
	size_t batch;                        /* rows of one unit */
	unsigned threads;
};

struct job_work {
	struct job_options options;
	double samples; /* of one unit: rows, or floating-point operations of the machine's peaks */
	struct graph *graph;
	struct params *params, *original;
	struct session *session;
	struct npy inputs, labels;
	struct npy_source rows;
	struct source_subset subset; /* the first batch rows */
	size_t *index;               /* [rows]: 0, 1, 2 … */
	float *batch_inputs, *scores;
	int32_t *batch_labels;
	float *sums; /* [parameter floats] */
	struct importance all, forget;
	double alpha;
	struct recipe recipe;
	float *matrices; /* three of the machine's products */
};

struct job {
	const char *name;
	bool on_model; /* false: the machine's own */
	int (*prepare)(struct job_work *w, struct exp_error *err);
	int (*run)(struct job_work *w, size_t units, struct exp_error *err);
	void (*reset)(struct job_work *w); /* before each unit, not timed; NULL: none is needed */
	/* A number that follows from the result and that another implementation must reach too; NULL: there is none. */
	int (*check)(struct job_work *w, double *value, struct exp_error *err);
};

extern const struct job job_sgemm, job_fma, job_forward, job_exact, job_train, job_dampen, job_deletion;

const struct job *job_find(const char *name); /* NULL when there is none */

/* Loads model and rows for a job on a model, then prepares it. */
EXP_NODISCARD int job_open(const struct job *job, const struct job_options *o, struct job_work *w,
			   struct exp_error *err);
void job_close(struct job_work *w);

#endif
