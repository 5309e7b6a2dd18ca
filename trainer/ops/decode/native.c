/* Runs a model, laid out as a list of instructions, over some ids after a state; it knows no model and chooses nothing.
 *
 * Every row of floats is padded with zeros to whole panels of PANEL, so no loop has a tail. A matrix lies in panels: PANEL of
 * its rows side by side, column after column, so that a product is a broadcast and a multiply-add and no sum crosses lanes.
 * Every result is summed in an order that depends neither on the threads nor on how many ids are read at once: reading ids
 * together or one by one gives the same bits. */
#include "native.h"
#include <math.h>

#define PANEL 16       /* rows of a matrix side by side */
#define POSITIONS 16   /* ids that go through the instructions together */
#define CHAINS 4       /* sums of one product that run side by side: the latency of a multiply-add */
#define GROUP 4        /* ids for which a weight is loaded once; with CHAINS it fills half the registers */
#define TAPS 4         /* of a convolution */
#define KEYS 64        /* keys whose weights are found together */
#define WIDEST_HEAD 256
#define EPSILON 1.1920929e-7f /* of torch's RMS norm in fp32 */

enum kind { EMBED, ANGLES, MULTIPLY, ATTEND };
enum epilogue { STORE, ADD, TIMES, SILU, SQUARED_RELU, CAP, CONVOLVE, SCAN };

typedef struct {
    int64_t kind, epilogue, wait;     /* wait: the next instruction needs the results */
    int64_t in, out;                  /* places in the scratch of a position, in floats */
    int64_t panels, columns;          /* of the matrix; columns are a multiple of PANEL */
    int64_t normed;                   /* width of the RMS norm before the product; 0 for none */
    int64_t state;                    /* place in the state, in floats */
    int64_t sizes[6];                 /* see the functions */
    const void *weights;              /* fp32, or int8 where there are scales */
    const float *scales, *bias;       /* of each row, or NULL */
    const float *tables[2];           /* see the functions */
} instruction;

typedef struct {
    float *scratch, *state;
    const int64_t *ids;
    int64_t stride, count, position;  /* floats of a position's scratch; ids; the first id's place in the sequence */
} machine;

INLINE float *place(const machine *m, int64_t t, int64_t offset) { return m->scratch + t * m->stride + offset; }
INLINE vector whole(const float *from) { return load(from, LANES); }
INLINE void keep(float *to, vector value) { store(to, value, LANES); }
INLINE vector chosen(integers mask, vector yes, vector no) { return (vector)((mask & (integers)yes) | (~mask & (integers)no)); }
INLINE vector silu(vector x) { return x / (exp2_of(x * -LOG2_E) + 1.0f); }

/* The natural logarithm of numbers from 1 on (Cephes' polynomial on [sqrt(1/2), sqrt(2)], relative error about 1e-7). */
INLINE vector log_of(vector x) {
    const integers exponent = ((integers)x - 0x3f3504f3) >> 23;
    const vector f = (vector)((integers)x - (exponent << 23)) - 1.0f;
    vector p = f * 7.0376836292e-2f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    const vector n = __builtin_convertvector(exponent, vector), square = f * f;
    return f + (p * square * f - square * 0.5f) + n * 0.69314718f;
}

/* log(1 + exp(x)); log(1 + e) e / ((1 + e) - 1) loses no digits where e is small (Goldberg 1991, theorem 4). */
INLINE vector softplus(vector x) {
    const vector e = exp2_of(x * LOG2_E), sum = e + 1.0f;
    const vector small = chosen(sum == 1.0f, e, log_of(sum) * (e / (sum - 1.0f)));
    return chosen(x > 20.0f, x, small);
}

INLINE float inverse_norm(const float *x, int64_t columns, int64_t width) {
    vector sum = {0};
    for (int64_t c = 0; c < columns; c += LANES) sum += load(x + c, columns - c) * load(x + c, columns - c);
    return 1.0f / sqrtf(sum_of_lanes(sum) / (float)width + EPSILON);
}

INLINE vector weights_at(const void *weights, int64_t at, const int small) {
    if (!small) return whole((const float *)weights + at);
    const int8_t *from = (const int8_t *)weights + at;
#if defined(__AVX512F__)
    return (vector)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)from)));
#elif defined(__AVX2__)
    return (vector)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)from)));
