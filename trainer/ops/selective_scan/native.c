/* The selective scan of Mamba-1, forward and backward, with channels side by side in vector lanes; fp32, contiguous.
 *
 * The state index is the outer loop and time the inner one, inside chunks of CHUNK steps: one state of LANES channels stays
 * in a register, all that a chunk needs stays in the first-level cache, and any number of states is the same code. The forward
 * pass keeps the state before each chunk; the backward pass computes a chunk's states again from it, TOGETHER states at a time,
 * which share what they load and store for a step. */
#include "bfloat16.h"
#include "functions.h"
#include "native.h"

/* What a unit of work computes; a constant where it is called. */
#define BARE 0
#define GATED 1
#define GATED_NARROW 2 /* u, delta and gate, y, and the gradients of all of them are bfloat16 */

#define CHUNK 32
#define TOGETHER 4 /* as native.h packs rows */
#define FORGETTING 1e30f /* a step so long that exp is 0 whatever the rate */

typedef struct {
    const void *u, *delta, *gate; /* of a gated scan delta is before softplus and its bias, see gated.py */
    const float *a, *b, *c, *initial, *skip, *bias;
    const uint8_t *begins;           /* NULL: nowhere */
    int64_t batch, length, channels, states, chunks, blocks, groups;
    int64_t gate_row;                /* numbers from one step of the gate to the next */
} inputs;

/* A block's step sizes in a chunk, and what the states decay by: the same, but where a document begins nothing is left. */
INLINE void step_sizes(const inputs *in, int64_t start, int64_t steps, int64_t channel, int64_t count, const int kind,
                       vector *delta, vector *decaying) {
    const vector bias = kind ? load(in->bias + channel, count) : (vector){0};
    for (int64_t t = 0; t < steps; t++) {
        delta[t] = load_as(in->delta, (start + t) * in->channels + channel, count, kind == GATED_NARROW);
        if (kind) delta[t] = softplus_of(delta[t] + bias);
        decaying[t] = kind && in->begins && in->begins[start + t] ? (vector){0} + FORGETTING : delta[t];
    }
}

INLINE vector gate_of(const inputs *in, int64_t step, int64_t channel, int64_t count, const int kind) {
    return load_as(in->gate, step * in->gate_row + channel, count, kind == GATED_NARROW);
}

INLINE vector rates_of(const inputs *in, int64_t channel, int64_t count, int64_t state, float scale) {
    vector rates = {0};
    for (int64_t lane = 0; lane < count; lane++) rates[lane] = in->a[(channel + lane) * in->states + state] * scale;
    return rates;
}

INLINE vector state_of(const inputs *in, const float *from, int64_t item, int64_t channel, int64_t count, int64_t state) {
    vector value = {0};
    for (int64_t lane = 0; lane < count; lane++)
        value[lane] = from[(item * in->channels + channel + lane) * in->states + state];
    return value;
}

INLINE void put_state(const inputs *in, float *to, vector value, int64_t item, int64_t channel, int64_t count, int64_t state) {
    for (int64_t lane = 0; lane < count; lane++)
        to[(item * in->channels + channel + lane) * in->states + state] = value[lane];
}

INLINE int forward_unit(const inputs *in, int64_t unit, void *y, float *final, float *checkpoints, const int kind) {
    const int64_t item = unit / in->blocks, channel = unit % in->blocks * LANES, states = in->states;
    const int64_t count = smaller(LANES, in->channels - channel);
    vector *held = vectors(2 * states);
    if (!held) return 1;
    vector *rates = held + states, delta[CHUNK], decaying[CHUNK], driven[CHUNK], sums[CHUNK];
    const vector skip = kind ? load(in->skip + channel, count) : (vector){0};
    for (int64_t n = 0; n < states; n++) {
        held[n] = state_of(in, in->initial, item, channel, count, n);
        rates[n] = rates_of(in, channel, count, n, LOG2_E);
    }
    for (int64_t chunk = 0; chunk < in->chunks; chunk++) {
        const int64_t start = item * in->length + chunk * CHUNK, steps = smaller(CHUNK, in->length - chunk * CHUNK);
        step_sizes(in, start, steps, channel, count, kind, delta, decaying);
        for (int64_t t = 0; t < steps; t++) {
            const vector u = load_as(in->u, (start + t) * in->channels + channel, count, kind == GATED_NARROW);
            driven[t] = delta[t] * u;
            sums[t] = skip * u;
        }
        for (int64_t n = 0; n < states; n++) {
            const float *b = in->b + start * states + n, *c = in->c + start * states + n;
            const vector rate = rates[n];
            vector state = held[n];
            store(checkpoints + ((item * in->chunks + chunk) * states + n) * in->channels + channel, state, count);
            for (int64_t t = 0; t < steps; t++) {
                state = exp2_of(decaying[t] * rate) * state + driven[t] * b[t * states];
                sums[t] += state * c[t * states];
            }
            held[n] = state;
        }
        for (int64_t t = 0; t < steps; t++) {
            const int64_t at = (start + t) * in->channels + channel;
            const vector gate = kind ? gate_of(in, start + t, channel, count, kind) : (vector){0};
            store_as(y, at, kind ? sums[t] * gate * sigmoid_of(gate) : sums[t], count, kind == GATED_NARROW);
        }
    }
    for (int64_t n = 0; n < states; n++) put_state(in, final, held[n], item, channel, count, n);
    free(held);
    return 0;
}

