/* The WKV operator of RWKV-7, forward and backward, one head of one sequence per unit; fp32, contiguous.
 *
 * The state is (V, K) with keys in vector lanes, and every row of it goes its own way: what a row looks up, row * a, is a number.
 * So a tile of ROWS rows stays in registers while the steps of a chunk pass by; only sums over rows go through memory. The
 * forward pass keeps the state before each chunk and what its steps looked up; with both, the backward pass has the states of a
 * chunk again without a sum across lanes, and walks back. */
#include "native.h"

#define CHUNK 16
#define ROWS 4         /* of one tile */
#define MOST_BLOCKS 32 /* key vectors of one head */

typedef struct {
    const float *r, *k, *v, *decay, *a, *b, *initial;
    int64_t batch, length, heads, keys, values, chunks, blocks;
} inputs;

/* What the steps of a chunk say of their keys: vector j of step t is at [t * blocks + j]. One step more than a chunk has: zero. */
typedef struct {
    vector *r, *k, *decay, *a, *b;
} keyed;

/* Runs `call`, which names `blocks`, with the number as a constant where it is a usual one. */
#define WITH_BLOCKS(number, call)                                  \
    switch (number) {                                              \
    case 1: { enum { blocks = 1 }; call; break; }                  \
    case 2: { enum { blocks = 2 }; call; break; }                  \
    case 4: { enum { blocks = 4 }; call; break; }                  \
    case 8: { enum { blocks = 8 }; call; break; }                  \
    default: { const int64_t blocks = (number); call; }            \
    }

#define EACH_BLOCK _Pragma("GCC unroll 8") for (int64_t j = 0; j < blocks; j++)
#define EACH_ROW _Pragma("GCC unroll 4") for (int64_t row = 0; row < ROWS; row++)

INLINE int64_t keys_in(const inputs *in, int64_t block) { return smaller(LANES, in->keys - block * LANES); }
INLINE int64_t rows_of(const inputs *in) { return (in->values + ROWS - 1) / ROWS * ROWS; }

/* Rows of `stride` floats; those beyond the values are zero. */
INLINE void take_rows(const inputs *in, vector *rows, const float *from, int64_t stride) {
    for (int64_t value = 0; value < rows_of(in); value++)
        for (int64_t j = 0; j < in->blocks; j++)
            rows[value * in->blocks + j] =
                value < in->values ? load(from + value * stride + j * LANES, keys_in(in, j)) : (vector){0};
}

INLINE void put_rows(const inputs *in, float *to, int64_t stride, const vector *rows) {
    for (int64_t value = 0; value < in->values; value++)
        for (int64_t j = 0; j < in->blocks; j++)
            store(to + value * stride + j * LANES, rows[value * in->blocks + j], keys_in(in, j));
}

INLINE void take_keys(const inputs *in, const keyed *key, int64_t first, int64_t steps) {
    for (int64_t t = 0; t < steps; t++)
        for (int64_t j = 0; j < in->blocks; j++) {
            const int64_t at = (first + t * in->heads) * in->keys + j * LANES, count = keys_in(in, j), to = t * in->blocks + j;
            key->r[to] = load(in->r + at, count);
            key->k[to] = load(in->k + at, count);
            key->decay[to] = exp2_of(load(in->decay + at, count) * LOG2_E);
            key->a[to] = load(in->a + at, count);
            key->b[to] = load(in->b + at, count);
        }
}

/* What the steps of a chunk say of values value to value + ROWS: number `row` of step t is at [t * ROWS + row]. */
INLINE void take_values(const inputs *in, float *to, const float *from, int64_t first, int64_t steps, int64_t value) {
    for (int64_t t = 0; t < steps; t++)
        EACH_ROW to[t * ROWS + row] =
            value + row < in->values ? from[(first + t * in->heads) * in->values + value + row] : 0.0f;
}