#else
    vector value;
    for (int lane = 0; lane < LANES; lane++) value[lane] = from[lane];
    return value;
#endif
}

/* LANES rows of one panel times `ids` inputs; the sums' order is the same whatever `ids` is. */
INLINE void multiply(const machine *m, const instruction *in, int64_t panel, int64_t lane, int64_t first, const int ids,
                     const int small, float (*values)[PANEL]) {
    vector sums[GROUP][CHAINS];
    for (int t = 0; t < ids; t++)
        for (int chain = 0; chain < CHAINS; chain++) sums[t][chain] = (vector){0};
    const float *x[GROUP];
    for (int t = 0; t < ids; t++) x[t] = place(m, first + t, in->in);
    const int64_t start = panel * in->columns * PANEL + lane;
    for (int64_t c = 0; c < in->columns; c += CHAINS)
#pragma GCC unroll 4
        for (int chain = 0; chain < CHAINS; chain++) {
            const vector weight = weights_at(in->weights, start + (c + chain) * PANEL, small);
#pragma GCC unroll 4
            for (int t = 0; t < ids; t++) sums[t][chain] += weight * x[t][c + chain];
        }
    for (int t = 0; t < ids; t++)
        keep(values[first + t] + lane, (sums[t][0] + sums[t][1]) + (sums[t][2] + sums[t][3]));
}

INLINE void multiply_any(const machine *m, const instruction *in, int64_t panel, int64_t lane, const int small,
                         float (*values)[PANEL]) {
    int64_t t = 0;
    for (; t + GROUP <= m->count; t += GROUP) multiply(m, in, panel, lane, t, GROUP, small, values);
    if (m->count - t == 3) multiply(m, in, panel, lane, t, 3, small, values);
    if (m->count - t == 2) multiply(m, in, panel, lane, t, 2, small, values);
    if (m->count - t == 1) multiply(m, in, panel, lane, t, 1, small, values);
}

/* silu(bias + taps on the newest inputs). tables: taps (TAPS, channels), the newest first, and bias. state: (TAPS - 1, channels). */
INLINE vector convolved(const instruction *in, float *state, int64_t channel, vector newest) {
    const int64_t channels = in->panels * PANEL;
    const float *taps = in->tables[0] + channel;
    vector sum = whole(in->tables[1] + channel) + whole(taps) * newest;
    for (int back = 1; back < TAPS; back++)
        sum += whole(taps + back * channels) * whole(state + (TAPS - 1 - back) * channels + channel);
    for (int row = 0; row + 1 < TAPS - 1; row++)
        keep(state + row * channels + channel, whole(state + (row + 1) * channels + channel));
    keep(state + (TAPS - 2) * channels + channel, newest);
    return silu(sum);
}

/* The gated output of the selective scan from the step before its softplus. tables: rates times log2(e) (panels, N, PANEL), and
 * skips. state: (panels, N, PANEL). sizes: N, and the places of the inputs, the gates after silu, what writes, what reads. */
INLINE vector scanned(const machine *m, const instruction *in, float *state, int64_t channel, int64_t t, vector step) {
    const int64_t states = in->sizes[0], panel = channel / PANEL * states * PANEL + channel % PANEL;
    const vector delta = softplus(step), u = whole(place(m, t, in->sizes[1]) + channel), driven = delta * u;
    const float *write = place(m, t, in->sizes[3]), *read = place(m, t, in->sizes[4]);
    vector y = whole(in->tables[1] + channel) * u;
    for (int64_t n = 0; n < states; n++) {
        const int64_t at = panel + n * PANEL;
        const vector next = exp2_of(delta * whole(in->tables[0] + at)) * whole(state + at) + driven * write[n];
        keep(state + at, next);
        y += next * read[n];
    }
    return y * whole(place(m, t, in->sizes[2]) + channel);
}

/* tables: what the logits stay within, one float. */
INLINE vector capped(const instruction *in, vector value) {
    const float cap = in->tables[0][0];
    for (int lane = 0; lane < LANES; lane++) value[lane] = cap * tanhf(value[lane] / cap);
    return value;
}

