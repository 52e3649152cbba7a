/*
 * retrain.h: exact erasure: train again by the recipe, from fresh weights, on the retained rows alone.
 */
#ifndef UNLEARN_RETRAIN_H
#define UNLEARN_RETRAIN_H

#include "unlearn/method.h"

extern const struct method retrain_method;

#endif
