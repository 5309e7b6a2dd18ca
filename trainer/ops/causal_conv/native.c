/* The causal convolution, bare or with SiLU behind it, forward and backward, with channels side by side in vector lanes.
 *
 * A unit is SPAN steps of one sequence. The inputs before the sequence come from the state, and a step's gradient is gathered
 * from the steps that read it, so units write to places of their own; the weights' gradients are added up unit by unit. What
 * SiLU multiplied is not kept: the backward pass has the inputs anyway and sums them once more. */
#include "bfloat16.h"
#include "functions.h"
#include "native.h"

/* What a unit of work computes; a constant where it is called. */
#define BARE 0
#define SILU 1
#define SILU_NARROW 2 /* x, y and their gradients are bfloat16 */

#define SPAN 64
#define MOST_TAPS 8

typedef struct {
    const void *x;
    const float *weights, *bias, *initial;
    const int32_t *reach; /* NULL: every step sees all inputs that the taps reach */
    int64_t batch, length, channels, taps, spans, row; /* row: numbers from one step of x to the next */
} inputs;

/* Runs `call`, which names `taps`, with the number as a constant where it is the usual one. */
#define WITH_TAPS(number, call)                          \
    if ((number) == 4) { enum { taps = 4 }; call; }      \
    else { const int64_t taps = (number); call; }

/* How many taps step t uses. */
INLINE int64_t used(const inputs *in, int64_t item, int64_t t, const int64_t taps) {
    return in->reach ? smaller(taps, 1 + in->reach[item * in->length + t]) : taps;
}

/* The place of a step in a sequence of rows without gaps. */
INLINE int64_t place_of(const inputs *in, int64_t item, int64_t t, int64_t channel) {
    return (item * in->length + t) * in->channels + channel;
}

/* A block's inputs from taps - 1 steps before `first` on, up to `last`; those before the sequence are the state's. */
INLINE void read_inputs(const inputs *in, vector *x, int64_t item, int64_t first, int64_t last, int64_t channel,
                        const int64_t taps, const int kind) {
    const int64_t count = smaller(LANES, in->channels - channel);
    for (int64_t t = first - (taps - 1); t < last; t++)
        *x++ = t < 0 ? load(in->initial + (item * (taps - 1) + t + taps - 1) * in->channels + channel, count)
                     : load_as(in->x, (item * in->length + t) * in->row + channel, count, kind == SILU_NARROW);
}

INLINE void read_weights(const inputs *in, vector *weights, int64_t channel, const int64_t taps) {
    for (int64_t i = 0; i < taps; i++)
        weights[i] = load(in->weights + i * in->channels + channel, smaller(LANES, in->channels - channel));
}

/* What the taps make of the inputs up to *newest, of which `reached` are seen. */
INLINE vector weighed(const vector *newest, const vector *weights, vector bias, int64_t reached, const int64_t taps) {
    vector sum = bias;
    for (int64_t i = 0; i < taps; i++)
        if (i < reached) sum += weights[i] * newest[-i];
    return sum;
}

INLINE void forward_block(const inputs *in, void *y, float *final, int64_t item, int64_t first, int64_t last, int64_t channel,
                          const int64_t taps, const int kind) {
    const int64_t count = smaller(LANES, in->channels - channel);
    const vector bias = load(in->bias + channel, count);
    vector x[SPAN + MOST_TAPS - 1], weights[MOST_TAPS];
    read_inputs(in, x, item, first, last, channel, taps, kind);
    read_weights(in, weights, channel, taps);
    for (int64_t t = first; t < last; t++) {
        const vector sum = weighed(x + t - first + taps - 1, weights, bias, used(in, item, t, taps), taps);
        store_as(y, place_of(in, item, t, channel), kind ? sum * sigmoid_of(sum) : sum, count, kind == SILU_NARROW);
    }
    if (last == in->length)
        for (int64_t i = 0; i < taps - 1; i++)
            store(final + (item * (taps - 1) + i) * in->channels + channel, x[last - first + i], count);
}

INLINE int forward_unit(const inputs *in, int64_t unit, void *y, float *final, const int kind) {
    const int64_t item = unit / in->spans, first = unit % in->spans * SPAN, last = smaller(first + SPAN, in->length);
    for (int64_t channel = 0; channel < in->channels; channel += LANES)
        WITH_TAPS(in->taps, forward_block(in, y, final, item, first, last, channel, taps, kind))
    return 0;
}

typedef struct {
    const void *y;       /* given: the gradient of y */
    const float *final;  /* given: that of the last inputs */
    void *x;             /* wanted */
    float *initial;      /* wanted */
    float *parts;        /* wanted in parts: (units, taps + 1, D), the bias last */
} gradients;

/* The gradients of the sums of the steps from `first` to `last`, from those of y. */
INLINE void read_gradients(const inputs *in, const gradients *g, vector *above, const vector *x, const vector *weights,
                           int64_t item, int64_t first, int64_t last, int64_t channel, const int64_t taps, const int kind) {
    const int64_t count = smaller(LANES, in->channels - channel);
    const vector bias = load(in->bias + channel, count);
    for (int64_t t = first; t < last; t++) {
        vector gradient = load_as(g->y, place_of(in, item, t, channel), count, kind == SILU_NARROW);
        if (kind) {
            const vector sum = weighed(x + t - first + taps - 1, weights, bias, used(in, item, t, taps), taps);
            const vector open = sigmoid_of(sum);
            gradient *= open * (sum * (1.0f - open) + 1.0f);
        }
        above[t - first] = gradient;
    }
}

