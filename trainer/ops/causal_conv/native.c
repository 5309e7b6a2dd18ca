/* The causal convolution, forward and backward, with channels side by side in vector lanes; fp32, contiguous.
 *
 * A unit is SPAN steps of one sequence. The inputs before the sequence come from the state, and a step's gradient is gathered
 * from the steps that read it, so units write to places of their own; the weights' gradients are added up unit by unit. */
#include "native.h"

#define SPAN 64
#define MOST_TAPS 8

typedef struct {
    const float *x, *weights, *bias, *initial;
    const int32_t *reach; /* NULL: every step sees all inputs that the taps reach */
    int64_t batch, length, channels, taps, spans;
} inputs;

/* Runs `call`, which names `taps`, with the number as a constant where it is the usual one. */
#define WITH_TAPS(number, call)                          \
    if ((number) == 4) { enum { taps = 4 }; call; }      \
    else { const int64_t taps = (number); call; }

/* Input t of a sequence, or of its state where t is negative. */
INLINE const float *input_at(const inputs *in, int64_t item, int64_t t) {
    return t < 0 ? in->initial + (item * (in->taps - 1) + t + in->taps - 1) * in->channels
                 : in->x + (item * in->length + t) * in->channels;
}

/* How many taps step t uses. */
INLINE int64_t used(const inputs *in, int64_t item, int64_t t, const int64_t taps) {
    return in->reach ? smaller(taps, 1 + in->reach[item * in->length + t]) : taps;
}

INLINE void forward_block(const inputs *in, float *y, int64_t item, int64_t first, int64_t last, int64_t channel,
                          const int64_t taps) {
    const int64_t count = smaller(LANES, in->channels - channel);
    const vector bias = load(in->bias + channel, count);
    vector weights[MOST_TAPS];
    for (int64_t i = 0; i < taps; i++) weights[i] = load(in->weights + i * in->channels + channel, count);
    for (int64_t t = first; t < last; t++) {
        const int64_t reached = used(in, item, t, taps);
        vector sum = bias;
        for (int64_t i = 0; i < taps; i++)
            if (i < reached) sum += weights[i] * load(input_at(in, item, t - i) + channel, count);
        store(y + (item * in->length + t) * in->channels + channel, sum, count);
    }
}

static int forward_unit(const inputs *in, int64_t unit, float *y, float *final) {
    const int64_t item = unit / in->spans, first = unit % in->spans * SPAN, last = smaller(first + SPAN, in->length);
    for (int64_t channel = 0; channel < in->channels; channel += LANES)
        WITH_TAPS(in->taps, forward_block(in, y, item, first, last, channel, taps))
    if (last == in->length)
        for (int64_t i = 0; i < in->taps - 1; i++)
            memcpy(final + (item * (in->taps - 1) + i) * in->channels,
                   input_at(in, item, in->length - (in->taps - 1) + i), (size_t)in->channels * sizeof(float));
    return 0;
}

typedef struct {
    const float *y, *final;  /* given: gradients of the outputs */
    float *x, *initial;      /* wanted */
    float *parts;            /* wanted in parts: (units, taps + 1, D), the bias last */
} gradients;

/* The gradient of input t, gathered from what read it. */
INLINE void gather(const inputs *in, const gradients *g, const vector *weights, int64_t item, int64_t t, int64_t channel,
                   const int64_t taps) {
    const int64_t count = smaller(LANES, in->channels - channel), kept = t - (in->length - (taps - 1));
    vector sum = {0};
    if (kept >= 0) sum = load(g->final + (item * (taps - 1) + kept) * in->channels + channel, count);
    for (int64_t i = t < 0 ? -t : 0; i < taps; i++)
        if (t + i < in->length && i < used(in, item, t + i, taps))
            sum += weights[i] * load(g->y + (item * in->length + t + i) * in->channels + channel, count);
    float *to = t < 0 ? g->initial + (item * (taps - 1) + t + taps - 1) * in->channels
                      : g->x + (item * in->length + t) * in->channels;
    store(to + channel, sum, count);
}

INLINE void backward_block(const inputs *in, const gradients *g, float *parts, int64_t item, int64_t first, int64_t last,
                           int64_t channel, const int64_t taps) {
    const int64_t count = smaller(LANES, in->channels - channel);
    vector weights[MOST_TAPS], to_weights[MOST_TAPS], to_bias = {0};
    for (int64_t i = 0; i < taps; i++) {
        weights[i] = load(in->weights + i * in->channels + channel, count);
        to_weights[i] = (vector){0};
    }
    for (int64_t t = first ? first : -(taps - 1); t < last; t++) gather(in, g, weights, item, t, channel, taps);
    for (int64_t t = first; t < last; t++) {
        const vector above = load(g->y + (item * in->length + t) * in->channels + channel, count);
        const int64_t reached = used(in, item, t, taps);
        to_bias += above;
        for (int64_t i = 0; i < taps; i++)
            if (i < reached) to_weights[i] += above * load(input_at(in, item, t - i) + channel, count);
    }
    for (int64_t i = 0; i < taps; i++) store(parts + i * in->channels + channel, to_weights[i], count);
    store(parts + taps * in->channels + channel, to_bias, count);
}

static int backward_unit(const inputs *in, int64_t unit, const gradients *g) {
    const int64_t item = unit / in->spans, first = unit % in->spans * SPAN, last = smaller(first + SPAN, in->length);
    float *parts = g->parts + unit * (in->taps + 1) * in->channels;
    for (int64_t channel = 0; channel < in->channels; channel += LANES)
        WITH_TAPS(in->taps, backward_block(in, g, parts, item, first, last, channel, taps))
    return 0;
}

static inputs described(const float *const *tensors, const int64_t *sizes) {
    inputs in = {.x = tensors[0], .weights = tensors[1], .bias = tensors[2], .initial = tensors[3]};
    in.reach = (const int32_t *)tensors[4];
    in.batch = sizes[0], in.length = sizes[1], in.channels = sizes[2], in.taps = sizes[3], in.spans = sizes[4];
    return in;
}

/* tensors: x (B, L, D), weights (taps, D), bias (D,), initial (B, taps - 1, D), reach (B, L) of 32-bit integers or nothing.
 * sizes: B, L, D, taps, spans of SPAN steps, at least one. results: y (B, L, D), final (B, taps - 1, D). */
int forward(const float *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.spans, threads, forward_unit(&in, unit, results[0], results[1]))
    return failed;
}

/* tensors: as for forward, then the gradients of y and final. results: the gradients of x, of the weights with the bias
 * (taps + 1, D), and of initial, then room for the parts of the weights (B * spans, taps + 1, D). */
int backward(const float *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    const gradients g = {tensors[5], tensors[6], results[0], results[2], results[3]};
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.spans, threads, backward_unit(&in, unit, &g))
    sum_parts(results[1], g.parts, in.batch * in.spans, (in.taps + 1) * in.channels);
    return failed;
}