INLINE vector finished(const machine *m, const instruction *in, int64_t row, int64_t t, vector value) {
    switch (in->epilogue) {
        case ADD: return whole(place(m, t, in->out) + row) + value;
        case TIMES: return whole(place(m, t, in->out) + row) * value;
        case SILU: return silu(value);
        case SQUARED_RELU: return at_least(value, 0.0f) * at_least(value, 0.0f);
        case CAP: return capped(in, value);
        case CONVOLVE: return convolved(in, m->state + in->state, row, value);
        case SCAN: return scanned(m, in, m->state + in->state, row, t, value);
        default: return value;
    }
}

/* One panel of a product for all ids, and what its results go through; recurrences take the ids in their order. */
static void multiply_panel(const machine *m, const instruction *in, int64_t panel, const float *norms) {
    float values[POSITIONS][PANEL] __attribute__((aligned(64)));
    for (int64_t lane = 0; lane < PANEL; lane += LANES) {
        const int64_t row = panel * PANEL + lane;
        if (in->scales) multiply_any(m, in, panel, lane, 1, values);
        else multiply_any(m, in, panel, lane, 0, values);
        const vector scale = in->scales ? whole(in->scales + row) : (vector){0} + 1.0f;
        const vector bias = in->bias ? whole(in->bias + row) : (vector){0};
        for (int64_t t = 0; t < m->count; t++) {
            const vector value = whole(values[t] + lane) * scale * norms[t] + bias;
            keep(place(m, t, in->out) + row, finished(m, in, row, t, value));
        }
    }
}

/* A head's vector, over its root mean square where it is normed, each pair (i, i + half) turned by the position's angle. */
INLINE void turned(float *to, const float *from, int64_t width, int64_t normed, const float *cosines, const float *sines) {
    const float inverse = normed ? inverse_norm(from, width, width) : 1.0f;
    const int64_t half = width / 2;
    for (int64_t i = 0; i < half; i++) {
        const float first = from[i] * inverse, second = from[i + half] * inverse;
        to[i] = first * cosines[i] - second * sines[i];
        to[i + half] = first * sines[i] + second * cosines[i];
    }
}

/* The mean of the values, weighted by the softmax of the scores, a block of keys at a time (Milakov and Gimelshein 2018,
 * arXiv 1805.02867). `query` is scaled so that the weights are powers of two. */
static void weigh(float *to, const float *query, const float *keys, const float *values, int64_t width, int64_t stride, int64_t seen) {
    vector sums[WIDEST_HEAD / LANES] = {{0}};
    float largest = -INFINITY, total = 0.0f;
    for (int64_t block = 0; block < seen; block += KEYS) {
        const int64_t count = smaller(KEYS, seen - block);
        float scores[KEYS] __attribute__((aligned(64))) = {0};
        float top = largest;
        for (int64_t key = 0; key < count; key += LANES) {
            vector rows[LANES];
            const int64_t here = smaller(LANES, count - key);
            for (int64_t row = 0; row < here; row++) {
                const float *k = keys + (block + key + row) * stride;
                rows[row] = (vector){0};
                for (int64_t c = 0; c < width; c += LANES) rows[row] += load(query + c, width - c) * load(k + c, width - c);
            }
            store(scores + key, sums_of_rows(rows, here), here);
        }
        for (int64_t key = 0; key < count; key++) top = scores[key] > top ? scores[key] : top;
        const float fade = exp2f(largest - top);
        largest = top;
        vector weights = {0};
        for (int64_t key = 0; key < count; key += LANES) {
            store(scores + key, exp2_of(whole(scores + key) - top), count - key);
            weights += load(scores + key, count - key);
        }
        total = total * fade + sum_of_lanes(weights);
        for (int64_t c = 0; c < width; c += LANES) {
            vector chains[CHAINS] = {sums[c / LANES] * fade};
            for (int64_t key = 0; key < count; key++)
                chains[key % CHAINS] += load(values + (block + key) * stride + c, width - c) * scores[key];
            sums[c / LANES] = (chains[0] + chains[1]) + (chains[2] + chains[3]);
        }
    }
    for (int64_t c = 0; c < width; c += LANES) store(to + c, sums[c / LANES] / total, width - c);
}

/* One head for all ids. state: a ring (window, 2, heads * width) of turned keys and of values; an id's place is its position modulo
 * the window. normed: whether queries and keys are. sizes: heads, width, window, and the places of the queries, the keys and values, the angles' cosines and sines. */
