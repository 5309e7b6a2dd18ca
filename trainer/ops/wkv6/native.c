/* The WKV operator of RWKV-6, forward and backward, one head of one sequence per unit; fp32, contiguous.
 *
 * The state is kept as (V, K) with keys in vector lanes: what belongs to a key is a vector, what belongs to a value a scalar,
 * so only sums over keys cross lanes. The usual numbers of key vectors are constants to the compiler, so that a step's keys stay
 * in registers while the rows pass by. The forward pass keeps the state before each chunk; the backward pass computes the states
 * of a chunk again from it and walks back. */
#include "native.h"

#define CHUNK 16
#define MOST_BLOCKS 32 /* key vectors of one head */

typedef struct {
    const float *r, *k, *v, *decay, *bonus, *initial;
    int64_t batch, length, heads, keys, values, chunks, blocks;
} inputs;

/* Runs `call`, which names `blocks`, with the number as a constant where it is a usual one. */
#define WITH_BLOCKS(number, call)                                  \
    switch (number) {                                              \
    case 1: { enum { blocks = 1 }; call; break; }                  \
    case 2: { enum { blocks = 2 }; call; break; }                  \
    case 4: { enum { blocks = 4 }; call; break; }                  \
    default: { const int64_t blocks = (number); call; }            \
    }

INLINE int64_t keys_in(const inputs *in, int64_t block) { return smaller(LANES, in->keys - block * LANES); }

INLINE void take_state(const inputs *in, vector *state, const float *from) {
    for (int64_t key = 0; key < in->blocks * LANES; key++)
        for (int64_t value = 0; value < in->values; value++)
            state[value * in->blocks + key / LANES][key % LANES] = key < in->keys ? from[key * in->values + value] : 0.0f;
}

INLINE void put_state(const inputs *in, float *to, const vector *state) {
    for (int64_t key = 0; key < in->keys; key++)
        for (int64_t value = 0; value < in->values; value++)
            to[key * in->values + value] = state[value * in->blocks + key / LANES][key % LANES];
}

/* Checkpoints are (V, K) as well. */
INLINE void take_checkpoint(const inputs *in, vector *state, const float *from) {
    for (int64_t value = 0; value < in->values; value++)
        for (int64_t j = 0; j < in->blocks; j++)
            state[value * in->blocks + j] = load(from + value * in->keys + j * LANES, keys_in(in, j));
}

INLINE void put_checkpoint(const inputs *in, float *to, const vector *state) {
    for (int64_t value = 0; value < in->values; value++)
        for (int64_t j = 0; j < in->blocks; j++)
            store(to + value * in->keys + j * LANES, state[value * in->blocks + j], keys_in(in, j));
}

/* What one step says of its keys. */
typedef struct {
    vector r[MOST_BLOCKS], k[MOST_BLOCKS], decay[MOST_BLOCKS];
} keyed;

INLINE void take_keys(const inputs *in, keyed *step, int64_t at, const int64_t blocks) {
    for (int64_t j = 0; j < blocks; j++) {
        const int64_t count = keys_in(in, j), place = at * in->keys + j * LANES;
        step->r[j] = load(in->r + place, count);
        step->k[j] = load(in->k + place, count);
        step->decay[j] = exp2_of(load(in->decay + place, count) * LOG2_E);
    }
}

/* sum over keys of r k bonus: how much of its own value a step sees. */
INLINE float own_weight(const inputs *in, const keyed *step, int64_t head, const int64_t blocks) {
    vector own = {0};
    for (int64_t j = 0; j < blocks; j++)
        own += step->r[j] * step->k[j] * load(in->bonus + head * in->keys + j * LANES, keys_in(in, j));
    return sum_of_lanes(own);
}

INLINE void step_forward(const inputs *in, float *y, int64_t at, int64_t head, vector *state, vector *sums,
                         const int64_t blocks) {
    const int64_t values = in->values;
    const float *v = in->v + at * values;
    keyed step;
    take_keys(in, &step, at, blocks);
    for (int64_t value = 0; value < values; value++) {
        vector *row = state + value * blocks, sum = {0};
        for (int64_t j = 0; j < blocks; j++) {
            sum += step.r[j] * row[j];
            row[j] = step.decay[j] * row[j] + step.k[j] * v[value];
        }
        sums[value] = sum;
    }
    const float weight = own_weight(in, &step, head, blocks);
    for (int64_t value = 0; value < values; value += LANES) {
        const int64_t count = smaller(LANES, values - value);
        store(y + at * values + value, sums_of_rows(sums + value, count) + load(v + value, count) * weight, count);
    }
}

static int forward_unit(const inputs *in, int64_t unit, float *y, float *final, float *checkpoints) {
    const int64_t item = unit / in->heads, head = unit % in->heads, values = in->values, area = in->keys * values;
    vector *state = vectors((in->blocks + 1) * values);
    if (!state) return 1;
    vector *sums = state + in->blocks * values;
    take_state(in, state, in->initial + unit * area);
    for (int64_t t = 0; t < in->length; t++) {
        const int64_t at = (item * in->length + t) * in->heads + head;
        if (t % CHUNK == 0)
            put_checkpoint(in, checkpoints + ((item * in->chunks + t / CHUNK) * in->heads + head) * area, state);
        WITH_BLOCKS(in->blocks, step_forward(in, y, at, head, state, sums, blocks))
    }
    put_state(in, final + unit * area, state);
    free(state);
    return 0;
}

typedef struct {
    const float *y, *final, *checkpoints;  /* given: gradients of the outputs, the states before each chunk */
    float *r, *k, *v, *decay, *initial;    /* wanted */
    float *bonus_parts;                    /* wanted in parts: (batch, H, K) */
} gradients;

