/*
 * engine.c: expunge's side of the measurements: one job in one process, told over standard input when to run.
 *
 *   bench-engine JOB MODEL.onnx INPUTS.npy LABELS.npy BATCH THREADS
 *   bench-engine sgemm|fma
 *
 * It answers on standard output, a line each. Once it is prepared: "ready TEXT", or "no REASON" and it ends. Then to
 *
 *   run COUNT   "ok WALL CPU SAMPLES": the seconds that COUNT units took, on the clock and of the processor, and the
 *               samples that they worked on. What puts weights back between units is left out
 *   check       "ok VALUE": a number that follows from the result, which the peers must reach too; or "no REASON"
 *
 * until its input ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/job.h"
#include "engine/blas.h"

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct timing {
	double wall, cpu;
};

static int run_timed(const struct job *job, struct job_work *w, size_t units, struct timing *t, struct exp_error *err)
{
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	int rc = job->run(w, units, err);

	t->wall += seconds(CLOCK_MONOTONIC) - wall;
	t->cpu += seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	return rc;
}

static int run(const struct job *job, struct job_work *w, size_t units, struct timing *t, struct exp_error *err)
{
	int rc = 0;

	if (!job->reset)
		return run_timed(job, w, units, t, err);
	for (size_t i = 0; !rc && i < units; i++) {
		job->reset(w);
		rc = run_timed(job, w, 1, t, err);
	}
	return rc;
}

static void answer_run(const struct job *job, struct job_work *w, size_t units)
{
	struct exp_error err = { 0 };
	struct timing t = { 0 };
	int rc = run(job, w, units, &t, &err);

	if (rc)
		printf("no %s\n", err.code ? err.message : error_sentence(rc));
	else
		printf("ok %.9f %.9f %.0f\n", t.wall, t.cpu, w->samples * (double)units);
}

static void answer_check(const struct job *job, struct job_work *w)
{
	struct exp_error err = { 0 };
	double value;
	int rc = job->check ? job->check(w, &value, &err) : EXP_EUNSUPPORTED;

	if (!job->check)
		printf("no comparable result\n");
	else if (rc)
		printf("no %s\n", err.code ? err.message : error_sentence(rc));
	else
		printf("ok %.17g\n", value);
}

static void serve(const struct job *job, struct job_work *w)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "run ", 4))
			answer_run(job, w, strtoul(line + 4, NULL, 10));
		else
			answer_check(job, w);
		fflush(stdout);
	}
}

static void announce(const struct job *job, const struct job_work *w)
{
	struct buf config = { 0 };

	if (job == &job_deletion) {
		printf("ready alpha %.17g\n", w->alpha);
	} else {
		blas_config(&config);
		printf("ready %s\n", config.data);
	}
	fflush(stdout);
	buf_fini(&config);
}

int main(int argc, char **argv)
{
	const struct job *job = argc > 1 ? job_find(argv[1]) : NULL;
	struct job_options o = { 0 };
	struct exp_error err = { 0 };
	struct job_work w;
	int rc;

	if (!job || argc != (job->on_model ? 7 : 2)) {
		fprintf(stderr, "usage: bench-engine JOB MODEL.onnx INPUTS.npy LABELS.npy BATCH THREADS\n"
				"       bench-engine sgemm|fma\n");
		return 2;
	}
	if (job->on_model)
		o = (struct job_options){ argv[2], argv[3], argv[4], strtoul(argv[5], NULL, 10),
					  (unsigned)strtoul(argv[6], NULL, 10) };
	rc = job_open(job, &o, &w, &err);
	if (rc) {
		printf("no %s\n", err.code ? err.message : error_sentence(rc));
	} else {
		announce(job, &w);
		serve(job, &w);
	}
	job_close(&w);
	return rc ? 1 : 0;
}