static void attend_head(const machine *m, const instruction *in, int64_t head) {
    const int64_t width = in->sizes[1], window = in->sizes[2], all = in->sizes[0] * width, at = head * width;
    float query[WIDEST_HEAD];
    for (int64_t t = 0; t < m->count; t++) {
        const int64_t position = m->position + t;
        const float *cosines = place(m, t, in->sizes[5]), *sines = cosines + width / 2, *given = place(m, t, in->in);
        float *ring = m->state + in->state, *slot = ring + position % window * 2 * all;
        turned(query, given + at, width, in->normed, cosines, sines);
        turned(slot + at, given + in->sizes[3] + at, width, in->normed, cosines, sines);
        memcpy(slot + all + at, given + in->sizes[4] + at, (size_t)width * sizeof(float));
        for (int64_t i = 0; i < width; i++) query[i] *= LOG2_E / sqrtf((float)width);
        weigh(place(m, t, in->out) + at, query, ring + at, ring + all + at, width, 2 * all, smaller(position + 1, window));
    }
}

/* The rows of the ids. sizes: the padded width. tables: (ids, width). */
INLINE void embed(const machine *m, const instruction *in, int64_t t) {
    memcpy(place(m, t, in->out), in->tables[0] + m->ids[t] * in->sizes[0], (size_t)in->sizes[0] * sizeof(float));
}

/* Cosines and sines of the position times each rate, taken in fp64. sizes: how many. weights: the rates in fp64. */
INLINE void turn(const machine *m, const instruction *in, int64_t t) {
    const double *rates = in->weights;
    float *to = place(m, t, in->out);
    for (int64_t i = 0; i < in->sizes[0]; i++) {
        const double angle = (double)(m->position + t) * rates[i];
        to[i] = (float)cos(angle);
        to[in->sizes[0] + i] = (float)sin(angle);
    }
}

/* Every thread of the team comes here; they share the work of an instruction and wait where the next one needs all of it. */
static void execute(const machine *m, const instruction *in) {
    if (in->kind == MULTIPLY) {
        float norms[POSITIONS];
        for (int64_t t = 0; t < m->count; t++)
            norms[t] = in->normed ? inverse_norm(place(m, t, in->in), in->columns, in->normed) : 1.0f;
#pragma omp for schedule(static) nowait
        for (int64_t panel = 0; panel < in->panels; panel++) multiply_panel(m, in, panel, norms);
    } else if (in->kind == ATTEND) {
#pragma omp for schedule(static) nowait
        for (int64_t head = 0; head < in->sizes[0]; head++) attend_head(m, in, head);
    } else {
#pragma omp for schedule(static) nowait
        for (int64_t t = 0; t < m->count; t++) {
            if (in->kind == EMBED) embed(m, in, t);
            else turn(m, in, t);
        }
    }
    if (in->wait) {
#pragma omp barrier
    }
}

/* Reads `count` ids from `position` on; `state` becomes the state after them, `logits` (count, vocabulary) what follows each,
 * `ahead` (count, heads, vocabulary) what comes after that. sizes: instructions, floats of a position's scratch, the logits' place
 * in it, the vocabulary, the place of the heads' logits, heads. scratch: POSITIONS such rows. */
int run(const instruction *plan, const int64_t *sizes, float *scratch, float *state, const int64_t *ids, int64_t count,
        int64_t position, float *logits, float *ahead, int64_t threads) {
    const int64_t vocabulary = sizes[3], all = sizes[5] * vocabulary;
    (void)threads;
    for (int64_t start = 0; start < count; start += POSITIONS) {
        const machine m = {scratch, state, ids + start, sizes[1], smaller(POSITIONS, count - start), position + start};
#pragma omp parallel num_threads((int)threads)
        {
            const uint64_t control = flush_denormals_begin();
            for (int64_t i = 0; i < sizes[0]; i++) execute(&m, plan + i);
            flush_denormals_end(control);
        }
        for (int64_t t = 0; t < m.count; t++) {
            memcpy(logits + (start + t) * vocabulary, place(&m, t, sizes[2]), (size_t)vocabulary * sizeof(float));
            memcpy(ahead + (start + t) * all, place(&m, t, sizes[4]), (size_t)all * sizeof(float));
        }
    }
    return 0;
}