/* The gradient of input t, gathered from what read it; above[0] is of step `first`. */
INLINE void gather(const inputs *in, const gradients *g, const vector *above, const vector *weights, int64_t item,
                   int64_t first, int64_t t, int64_t channel, const int64_t taps, const int kind) {
    const int64_t count = smaller(LANES, in->channels - channel), kept = t - (in->length - (taps - 1));
    vector sum = {0};
    if (kept >= 0) sum = load(g->final + (item * (taps - 1) + kept) * in->channels + channel, count);
    for (int64_t i = t < 0 ? -t : 0; i < taps; i++)
        if (t + i < in->length && i < used(in, item, t + i, taps)) sum += weights[i] * above[t + i - first];
    if (t < 0) store(g->initial + (item * (taps - 1) + t + taps - 1) * in->channels + channel, sum, count);
    else store_as(g->x, place_of(in, item, t, channel), sum, count, kind == SILU_NARROW);
}

INLINE void backward_block(const inputs *in, const gradients *g, float *parts, int64_t item, int64_t first, int64_t last,
                           int64_t channel, const int64_t taps, const int kind) {
    const int64_t count = smaller(LANES, in->channels - channel);
    const int64_t read = smaller(last + taps - 1, in->length); /* up to here the span's inputs are read */
    vector x[SPAN + 2 * (MOST_TAPS - 1)], above[SPAN + MOST_TAPS - 1];
    vector weights[MOST_TAPS], to_weights[MOST_TAPS], to_bias = {0};
    read_inputs(in, x, item, first, read, channel, taps, kind);
    read_weights(in, weights, channel, taps);
    read_gradients(in, g, above, x, weights, item, first, read, channel, taps, kind);
    for (int64_t t = first ? first : -(taps - 1); t < last; t++)
        gather(in, g, above, weights, item, first, t, channel, taps, kind);
    for (int64_t i = 0; i < taps; i++) to_weights[i] = (vector){0};
    for (int64_t t = first; t < last; t++) {
        const vector gradient = above[t - first];
        const int64_t reached = used(in, item, t, taps);
        to_bias += gradient;
        for (int64_t i = 0; i < taps; i++)
            if (i < reached) to_weights[i] += gradient * x[t - first + taps - 1 - i];
    }
    for (int64_t i = 0; i < taps; i++) store(parts + i * in->channels + channel, to_weights[i], count);
    store(parts + taps * in->channels + channel, to_bias, count);
}

INLINE int backward_unit(const inputs *in, int64_t unit, const gradients *g, const int kind) {
    const int64_t item = unit / in->spans, first = unit % in->spans * SPAN, last = smaller(first + SPAN, in->length);
    float *parts = g->parts + unit * (in->taps + 1) * in->channels;
    for (int64_t channel = 0; channel < in->channels; channel += LANES)
        WITH_TAPS(in->taps, backward_block(in, g, parts, item, first, last, channel, taps, kind))
    return 0;
}

static inputs described(const void *const *tensors, const int64_t *sizes) {
    inputs in = {.x = tensors[0], .weights = tensors[1], .bias = tensors[2], .initial = tensors[3], .reach = tensors[4]};
    in.batch = sizes[0], in.length = sizes[1], in.channels = sizes[2], in.taps = sizes[3], in.spans = sizes[4];
    in.row = sizes[5];
    return in;
}

/* tensors: x (B, L, D) in rows with gaps, weights (taps, D), bias (D,), initial (B, taps - 1, D), reach (B, L) of 32-bit integers
 * or nothing. sizes: B, L, D, taps, spans of SPAN steps, at least one, the row of x. results: y (B, L, D), final (B, taps - 1, D). */
int forward(const void *const *tensors, void *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.spans, threads, forward_unit(&in, unit, results[0], results[1], BARE))
    return failed;
}

/* As forward, with SiLU behind it. sizes: as for forward, then whether x and y are bfloat16. */
int forward_silu(const void *const *tensors, void *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.spans, threads,
                  sizes[6] ? forward_unit(&in, unit, results[0], results[1], SILU_NARROW)
                           : forward_unit(&in, unit, results[0], results[1], SILU))
    return failed;
}

/* tensors: as for forward, then the gradients of y and final. results: the gradients of x (without gaps), of the weights with
 * the bias (taps + 1, D), and of initial, then room for the parts of the weights (B * spans, taps + 1, D). */
int backward(const void *const *tensors, void *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    const gradients g = {tensors[5], tensors[6], results[0], results[2], results[3]};
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.spans, threads, backward_unit(&in, unit, &g, BARE))
    sum_parts(results[1], g.parts, in.batch * in.spans, (in.taps + 1) * in.channels);
    return failed;
}

/* As backward, with SiLU behind the convolution. sizes: as for forward_silu. */
int backward_silu(const void *const *tensors, void *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    const gradients g = {tensors[5], tensors[6], results[0], results[2], results[3]};
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.spans, threads,
                  sizes[6] ? backward_unit(&in, unit, &g, SILU_NARROW) : backward_unit(&in, unit, &g, SILU))
    sum_parts(results[1], g.parts, in.batch * in.spans, (in.taps + 1) * in.channels);
    return failed;
}