/* The sums over lanes of ROWS vectors for each step of a chunk, to where take_values reads. */
INLINE void put_sums(const inputs *in, float *to, const vector *sums, int64_t first, int64_t steps, int64_t value) {
    float numbers[CHUNK * ROWS + LANES];
    for (int64_t at = 0; at < steps * ROWS; at += LANES)
        store(numbers + at, sums_of_rows(sums + at, smaller(LANES, steps * ROWS - at)), LANES);
    for (int64_t t = 0; t < steps; t++)
        for (int64_t row = 0; row < smaller(ROWS, in->values - value); row++)
            to[(first + t * in->heads) * in->values + value + row] = numbers[t * ROWS + row];
}

/* A tile over the steps of one chunk, in place; gives y as `sums` of lanes to be, and what each step looked up. */
INLINE void forward_tile(const keyed *key, vector *rows, const float *v, vector *sums, float *looked_up,
                         int64_t steps, const int64_t blocks) {
    vector state[ROWS][MOST_BLOCKS], found[ROWS];
    EACH_ROW {
        found[row] = (vector){0};
        EACH_BLOCK {
            state[row][j] = rows[row * blocks + j];
            found[row] += state[row][j] * key->a[j];
        }
    }
    for (int64_t t = 0; t < steps; t++) {
        const vector *r = key->r + t * blocks, *k = key->k + t * blocks, *decay = key->decay + t * blocks;
        const vector *b = key->b + t * blocks, *next_a = key->a + (t + 1) * blocks;
        vector numbers = sums_of_four(found), sum[ROWS];
        EACH_ROW {
            looked_up[t * ROWS + row] = numbers[row];
            sum[row] = found[row] = (vector){0};
        }
        EACH_BLOCK EACH_ROW {
            state[row][j] = state[row][j] * decay[j] + k[j] * v[t * ROWS + row] + b[j] * lane_of(numbers, (int)row);
            sum[row] += state[row][j] * r[j];
            found[row] += state[row][j] * next_a[j];
        }
        EACH_ROW sums[t * ROWS + row] = sum[row];
    }
    EACH_ROW EACH_BLOCK rows[row * blocks + j] = state[row][j];
}

/* Room for one chunk's keys, in `memory` of 5 (CHUNK + 1) blocks vectors. */
INLINE keyed room_for_keys(const inputs *in, vector *memory) {
    const int64_t size = (CHUNK + 1) * in->blocks;
    return (keyed){memory, memory + size, memory + 2 * size, memory + 3 * size, memory + 4 * size};
}

static int forward_unit(const inputs *in, int64_t unit, float *y, float *final, float *checkpoints) {
    const int64_t item = unit / in->heads, head = unit % in->heads, wide = in->keys + CHUNK;
    const int64_t held = rows_of(in) * in->blocks;
    vector *rows = vectors(held + 5 * (CHUNK + 1) * in->blocks);
    if (!rows) return 1;
    const keyed key = room_for_keys(in, rows + held);
    take_rows(in, rows, in->initial + unit * in->values * in->keys, in->keys);
    for (int64_t chunk = 0; chunk < in->chunks; chunk++) {
        const int64_t steps = smaller(CHUNK, in->length - chunk * CHUNK);
        const int64_t first = (item * in->length + chunk * CHUNK) * in->heads + head;
        float *checkpoint = checkpoints + ((item * in->chunks + chunk) * in->heads + head) * in->values * wide;
        put_rows(in, checkpoint, wide, rows);
        take_keys(in, &key, first, steps);
        for (int64_t value = 0; value < in->values; value += ROWS) {
            float v[CHUNK * ROWS], looked_up[CHUNK * ROWS] = {0};
            vector sums[CHUNK * ROWS], *tile = rows + value * in->blocks;
            take_values(in, v, in->v, first, steps, value);
            WITH_BLOCKS(in->blocks, forward_tile(&key, tile, v, sums, looked_up, steps, blocks))
            put_sums(in, y, sums, first, steps, value);
            for (int64_t row = 0; row < smaller(ROWS, in->values - value); row++)
                for (int64_t t = 0; t < CHUNK; t++)
                    checkpoint[(value + row) * wide + in->keys + t] = looked_up[t * ROWS + row];
        }
    }
    put_rows(in, final + unit * in->values * in->keys, in->keys, rows);
    free(rows);
    return 0;
}

