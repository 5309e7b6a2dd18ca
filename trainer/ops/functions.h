/* Functions of vectors beyond exp2: sigmoid, softplus, tanh; relative error of a few roundings. */
#ifndef TRAINER_FUNCTIONS_H
#define TRAINER_FUNCTIONS_H

#include "native.h"

INLINE vector sigmoid_of(vector x) { return 1.0f / (1.0f + exp2_of(x * -LOG2_E)); }

/* log(1 + e^x) = max(x, 0) + log(1 + w) with w = e^-|x|, and log(1 + w) = 2 artanh(w / (2 + w)), whose series in powers of at
 * most 1/9 needs no logarithm and stays exact where the result is small. */
INLINE vector softplus_of(vector x) {
    const vector above = at_least(x, 0.0f), magnitude = above - at_most(x, 0.0f);
    const vector w = exp2_of(magnitude * -LOG2_E), part = w / (w + 2.0f), square = part * part;
    vector series = square * (1.0f / 15.0f) + 1.0f / 13.0f;
    series = series * square + 1.0f / 11.0f;
    series = series * square + 1.0f / 9.0f;
    series = series * square + 1.0f / 7.0f;
    series = series * square + 1.0f / 5.0f;
    series = series * square + 1.0f / 3.0f;
    series = series * square + 1.0f;
    return above + 2.0f * part * series;
}

/* A ratio of polynomials that is 1 to rounding from 7.9 on: the coefficients of Eigen's ptanh, which fit to 2 roundings. */
INLINE vector tanh_of(vector x) {
    x = at_most(at_least(x, -7.90531110763549805f), 7.90531110763549805f);
    const vector square = x * x;
    vector above = square * -2.76076847742355e-16f + 2.00018790482477e-13f;
    above = above * square - 8.60467152213735e-11f;
    above = above * square + 5.12229709037114e-08f;
    above = above * square + 1.48572235717979e-05f;
    above = above * square + 6.37261928875436e-04f;
    above = above * square + 4.89352455891786e-03f;
    vector below = square * 1.19825839466702e-06f + 1.18534705686654e-04f;
    below = below * square + 2.26843463243900e-03f;
    below = below * square + 4.89352518554385e-03f;
    return x * above / below;
}

#endif
