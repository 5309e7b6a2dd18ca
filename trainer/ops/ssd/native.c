/* The state-space dual of Mamba-2, forward and backward, one head of one sequence per unit; fp32, contiguous.
 *
 * The state is kept as (N, P) with the head's width P in vector lanes, so that what drives and what is read are vectors and
 * nothing crosses lanes but the gradients of b and c. The forward pass keeps the state before each chunk; the backward pass
 * computes the states of a chunk again from it and walks back. */
#include "native.h"

#define CHUNK 32
#define MOST_BLOCKS 32 /* vectors of one head's width; wider heads run in torch */

typedef struct {
    const float *x, *delta, *a, *b, *c, *initial;
    int64_t batch, length, heads, width, groups, states, chunks, blocks;
} inputs;

/* Runs `call`, which names `blocks`, with the number as a constant where it is a usual one. */
#define WITH_BLOCKS(number, call)                                  \
    switch (number) {                                              \
    case 1: { enum { blocks = 1 }; call; break; }                  \
    case 2: { enum { blocks = 2 }; call; break; }                  \
    case 4: { enum { blocks = 4 }; call; break; }                  \
    default: { const int64_t blocks = (number); call; }            \
    }

#define EACH_BLOCK _Pragma("GCC unroll 4") for (int64_t j = 0; j < blocks; j++)

INLINE int64_t width_in(const inputs *in, int64_t block) { return smaller(LANES, in->width - block * LANES); }

/* Steps of one head in one chunk: `place` of a step is its number in (B, L, H), `shared` that of its group in (B, L, G). */
typedef struct {
    int64_t place, shared, steps;
    float delta[CHUNK], decay[CHUNK + LANES];
} span;

INLINE span span_of(const inputs *in, int64_t unit, int64_t chunk) {
    const int64_t item = unit / in->heads, head = unit % in->heads, first = item * in->length + chunk * CHUNK;
    span of = {.place = first * in->heads + head, .shared = first * in->groups + head / (in->heads / in->groups)};
    of.steps = smaller(CHUNK, in->length - chunk * CHUNK);
    for (int64_t t = 0; t < of.steps; t++) of.delta[t] = in->delta[of.place + t * in->heads];
    for (int64_t t = 0; t < of.steps; t += LANES)
        store(of.decay + t, exp2_of(load(of.delta + t, of.steps - t) * (in->a[head] * LOG2_E)), LANES);
    return of;
}

/* The state (P, N) as it comes and goes, and (N, P) in vectors. */
INLINE void take_state(const inputs *in, vector *state, const float *from) {
    for (int64_t n = 0; n < in->states; n++)
        for (int64_t p = 0; p < in->width; p++) state[n * in->blocks + p / LANES][p % LANES] = from[p * in->states + n];
}

INLINE void put_state(const inputs *in, float *to, const vector *state) {
    for (int64_t n = 0; n < in->states; n++)
        for (int64_t p = 0; p < in->width; p++) to[p * in->states + n] = state[n * in->blocks + p / LANES][p % LANES];
}

/* The state after a step from the state before it, which may be the same place; the sums of what c reads go to `y`. */
INLINE void step_forward(const vector *before, vector *after, const vector *driven, float decay, const float *b,
                         const float *c, vector *y, int64_t states, const int64_t blocks) {
    vector sums[MOST_BLOCKS], drive[MOST_BLOCKS];
    EACH_BLOCK sums[j] = (vector){0}, drive[j] = driven[j];
    for (int64_t n = 0; n < states; n++)
        EACH_BLOCK {
            const vector state = before[n * blocks + j] * decay + drive[j] * b[n];
            sums[j] += state * c[n];
            after[n * blocks + j] = state;
        }
    EACH_BLOCK y[j] = sums[j];
}