typedef struct {
    const float *y, *final, *checkpoints;                /* given: gradients of the outputs; what the forward pass kept */
    float *r, *k, *v, *decay, *a, *b, *initial;          /* wanted */
} gradients;

/* A tile over the steps of one chunk, forward for the states before each step, then back. `adjoint` comes as the gradient of the
 * state after the chunk; `to` gathers over the tiles; `value_sums` become the gradients of v. */
INLINE void backward_tile(const keyed *key, const keyed *to, const vector *rows, vector *adjoints, const float *v,
                          const float *above, const float *looked_up, vector *before, vector *value_sums, int64_t steps,
                          const int64_t blocks) {
    vector late[ROWS][MOST_BLOCKS];
    EACH_ROW EACH_BLOCK late[row][j] = rows[row * blocks + j];
    for (int64_t t = 0; t < steps; t++) {
        const vector *k = key->k + t * blocks, *decay = key->decay + t * blocks, *b = key->b + t * blocks;
        EACH_BLOCK {
            vector sum = to->r[t * blocks + j];
            EACH_ROW {
                before[(t * ROWS + row) * blocks + j] = late[row][j];
                late[row][j] = late[row][j] * decay[j] + k[j] * v[t * ROWS + row] + b[j] * looked_up[t * ROWS + row];
                sum += late[row][j] * above[t * ROWS + row];
            }
            to->r[t * blocks + j] = sum;
        }
    }
    EACH_ROW EACH_BLOCK late[row][j] = adjoints[row * blocks + j];
    for (int64_t t = steps - 1; t >= 0; t--) {
        const vector *r = key->r + t * blocks, *k = key->k + t * blocks, *decay = key->decay + t * blocks;
        const vector *a = key->a + t * blocks, *b = key->b + t * blocks, *early = before + t * ROWS * blocks;
        vector corrected[ROWS], written[ROWS];
        EACH_ROW corrected[row] = written[row] = (vector){0};
        EACH_BLOCK EACH_ROW {
            late[row][j] += r[j] * above[t * ROWS + row];
            corrected[row] += late[row][j] * b[j];
            written[row] += late[row][j] * k[j];
        }
        const vector numbers = sums_of_four(corrected);
        EACH_ROW value_sums[t * ROWS + row] = written[row];
        EACH_BLOCK {
            const int64_t at = t * blocks + j;
            vector to_k = to->k[at], to_decay = to->decay[at], to_a = to->a[at], to_b = to->b[at];
            EACH_ROW {
                const vector number = lane_of(numbers, (int)row);
                to_k += late[row][j] * v[t * ROWS + row];
                to_b += late[row][j] * looked_up[t * ROWS + row];
                to_decay += late[row][j] * early[row * blocks + j];
                to_a += early[row * blocks + j] * number;
                late[row][j] = late[row][j] * decay[j] + a[j] * number;
            }
            to->k[at] = to_k, to->decay[at] = to_decay, to->a[at] = to_a, to->b[at] = to_b;
        }
    }
    EACH_ROW EACH_BLOCK adjoints[row * blocks + j] = late[row][j];
}

INLINE void put_keys(const inputs *in, const gradients *g, const keyed *key, const keyed *to, int64_t first, int64_t steps) {
    for (int64_t t = 0; t < steps; t++)
        for (int64_t j = 0; j < in->blocks; j++) {
            const int64_t at = (first + t * in->heads) * in->keys + j * LANES, count = keys_in(in, j), from = t * in->blocks + j;
            store(g->r + at, to->r[from], count);
            store(g->k + at, to->k[from], count);
            store(g->decay + at, to->decay[from] * key->decay[from], count);
            store(g->a + at, to->a[from], count);
            store(g->b + at, to->b[from], count);
        }
}