typedef struct {
    const void *y;                                 /* given: the gradient of y */
    const float *final, *checkpoints;              /* given: the gradient of the final state, the states before each chunk */
    void *u, *delta, *gate;                        /* wanted */
    float *initial;                                /* wanted */
    float *a_parts, *b_parts, *c_parts;            /* wanted in parts: (batch, D, N), (groups, batch, L, N) twice */
    float *skip_parts, *bias_parts;                /* of a gated scan: wanted in parts (batch, D) twice */
} gradients;

/* What all blocks of channels read in a chunk, and what they add to. */
typedef struct {
    float *b, *c;            /* (CHUNK, padded states): states that are not there have zeros */
    vector *b_sums, *c_sums; /* (padded states / TOGETHER, CHUNK): the gradients of b and c, packed */
    int64_t padded;
} shared;

static void begin_chunk(const inputs *in, shared *all, int64_t start, int64_t steps) {
    const size_t row = (size_t)in->states * sizeof(float);
    memset(all->b_sums, 0, (size_t)(2 * all->padded / TOGETHER * CHUNK) * sizeof(vector));
    for (int64_t t = 0; t < steps; t++) {
        memcpy(all->b + t * all->padded, in->b + (start + t) * in->states, row);
        memcpy(all->c + t * all->padded, in->c + (start + t) * in->states, row);
    }
}

/* One chunk of one block of channels: adds to what is shared. */
INLINE void backward_chunk(const inputs *in, const gradients *g, int64_t item, int64_t channel, int64_t chunk,
                           const shared *all, vector *adjoints, vector *a_sums, vector *around, const int kind) {
    const int64_t count = smaller(LANES, in->channels - channel), states = in->states;
    const int64_t start = item * in->length + chunk * CHUNK, steps = smaller(CHUNK, in->length - chunk * CHUNK);
    vector delta[CHUNK], u[CHUNK], driven[CHUNK], above[CHUNK], delta_sums[CHUNK], driven_sums[CHUNK];
    vector decaying[CHUNK], opened[CHUNK], inner[CHUNK];
    const vector skip = kind ? load(in->skip + channel, count) : (vector){0};
    step_sizes(in, start, steps, channel, count, kind, delta, decaying);
    for (int64_t t = 0; t < steps; t++) {
        const int64_t at = (start + t) * in->channels + channel;
        u[t] = load_as(in->u, at, count, kind == GATED_NARROW);
        above[t] = load_as(g->y, at, count, kind == GATED_NARROW);
        if (kind) {
            const vector gate = gate_of(in, start + t, channel, count, kind), open = sigmoid_of(gate);
            opened[t] = above[t] * open * (gate * (1.0f - open) + 1.0f); /* what the inner y is multiplied by */
            inner[t] = skip * u[t];
            above[t] *= gate * open;
        }
        driven[t] = delta[t] * u[t];
        delta_sums[t] = driven_sums[t] = (vector){0};
    }
    for (int64_t n = 0; n < all->padded; n += TOGETHER) {
        const float *kept = g->checkpoints + ((item * in->chunks + chunk) * states + n) * in->channels + channel;
        vector state[TOGETHER] = {0}, rate[TOGETHER] = {0}, rate_of_two[TOGETHER], adjoint[TOGETHER], a_sum[TOGETHER];
        vector before[CHUNK][TOGETHER], decay[CHUNK][TOGETHER], *b_sums = all->b_sums + n / TOGETHER * CHUNK;
        vector *c_sums = all->c_sums + n / TOGETHER * CHUNK;
        memcpy(adjoint, adjoints + n, sizeof adjoint);
        memcpy(a_sum, a_sums + n, sizeof a_sum);
        for (int64_t k = 0; k < smaller(TOGETHER, states - n); k++) {
            rate[k] = rates_of(in, channel, count, n + k, 1.0f);
            state[k] = load(kept + k * in->channels, count);
        }
        for (int k = 0; k < TOGETHER; k++) rate_of_two[k] = rate[k] * LOG2_E;
        for (int64_t t = 0; t < steps; t++) {
            const float *b = all->b + t * all->padded + n, *c = all->c + t * all->padded + n;
            vector products[TOGETHER];
#pragma GCC unroll 4
            for (int k = 0; k < TOGETHER; k++) {
                before[t][k] = state[k];
                decay[t][k] = exp2_of(decaying[t] * rate_of_two[k]);
                state[k] = decay[t][k] * state[k] + driven[t] * b[k];
                if (kind) inner[t] += state[k] * c[k];
                products[k] = above[t] * state[k];
            }
            c_sums[t] += packed_four(products);
        }
        for (int64_t t = steps - 1; t >= 0; t--) {
            const float *b = all->b + t * all->padded + n, *c = all->c + t * all->padded + n;
            vector products[TOGETHER];
#pragma GCC unroll 4
            for (int k = 0; k < TOGETHER; k++) {
                adjoint[k] += above[t] * c[k];
                products[k] = adjoint[k] * driven[t];
                driven_sums[t] += adjoint[k] * b[k];
                adjoint[k] *= decay[t][k];
                const vector exponent = adjoint[k] * before[t][k]; /* the gradient of delta_t * a */
                delta_sums[t] += exponent * rate[k];
                a_sum[k] += exponent * delta[t];
            }
            b_sums[t] += packed_four(products);
        }
        memcpy(adjoints + n, adjoint, sizeof adjoint);
        memcpy(a_sums + n, a_sum, sizeof a_sum);
    }
    for (int64_t t = 0; t < steps; t++) {
        const int64_t at = (start + t) * in->channels + channel;
        vector to_u = driven_sums[t] * delta[t], to_delta = driven_sums[t] * u[t] + delta_sums[t];
        if (kind) {
            to_u += above[t] * skip;
            to_delta *= sigmoid_of(load_as(in->delta, at, count, kind == GATED_NARROW) + load(in->bias + channel, count));
            around[0] += above[t] * u[t];
            around[1] += to_delta;
            store_as(g->gate, at, opened[t] * inner[t], count, kind == GATED_NARROW);
        }
        store_as(g->u, at, to_u, count, kind == GATED_NARROW);
        store_as(g->delta, at, to_delta, count, kind == GATED_NARROW);
    }
}