/* One step: the state after it from the state before it. */
INLINE void step_state(const inputs *in, int64_t at, const vector *before, vector *after, const int64_t blocks) {
    keyed step;
    take_keys(in, &step, at, blocks);
    for (int64_t value = 0; value < in->values; value++)
        for (int64_t j = 0; j < blocks; j++)
            after[value * blocks + j] =
                step.decay[j] * before[value * blocks + j] + step.k[j] * in->v[at * in->values + value];
}

/* One step back. `before` is the state before it; `adjoint` comes as the gradient of the state after it. */
INLINE void step_back(const inputs *in, const gradients *g, int64_t at, int64_t head, const vector *before, vector *adjoint,
                      vector *sums, vector *bonus_sums, const int64_t blocks) {
    const int64_t values = in->values;
    const float *v = in->v + at * values, *above = g->y + at * values;
    keyed step, to;
    vector meeting = {0};
    take_keys(in, &step, at, blocks);
    for (int64_t j = 0; j < blocks; j++) to.r[j] = to.k[j] = to.decay[j] = (vector){0};
    for (int64_t value = 0; value < values; value++) {
        const vector *early = before + value * blocks;
        vector *late = adjoint + value * blocks, sum = {0};
        for (int64_t j = 0; j < blocks; j++) {
            to.r[j] += early[j] * above[value];
            to.k[j] += late[j] * v[value];
            to.decay[j] += late[j] * early[j];
            sum += step.k[j] * late[j];
            late[j] = step.decay[j] * late[j] + step.r[j] * above[value];
        }
        sums[value] = sum;
    }
    const float weight = own_weight(in, &step, head, blocks);
    for (int64_t value = 0; value < values; value += LANES) {
        const int64_t count = smaller(LANES, values - value);
        const vector above_here = load(above + value, count);
        meeting += load(v + value, count) * above_here;
        store(g->v + at * values + value, sums_of_rows(sums + value, count) + above_here * weight, count);
    }
    const float met = sum_of_lanes(meeting); /* <v_t, dy_t> */
    for (int64_t j = 0; j < blocks; j++) {
        const int64_t count = keys_in(in, j), place = at * in->keys + j * LANES;
        const vector bonus = load(in->bonus + head * in->keys + j * LANES, count);
        store(g->r + place, to.r[j] + bonus * step.k[j] * met, count);
        store(g->k + place, to.k[j] + bonus * step.r[j] * met, count);
        store(g->decay + place, to.decay[j] * step.decay[j], count);
        bonus_sums[j] += step.r[j] * step.k[j] * met;
    }
}

static int backward_unit(const inputs *in, int64_t unit, const gradients *g) {
    const int64_t item = unit / in->heads, head = unit % in->heads, values = in->values, area = in->keys * values;
    const int64_t held = in->blocks * values;
    vector *memory = vectors((CHUNK + 1) * held + values + in->blocks);
    if (!memory) return 1;
    vector *adjoint = memory + CHUNK * held, *sums = adjoint + held, *bonus_sums = sums + values;
    take_state(in, adjoint, g->final + unit * area);
    for (int64_t chunk = in->chunks - 1; chunk >= 0; chunk--) {
        const int64_t start = chunk * CHUNK, steps = smaller(CHUNK, in->length - start);
        take_checkpoint(in, memory, g->checkpoints + ((item * in->chunks + chunk) * in->heads + head) * area);
        const int64_t first = (item * in->length + start) * in->heads + head;
        for (int64_t t = 0; t + 1 < steps; t++)
            WITH_BLOCKS(in->blocks, step_state(in, first + t * in->heads, memory + t * held, memory + (t + 1) * held, blocks))
        for (int64_t t = steps - 1; t >= 0; t--)
            WITH_BLOCKS(in->blocks, step_back(in, g, first + t * in->heads, head, memory + t * held, adjoint, sums, bonus_sums,
                                              blocks))
    }
    put_state(in, g->initial + unit * area, adjoint);
    for (int64_t j = 0; j < in->blocks; j++)
        store(g->bonus_parts + unit * in->keys + j * LANES, bonus_sums[j], smaller(LANES, in->keys - j * LANES));
    free(memory);
    return 0;
}

static inputs described(const float *const *tensors, const int64_t *sizes) {
    inputs in = {.r = tensors[0], .k = tensors[1], .v = tensors[2], .decay = tensors[3], .bonus = tensors[4]};
    in.initial = tensors[5];
    in.batch = sizes[0], in.length = sizes[1], in.heads = sizes[2], in.keys = sizes[3], in.values = sizes[4];
    in.chunks = (in.length + CHUNK - 1) / CHUNK;
    in.blocks = vectors_for(in.keys);
    return in;
}

/* tensors: r, k (B, L, H, K), v (B, L, H, V), log decay (B, L, H, K), bonus (H, K), initial (B, H, K, V). sizes: B, L, H, K, V.
 * results: y (B, L, H, V), final (B, H, K, V), checkpoints (B, chunks, H, V, K). Returns nonzero when memory is out. */
int forward(const float *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.heads, threads, forward_unit(&in, unit, results[0], results[1], results[2]))
    return failed;
}

/* tensors: as for forward, then the gradients of y and final, and the checkpoints. results: the gradients of r, k, v, log decay,
 * bonus and initial, then room for the parts of the bonus (B, H, K). */
int backward(const float *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    const gradients g = {tensors[6], tensors[7], tensors[8], results[0], results[1], results[2], results[3], results[5], results[6]};
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.heads, threads, backward_unit(&in, unit, &g))
    sum_parts(results[4], g.bonus_parts, in.batch, in.heads * in.keys);
    return failed;
}