static int backward_unit(const inputs *in, int64_t unit, const gradients *g) {
    const int64_t item = unit / in->heads, head = unit % in->heads, wide = in->keys + CHUNK;
    const int64_t held = rows_of(in) * in->blocks, keys = 5 * (CHUNK + 1) * in->blocks;
    vector *rows = vectors(2 * held + 2 * keys + CHUNK * ROWS * in->blocks);
    if (!rows) return 1;
    vector *adjoints = rows + held, *before = adjoints + held + 2 * keys;
    const keyed key = room_for_keys(in, adjoints + held), to = room_for_keys(in, adjoints + held + keys);
    take_rows(in, adjoints, g->final + unit * in->values * in->keys, in->keys);
    for (int64_t chunk = in->chunks - 1; chunk >= 0; chunk--) {
        const int64_t steps = smaller(CHUNK, in->length - chunk * CHUNK);
        const int64_t first = (item * in->length + chunk * CHUNK) * in->heads + head;
        const float *checkpoint = g->checkpoints + ((item * in->chunks + chunk) * in->heads + head) * in->values * wide;
        take_rows(in, rows, checkpoint, wide);
        take_keys(in, &key, first, steps);
        memset(to.r, 0, (size_t)keys * sizeof(vector));
        for (int64_t value = 0; value < in->values; value += ROWS) {
            float v[CHUNK * ROWS], above[CHUNK * ROWS], looked_up[CHUNK * ROWS] = {0};
            vector value_sums[CHUNK * ROWS];
            take_values(in, v, in->v, first, steps, value);
            take_values(in, above, g->y, first, steps, value);
            for (int64_t row = 0; row < smaller(ROWS, in->values - value); row++)
                for (int64_t t = 0; t < steps; t++)
                    looked_up[t * ROWS + row] = checkpoint[(value + row) * wide + in->keys + t];
            WITH_BLOCKS(in->blocks, backward_tile(&key, &to, rows + value * in->blocks, adjoints + value * in->blocks, v, above,
                                                  looked_up, before, value_sums, steps, blocks))
            put_sums(in, g->v, value_sums, first, steps, value);
        }
        put_keys(in, g, &key, &to, first, steps);
    }
    put_rows(in, g->initial + unit * in->values * in->keys, in->keys, adjoints);
    free(rows);
    return 0;
}

static inputs described(const float *const *tensors, const int64_t *sizes) {
    inputs in = {.r = tensors[0], .k = tensors[1], .v = tensors[2], .decay = tensors[3], .a = tensors[4], .b = tensors[5]};
    in.initial = tensors[6];
    in.batch = sizes[0], in.length = sizes[1], in.heads = sizes[2], in.keys = sizes[3], in.values = sizes[4];
    in.chunks = (in.length + CHUNK - 1) / CHUNK;
    in.blocks = vectors_for(in.keys);
    return in;
}

/* tensors: r, k (B, L, H, K), v (B, L, H, V), log decay, a, b (B, L, H, K), initial (B, H, V, K). sizes: B, L, H, K, V.
 * results: y (B, L, H, V), final (B, H, V, K), checkpoints (B, chunks, H, V, K + CHUNK). Returns nonzero when memory is out. */
int forward(const float *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.heads, threads, forward_unit(&in, unit, results[0], results[1], results[2]))
    return failed;
}

/* tensors: as for forward, then the gradients of y and final, and the checkpoints. results: the gradients of the seven inputs. */
int backward(const float *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    const gradients g = {tensors[7], tensors[8], tensors[9], results[0], results[1], results[2],
                         results[3], results[4], results[5], results[6]};
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, in.batch * in.heads, threads, backward_unit(&in, unit, &g))
    return failed;
}
