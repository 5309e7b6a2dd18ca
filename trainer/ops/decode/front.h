/* What stands before, between and behind the layers: embeddings, angles, norms, soft words, slots of memory, a document's mean. */
#ifndef TRAINER_DECODE_FRONT_H
#define TRAINER_DECODE_FRONT_H

#include "machine.h"

/* The rows of the ids. sizes: the padded width. tables: (ids, width). */
INLINE void embed(const machine *m, const instruction *in, int64_t t) {
    memcpy(place(m, t, in->out), in->tables[0] + m->ids[t] * in->sizes[0], (size_t)in->sizes[0] * sizeof(float));
}

/* Cosines and sines of a place times each rate, taken in fp64; both rows are `all` long. */
INLINE void turn(float *to, double at, const double *rates, int64_t count, int64_t all) {
    for (int64_t i = 0; i < count; i++) {
        const double angle = at * rates[i];
        to[i] = (float)cos(angle);
        to[all + i] = (float)sin(angle);
    }
}

/* Of the position. sizes: how many. weights: the rates in fp64. */
INLINE void turn_position(const machine *m, const instruction *in, int64_t t) {
    turn(place(m, t, in->out), (double)(m->position + t), in->weights, in->sizes[0], in->sizes[0]);
}

/* Some of the position, the others of the words so far, to which each id adds its score. state: the words, a double. sizes: how many
 * of each, the scores' place. weights: the rates in fp64. */
static void turn_words(const machine *m, const instruction *in) {
    const int64_t places = in->sizes[0], all = places + in->sizes[1];
    const double *rates = in->weights;
    double words;
    memcpy(&words, m->state + in->state, sizeof words);
    for (int64_t t = 0; t < m->count; t++) {
        words += (double)place(m, t, in->sizes[2])[0];
        turn(place(m, t, in->out), (double)(m->position + t), rates, places, all);
        turn(place(m, t, in->out) + places, words, rates + places, in->sizes[1], all);
    }
    memcpy(m->state + in->state, &words, sizeof words);
}

/* One id's row over its root mean square. */
INLINE void normalize(const machine *m, const instruction *in, int64_t t, float norm) {
    for (int64_t c = 0; c < in->columns; c += LANES) keep(place(m, t, in->out) + c, whole(place(m, t, in->in) + c) * norm);
}

/* The softmax of one id's scores times its gate, in place. The score behind the last one is the gate's, before its sigmoid and
 * without what the id's raw byte adds. sizes: scores. tables: what each id adds. */
INLINE void weigh_slots(const machine *m, const instruction *in, int64_t t) {
    const int64_t slots = in->sizes[0];
    float *scores = place(m, t, in->in), top = scores[0];
    const float gate = scores[slots] + in->tables[0][m->ids[t]];
    for (int64_t slot = 1; slot < slots; slot++) top = scores[slot] > top ? scores[slot] : top;
    vector total = {0};
    for (int64_t slot = 0; slot < slots; slot += LANES) {
        store(scores + slot, exp2_of((load(scores + slot, slots - slot) - top) * LOG2_E), slots - slot);
        total += load(scores + slot, slots - slot);
    }
    const float scale = sigmoid((vector){0} + gate)[0] / sum_of_lanes(total);
    for (int64_t slot = 0; slot < slots; slot += LANES) store(scores + slot, load(scores + slot, slots - slot) * scale, slots - slot);
    scores[slots] = 0.0f;
}

/* The mean of all that was known in the document, then what is known, for a panel of channels. state: sums in fp64, channel by
 * channel. sizes: floats from the mean to the other. */
static void average(const machine *m, const instruction *in, int64_t panel, const float *norms) {
    double *sums = (double *)(void *)(m->state + in->state);
    for (int64_t t = 0; t < m->count; t++)
        for (int64_t c = panel * PANEL; c < (panel + 1) * PANEL; c++) {
            const float known = place(m, t, in->in)[c] * norms[t];
            sums[c] += (double)known;
            place(m, t, in->out)[c] = (float)(sums[c] / (double)(m->position + t + 1));
            place(m, t, in->out + in->sizes[0])[c] = known;
        }
}

#endif