static int forward_unit(const inputs *in, int64_t unit, float *y, float *final, float *checkpoints) {
    const int64_t area = in->width * in->states, held = in->states * in->blocks;
    vector *state = vectors(held), driven[MOST_BLOCKS], sums[MOST_BLOCKS];
    if (!state) return 1;
    take_state(in, state, in->initial + unit * area);
    for (int64_t chunk = 0; chunk < in->chunks; chunk++) {
        const span at = span_of(in, unit, chunk);
        const int64_t item = unit / in->heads, number = (item * in->chunks + chunk) * in->heads + unit % in->heads;
        for (int64_t i = 0; i < held; i++)
            store(checkpoints + number * area + i / in->blocks * in->width + i % in->blocks * LANES, state[i],
                  width_in(in, i % in->blocks));
        for (int64_t t = 0; t < at.steps; t++) {
            const int64_t to = (at.place + t * in->heads) * in->width, from = (at.shared + t * in->groups) * in->states;
            for (int64_t j = 0; j < in->blocks; j++) driven[j] = load(in->x + to + j * LANES, width_in(in, j)) * at.delta[t];
            WITH_BLOCKS(in->blocks, step_forward(state, state, driven, at.decay[t], in->b + from, in->c + from, sums, in->states,
                                                 blocks))
            for (int64_t j = 0; j < in->blocks; j++) store(y + to + j * LANES, sums[j], width_in(in, j));
        }
    }
    put_state(in, final + unit * area, state);
    free(state);
    return 0;
}

typedef struct {
    const float *y, *final, *checkpoints;              /* given: gradients of the outputs, the states before each chunk */
    float *x, *delta, *initial;                        /* wanted */
    float *a_parts, *b_parts, *c_parts;                /* wanted in parts: (B, H), (B, L, H, N) twice */
} gradients;

/* One step back. `adjoint` comes as the gradient of the state after the step; the rows of `to_b` and `to_c` are sums of lanes to
 * be. Gives the sums of lanes of the gradient of delta_t a, and the gradient of what drives the step. */
INLINE vector step_back(const vector *before, const vector *after, vector *adjoint, const vector *above, const vector *driven,
                        float decay, const float *b, const float *c, vector *to_b, vector *to_c, vector *to_driven,
                        int64_t states, const int64_t blocks) {
    vector exponents[MOST_BLOCKS], drive[MOST_BLOCKS], upper[MOST_BLOCKS], wanted[MOST_BLOCKS], exponent = {0};
    EACH_BLOCK drive[j] = driven[j], upper[j] = above[j], exponents[j] = wanted[j] = (vector){0};
    for (int64_t n = 0; n < states; n++) {
        vector sum_b = {0}, sum_c = {0};
        EACH_BLOCK {
            vector late = adjoint[n * blocks + j] + upper[j] * c[n];
            sum_c += after[n * blocks + j] * upper[j];
            sum_b += late * drive[j];
            wanted[j] += late * b[n];
            late *= decay;
            exponents[j] += late * before[n * blocks + j];
            adjoint[n * blocks + j] = late;
        }
        to_b[n] = sum_b, to_c[n] = sum_c;
    }
    EACH_BLOCK to_driven[j] = wanted[j], exponent += exponents[j];
    return exponent;
}

INLINE void put_sums(float *to, const vector *rows, int64_t count) {
    for (int64_t n = 0; n < count; n += LANES) store(to + n, sums_of_rows(rows + n, count - n), count - n);
}

