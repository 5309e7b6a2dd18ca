/* Heads that look back: over a ring of keys and values, or over the last ids and landmarks. */
#ifndef TRAINER_DECODE_ATTENTION_H
#define TRAINER_DECODE_ATTENTION_H

#include "machine.h"

#define KEYS 64 /* whose weights are found together */

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

/* A mean of values under way, weighted by the softmax of their scores: weights are relative to the largest score. */
typedef struct {
    vector sums[WIDEST_HEAD / LANES];
    float largest, total;
} mean;

INLINE void begin_mean(mean *of) {
    memset(of->sums, 0, sizeof of->sums);
    of->largest = -INFINITY, of->total = 0.0f;
}

INLINE void finish_mean(const mean *of, float *to, int64_t width) {
    for (int64_t c = 0; c < width; c += LANES) store(to + c, of->sums[c / LANES] / of->total, width - c);
}

/* Takes in `seen` more keys and values, a block at a time (Milakov and Gimelshein 2018, arXiv 1805.02867). `query` is scaled so
 * that the weights are powers of two. */
static void weigh(mean *of, const float *query, const float *keys, const float *values, int64_t width, int64_t stride, int64_t seen) {
    for (int64_t block = 0; block < seen; block += KEYS) {
        const int64_t count = smaller(KEYS, seen - block);
        float scores[KEYS] __attribute__((aligned(64))) = {0};
        float top = of->largest;
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
        const float fade = exp2f(of->largest - top);
        of->largest = top;
        vector weights = {0};
        for (int64_t key = 0; key < count; key += LANES) {
            store(scores + key, exp2_of(whole(scores + key) - top), count - key);
            weights += load(scores + key, count - key);
        }
        of->total = of->total * fade + sum_of_lanes(weights);
        for (int64_t c = 0; c < width; c += LANES) {
            vector chains[CHAINS] = {of->sums[c / LANES] * fade};
            for (int64_t key = 0; key < count; key++)
                chains[key % CHAINS] += load(values + (block + key) * stride + c, width - c) * scores[key];
            of->sums[c / LANES] = (chains[0] + chains[1]) + (chains[2] + chains[3]);
        }
    }
}

/* A head's query and, into the id's slot of a ring, its key and value; query and key over their root mean square where they are
 * normed, turned, and the query scaled for `weigh`. */
INLINE void ask(const machine *m, const instruction *in, int64_t t, int64_t at, int64_t normed, float *query, float *slot) {
    const int64_t width = in->sizes[1], all = in->sizes[0] * width;
    const float *cosines = place(m, t, in->sizes[5]), *sines = cosines + width / 2, *given = place(m, t, in->in);
    turned(query, given + at, width, normed, cosines, sines);
    turned(slot + at, given + in->sizes[3] + at, width, normed, cosines, sines);
    memcpy(slot + all + at, given + in->sizes[4] + at, (size_t)width * sizeof(float));
    for (int64_t i = 0; i < width; i++) query[i] *= LOG2_E / sqrtf((float)width);
}

/* One head for all ids. state: a ring (window, 2, heads * width) of turned keys and of values; an id's place is its position modulo
 * the window. sizes: heads, width, window, the places of keys and values behind the queries', the place of the angles' cosines and
 * sines, whether queries and keys are normed. */
static void attend_head(const machine *m, const instruction *in, int64_t head) {
    const int64_t width = in->sizes[1], window = in->sizes[2], all = in->sizes[0] * width, at = head * width;
    float query[WIDEST_HEAD], *ring = m->state + in->state;
    mean found;
    for (int64_t t = 0; t < m->count; t++) {
        const int64_t position = m->position + t;
        ask(m, in, t, at, in->sizes[6], query, ring + position % window * 2 * all);
        begin_mean(&found);
        weigh(&found, query, ring + at, ring + all + at, width, 2 * all, smaller(position + 1, window));
        finish_mean(&found, place(m, t, in->out) + at, width);
    }
}

INLINE void scaled(float *to, const float *from, int64_t width, float scale) {
    for (int64_t i = 0; i < width; i++) to[i] = from[i] * scale;
}

/* The same over the last `stride` ids and the landmarks before them: landmark j stands at position j * stride - 1, from j = 1 on.
 * state: a ring of the last ids as above, `stride` long, then one of the landmarks, where j has the place j modulo their number. It
 * goes there when its own id has looked back, and is seen there when it has left the first ring. sizes: as above with `stride` for
 * the window, then whether queries and keys of landmarks are turned, and how many landmarks are seen. */
static void attend_sparsely(const machine *m, const instruction *in, int64_t head) {
    const int64_t width = in->sizes[1], stride = in->sizes[2], landmarks = in->sizes[7], all = in->sizes[0] * width, at = head * width;
    float query[WIDEST_HEAD], *near = m->state + in->state, *far = near + stride * 2 * all;
    mean found;
    for (int64_t t = 0; t < m->count; t++) {
        const int64_t position = m->position + t, slot = position % stride, here = (position + 1) / stride, lands = slot == stride - 1;
        const float *given = place(m, t, in->in) + at, *key = near + slot * 2 * all + at;
        float *landmark = far + here % landmarks * 2 * all + at;
        ask(m, in, t, at, 1, query, near + slot * 2 * all);
        begin_mean(&found);
        weigh(&found, query, near + at, near + all + at, width, 2 * all, smaller(position + 1, stride));
        if (!in->sizes[6]) scaled(query, given, width, inverse_norm(given, width, width) * (LOG2_E / sqrtf((float)width)));
        for (int64_t j = here + !lands > landmarks ? here + !lands - landmarks : 1; j < here;) {
            const int64_t first = j % landmarks, count = smaller(landmarks - first, here - j);
            weigh(&found, query, far + first * 2 * all + at, far + (first * 2 + 1) * all + at, width, 2 * all, count);
            j += count;
        }
        finish_mean(&found, place(m, t, in->out) + at, width);
        if (!lands) continue;
        memcpy(landmark, key, (size_t)width * sizeof(float));
        memcpy(landmark + all, key + all, (size_t)width * sizeof(float));
        if (!in->sizes[6]) scaled(landmark, given + in->sizes[3], width, inverse_norm(given + in->sizes[3], width, width));
    }
}

#endif