/* A unit is one sequence and one group of channel blocks; groups depend on the shapes alone. */
INLINE int backward_unit(const inputs *in, int64_t unit, const gradients *g, const int kind) {
    const int64_t item = unit / in->groups, group = unit % in->groups, states = in->states;
    const int64_t first = group * in->blocks / in->groups, last = (group + 1) * in->blocks / in->groups;
    const int64_t padded = (states + TOGETHER - 1) / TOGETHER * TOGETHER, carried = (last - first) * padded;
    const int64_t packed = padded / TOGETHER * CHUNK, copied = vectors_for(CHUNK * padded);
    vector *memory = vectors(2 * carried + 2 * packed + 2 * copied + 2 * (last - first));
    if (!memory) return 1;
    vector *adjoints = memory, *a_sums = adjoints + carried;
    vector *around = a_sums + carried; /* of each block: the gradients of skip and bias */
    shared all = {.b_sums = around + 2 * (last - first), .padded = padded};
    all.c_sums = all.b_sums + packed;
    all.b = (float *)(all.c_sums + packed), all.c = (float *)(all.c_sums + packed + copied);
    for (int64_t block = first; block < last; block++)
        for (int64_t n = 0; n < states; n++)
            adjoints[(block - first) * padded + n] =
                state_of(in, g->final, item, block * LANES, smaller(LANES, in->channels - block * LANES), n);
    for (int64_t chunk = in->chunks - 1; chunk >= 0; chunk--) {
        const int64_t start = item * in->length + chunk * CHUNK, steps = smaller(CHUNK, in->length - chunk * CHUNK);
        begin_chunk(in, &all, start, steps);
        for (int64_t block = first; block < last; block++)
            backward_chunk(in, g, item, block * LANES, chunk, &all, adjoints + (block - first) * padded,
                           a_sums + (block - first) * padded, around + 2 * (block - first), kind);
        for (int64_t t = 0; t < steps; t++)
            for (int64_t n = 0; n < states; n += TOGETHER) {
                const int64_t at = (group * in->batch * in->length + start + t) * states + n, place = n / TOGETHER * CHUNK + t;
                store(g->b_parts + at, sums_of_packed(all.b_sums[place]), smaller(TOGETHER, states - n));
                store(g->c_parts + at, sums_of_packed(all.c_sums[place]), smaller(TOGETHER, states - n));
            }
    }
    for (int64_t block = first; block < last; block++) {
        const int64_t channel = block * LANES, count = smaller(LANES, in->channels - channel);
        for (int64_t n = 0; n < states; n++) {
            put_state(in, g->initial, adjoints[(block - first) * padded + n], item, channel, count, n);
            put_state(in, g->a_parts, a_sums[(block - first) * padded + n], item, channel, count, n);
        }
        if (kind) {
            store(g->skip_parts + item * in->channels + channel, around[2 * (block - first)], count);
            store(g->bias_parts + item * in->channels + channel, around[2 * (block - first) + 1], count);
        }
    }
    free(memory);
    return 0;
}