static int backward_unit(const inputs *in, int64_t unit, const gradients *g) {
    const int64_t area = in->width * in->states, held = in->states * in->blocks, head = unit % in->heads;
    vector *states = vectors((CHUNK + 2) * held + 2 * in->states);
    if (!states) return 1;
    vector *adjoint = states + (CHUNK + 1) * held, *to_b = adjoint + held, *to_c = to_b + in->states;
    vector driven[CHUNK][MOST_BLOCKS], above[MOST_BLOCKS], to_driven[MOST_BLOCKS];
    float to_a = 0.0f;
    take_state(in, adjoint, g->final + unit * area);
    for (int64_t chunk = in->chunks - 1; chunk >= 0; chunk--) {
        const span at = span_of(in, unit, chunk);
        const float *checkpoint = g->checkpoints + ((unit / in->heads * in->chunks + chunk) * in->heads + head) * area;
        for (int64_t i = 0; i < held; i++)
            states[i] = load(checkpoint + i / in->blocks * in->width + i % in->blocks * LANES, width_in(in, i % in->blocks));
        for (int64_t t = 0; t < at.steps; t++) {
            const int64_t from = (at.shared + t * in->groups) * in->states;
            for (int64_t j = 0; j < in->blocks; j++)
                driven[t][j] = load(in->x + (at.place + t * in->heads) * in->width + j * LANES, width_in(in, j)) * at.delta[t];
            WITH_BLOCKS(in->blocks, step_forward(states + t * held, states + (t + 1) * held, driven[t], at.decay[t], in->b + from,
                                                 in->c + from, above, in->states, blocks))
        }
        for (int64_t t = at.steps - 1; t >= 0; t--) {
            const int64_t step = at.place + t * in->heads, from = (at.shared + t * in->groups) * in->states;
            const vector *before = states + t * held;
            vector exponents, met = {0};
            for (int64_t j = 0; j < in->blocks; j++) above[j] = load(g->y + step * in->width + j * LANES, width_in(in, j));
            WITH_BLOCKS(in->blocks, exponents = step_back(before, before + held, adjoint, above, driven[t], at.decay[t],
                                                          in->b + from, in->c + from, to_b, to_c, to_driven, in->states, blocks))
            for (int64_t j = 0; j < in->blocks; j++) {
                met += to_driven[j] * load(in->x + step * in->width + j * LANES, width_in(in, j));
                store(g->x + step * in->width + j * LANES, to_driven[j] * at.delta[t], width_in(in, j));
            }
            const float exponent = sum_of_lanes(exponents);
            g->delta[step] = sum_of_lanes(met) + exponent * in->a[head];
            to_a += exponent * at.delta[t];
            put_sums(g->b_parts + step * in->states, to_b, in->states);
            put_sums(g->c_parts + step * in->states, to_c, in->states);
        }
    }
    g->a_parts[unit] = to_a;
    put_state(in, g->initial + unit * area, adjoint);
    free(states);
    return 0;
}

/* The parts of a group's heads become one, in the heads' order. */
static int add_heads(const inputs *in, float *to, const float *parts, int64_t place) {
    const int64_t shared = in->heads / in->groups;
    for (int64_t group = 0; group < in->groups; group++)
        sum_parts(to + (place * in->groups + group) * in->states, parts + (place * in->heads + group * shared) * in->states,
                  shared, in->states);
    return 0;
}

static inputs described(const float *const *tensors, const int64_t *sizes) {
    inputs in = {.x = tensors[0], .delta = tensors[1], .a = tensors[2], .b = tensors[3], .c = tensors[4]};
    in.initial = tensors[5];
    in.batch = sizes[0], in.length = sizes[1], in.heads = sizes[2], in.width = sizes[3], in.groups = sizes[4];
    in.states = sizes[5];
    in.chunks = (in.length + CHUNK - 1) / CHUNK;
    in.blocks = vectors_for(in.width);
    return in;
}

/* tensors: x (B, L, H, P), delta (B, L, H), a (H,), b, c (B, L, G, N), initial (B, H, P, N). sizes: B, L, H, P, G, N.
 * results: y (B, L, H, P), final (B, H, P, N), checkpoints (B, chunks, H, N, P). Returns nonzero when memory is out. */
int forward(const float *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.heads, threads, forward_unit(&in, unit, results[0], results[1], results[2]))
    return failed;
}

/* tensors: as for forward, then the gradients of y and final, and the checkpoints. results: the gradients of x, delta, a, b, c
 * and initial, then room for the parts of a (B, H), of b and of c (B, L, H, N each). */
int backward(const float *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    const gradients g = {tensors[6], tensors[7], tensors[8], results[0], results[1], results[5],
                         results[6], results[7], results[8]};
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.heads, threads, backward_unit(&in, unit, &g))
    sum_parts(results[2], g.a_parts, in.batch, in.heads);
    FOR_EACH_UNIT(failed, in.batch * in.length, threads, add_heads(&in, results[3], g.b_parts, unit))
    FOR_EACH_UNIT(failed, in.batch * in.length, threads, add_heads(&in, results[4], g.c_parts, unit))
    return failed;
}
