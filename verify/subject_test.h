/*
 * subject_test.h: does a model still treat a subject's rows like rows that it was trained on, or conspicuously unlike
 * rows that it never saw?
 *
 *   T(model) = mean over the subject's rows of a statistic
 *   z        = (T(tested) - mean T(out)) / sd T(out)        over the R references that never saw the subject
 *   Z_hi     = max over the verdict's statistics of z       residual membership
 *   Z_lo     = max over them of -z                          over-forgetting
 *   p_hi     = (1 + w * share of pseudo-subjects with Z_hi >= the subject's) / (w + 1), p_lo likewise
 *
 * Pseudo-subjects are sets of held-out rows of the subject's size and, where enough rows allow it, class mix, judged
 * under the same R references and the same tested model: what the tested model does to all unseen rows is in both. w is
 * their number where they share no rows; overlapping ones count for at most twice the disjoint ones. The maximum is
 * taken for subject and pseudo-subjects alike, so its p-value holds for all statistics together. The statistic that a
 * search has optimised is left out of the maximum and reported apart.
 *
 * power: the share of the references that did see the subject which the same test flags as residual (the positive
 * control). false_alarm: the share of the R references that did not see it which it flags, each against the R - 1
 * others (the negative control).
 */
#ifndef VERIFY_SUBJECT_TEST_H
#define VERIFY_SUBJECT_TEST_H

#include "verify/scores.h"

struct subject_limits {
	double alpha;           /* one-sided, after its split over attempts */
	unsigned statistics;    /* bit set 1 << enum statistic of the verdict; the searched one is not in it */
	size_t pseudo_subjects; /* most that are drawn */
	size_t min_heldout;     /* held-out subjects below which the test is refused */
};

struct subject_rows {
	struct row_list subject, pool;
	size_t heldout_subjects; /* that the pool's rows belong to */
};

/* The frame of one subject's test: its references and pseudo-subjects. Serves any number of tested models. */
struct subject_frame {
	const struct scores *scores; /* borrowed */
	struct subject_limits limits;
	size_t rows;       /* of the subject that the table knows */
	size_t sets;       /* 1 + pseudo-subjects; set 0 is the subject */
	size_t *columns;   /* [sets, rows] */
	size_t *out;       /* [out_models] that never saw the subject */
	size_t out_models; /* R */
	double *out_means; /* [out_models, sets, STATISTICS], T of each reference */
	bool class_matched;
	size_t disjoint; /* how many pseudo-subjects without a common row the held-out rows allow */
	size_t worth;    /* w: independent pseudo-subjects that those drawn tell as much as */
	bool refused;
	char reason[160]; /* why refused, or "" */
};

/* What the test says of one model. Where the frame is refused, p = 1, z = 0, nothing flagged. */
struct subject_result {
	double z[STATISTICS];                           /* each statistic alone, the searched one too */
	double mean[STATISTICS], reference[STATISTICS]; /* T of the tested model, mean T of the references */
	double z_hi, z_lo;                              /* the maxima */
	double p_hi, p_lo;
	double worst_row;              /* largest |z| of a single row over the verdict's statistics */
	bool residual, over_forgotten; /* p <= alpha */
};

struct subject_controls {
	double power, false_alarm;
	size_t in_models, out_models;
};

/*
 * subject: row numbers. pool: live held-out rows, of heldout_subjects subjects. A frame that cannot work is refused
 * with its reason, which is no error: the table knows none of the rows, they share too few references (rows of several
 * subjects), there are too few held-out subjects, or the smallest attainable p exceeds alpha. EXP_EMEMORY.
 */
EXP_NODISCARD int subject_frame_init(struct subject_frame *f, const struct scores *scores,
				     const struct subject_rows *rows, const struct subject_limits *limits,
				     uint64_t seed, struct exp_error *err);
void subject_frame_fini(struct subject_frame *f);

/* tested [columns, STATISTICS] as from reference_score, covering the subject's and the held-out rows. */
void subject_test(const struct subject_frame *f, const float *tested, struct subject_result *out);

/* Positive and negative control, from the table alone; zeros where the frame is refused. */
void subject_controls(const struct subject_frame *f, struct subject_controls *out);

/* Smallest p that m independent pseudo-subjects can give. */
static inline double subject_smallest_p(size_t m)
{
	return 1.0 / (double)(m + 1);
}

#endif