static inputs described(const float *const *tensors, const int64_t *sizes) {
    inputs in = {.u = tensors[0], .delta = tensors[1], .a = tensors[2], .b = tensors[3], .c = tensors[4]};
    in.initial = tensors[5];
    in.batch = sizes[0], in.length = sizes[1], in.channels = sizes[2], in.states = sizes[3];
    in.chunks = (in.length + CHUNK - 1) / CHUNK;
    in.blocks = vectors_for(in.channels);
    in.groups = sizes[4];
    return in;
}

/* tensors: u, delta (B, L, D), a (D, N), b, c (B, L, N), initial (B, D, N). sizes: B, L, D, N, groups.
 * results: y (B, L, D), final (B, D, N), checkpoints (B, chunks, N, D). Returns nonzero when memory is out. */
int forward(const float *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.blocks, threads, forward_unit(&in, unit, results[0], results[1], results[2], BARE))
    return failed;
}

/* tensors: as for forward, then the gradients of y and final, and the checkpoints. results: the gradients of u, delta, a, b, c
 * and initial, then room for the parts of a (B, D, N), of b and of c (groups, B, L, N each). */
int backward(const float *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    const gradients g = {.y = tensors[6], .final = tensors[7], .checkpoints = tensors[8], .u = results[0], .delta = results[1],
                         .initial = results[5], .a_parts = results[6], .b_parts = results[7], .c_parts = results[8]};
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.groups, threads, backward_unit(&in, unit, &g, BARE))
    sum_parts(results[2], g.a_parts, in.batch, in.channels * in.states);
    sum_parts(results[3], g.b_parts, in.groups, in.batch * in.length * in.states);
    sum_parts(results[4], g.c_parts, in.groups, in.batch * in.length * in.states);
    return failed;
}

/* Reads what a gated scan has beside a bare one. */
static inputs described_gated(const float *const *tensors, const int64_t *sizes) {
    inputs in = described(tensors, sizes);
    in.skip = tensors[6], in.gate = tensors[7], in.bias = tensors[8];
    in.begins = (const uint8_t *)tensors[9];
    in.gate_row = sizes[6];
    return in;
}

/* tensors: as for forward, then skip (D,), gate (B, L, D) in rows with gaps, bias (D,), begins (B, L) of bytes or nothing. sizes: as for
 * forward, then whether the sequences but b and c are bfloat16, and the gate's row. results: as of forward. */
int forward_gated(const float *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described_gated(tensors, sizes);
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.blocks, threads,
                  sizes[5] ? forward_unit(&in, unit, results[0], results[1], results[2], GATED_NARROW)
                           : forward_unit(&in, unit, results[0], results[1], results[2], GATED))
    return failed;
}

/* tensors: as for forward_gated, then the gradients of y and final, and the checkpoints. results: the gradients of u, delta, a,
 * b, c, initial, skip, gate and bias, then room for the parts of a, b, c as in backward, and of skip and bias (B, D each). */
int backward_gated(const float *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described_gated(tensors, sizes);
    const gradients g = {.y = tensors[10], .final = tensors[11], .checkpoints = tensors[12], .u = results[0],
                         .delta = results[1], .initial = results[5], .gate = results[7], .a_parts = results[9],
                         .b_parts = results[10], .c_parts = results[11], .skip_parts = results[12], .bias_parts = results[13]};
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.groups, threads,
                  sizes[5] ? backward_unit(&in, unit, &g, GATED_NARROW) : backward_unit(&in, unit, &g, GATED))
    sum_parts(results[2], g.a_parts, in.batch, in.channels * in.states);
    sum_parts(results[3], g.b_parts, in.groups, in.batch * in.length * in.states);
    sum_parts(results[4], g.c_parts, in.groups, in.batch * in.length * in.states);
    sum_parts(results[6], g.skip_parts, in.batch, in.channels);
    sum_parts(results[8], g.bias_parts, in.batch, in.channels);
    return failed;
}
