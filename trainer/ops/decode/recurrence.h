/* Recurrences over a matrix for each head, and the shift that comes before RWKV's; lanes are values, so no sum of states crosses them. */
#ifndef TRAINER_DECODE_RECURRENCE_H
#define TRAINER_DECODE_RECURRENCE_H

#include "machine.h"

#define NORM_EPSILON 64e-5f     /* of RWKV's norm over a head */
#define UNIT_EPSILON 1e-12f     /* of torch's normalize */
#define SLOWEST 0.60653065971f  /* exp(-1/2): the largest rate of RWKV-7's decay */

/* x + (before - x) * share for some shares, for a panel of channels; the first id's input before is the state. tables: shares
 * (mixes, channels). sizes: mixes, floats from one result to the next, and the places for x and before - x; 0 where they are not
 * wanted. */
static void shift(const machine *m, const instruction *in, int64_t panel, const float *norms) {
    for (int64_t c = panel * PANEL; c < (panel + 1) * PANEL; c += LANES) {
        vector before = whole(m->state + in->state + c);
        for (int64_t t = 0; t < m->count; t++) {
            const vector x = whole(place(m, t, in->in) + c) * norms[t], change = before - x;
            for (int64_t mix = 0; mix < in->sizes[0]; mix++)
                keep(place(m, t, in->out + mix * in->sizes[1]) + c, x + change * whole(in->tables[0] + mix * in->units * PANEL + c));
            if (in->sizes[2]) keep(place(m, t, in->sizes[2]) + c, x);
            if (in->sizes[3]) keep(place(m, t, in->sizes[3]) + c, change);
            before = x;
        }
        keep(m->state + in->state + c, before);
    }
}

INLINE float product_of(const float *left, const float *right, int64_t width) {
    vector sum = {0};
    for (int64_t c = 0; c < width; c += LANES) sum += load(left + c, width - c) * load(right + c, width - c);
    return sum_of_lanes(sum);
}

/* (x - mean) / deviation * scale, then + bias where there is one; to may be x. */
INLINE void normalize_group(float *to, const float *x, int64_t width, float epsilon, const float *scale, const float *bias) {
    vector sum = {0}, squares = {0};
    for (int64_t c = 0; c < width; c += LANES) sum += load(x + c, width - c);
    const float middle = sum_of_lanes(sum) / (float)width;
    for (int64_t c = 0; c < width; c += LANES) {
        store(to + c, load(x + c, width - c) - middle, width - c);
        squares += load(to + c, width - c) * load(to + c, width - c);
    }
    const float inverse = 1.0f / sqrtf(sum_of_lanes(squares) / (float)width + epsilon);
    for (int64_t c = 0; c < width; c += LANES) {
        const vector value = load(to + c, width - c) * inverse * load(scale + c, width - c);
        store(to + c, bias ? value + load(bias + c, width - c) : value, width - c);
    }
}

/* One head of RWKV-6 for all ids. in: receptances, keys, values, decays before two exponentials, gates after silu. state: (heads,
 * keys, padded values). tables: bonus, norm's scale and bias, each a row. sizes: head's width, floats from row to row, those of a
 * state's row. */
static void wkv6_head(const machine *m, const instruction *in, int64_t head) {
    const int64_t width = in->sizes[0], row = in->sizes[1], padded = in->sizes[2], at = head * width;
    const float *bonus = in->tables[0] + at, *scale = bonus + row, *bias = scale + row;
    float decay[WIDEST_HEAD], own[WIDEST_HEAD], *state = m->state + in->state + head * width * padded;
    for (int64_t t = 0; t < m->count; t++) {
        const float *r = place(m, t, in->in) + at, *k = r + row, *v = k + row, *w = v + row, *gate = w + row;
        float *y = place(m, t, in->out) + at;
        for (int64_t c = 0; c < width; c += LANES) {
            store(decay + c, exp2_of(exp2_of(load(w + c, width - c) * LOG2_E) * -LOG2_E), width - c);
            store(own + c, load(bonus + c, width - c) * load(k + c, width - c), width - c);
        }
        const float bonused = product_of(own, r, width);
        for (int64_t c = 0; c < width; c += LANES) {
            const vector value = load(v + c, width - c);
            vector sums[2] = {value * bonused};
            for (int64_t key = 0; key < width; key++) {
                float *cell = state + key * padded + c;
                const vector held = load(cell, width - c);
                sums[key % 2] += held * r[key];
                store(cell, held * decay[key] + value * k[key], width - c);
            }
            store(y + c, sums[0] + sums[1], width - c);
        }
        normalize_group(y, y, width, NORM_EPSILON, scale, bias);
        for (int64_t c = 0; c < width; c += LANES) store(y + c, load(y + c, width - c) * load(gate + c, width - c), width - c);
    }
}

/* state (I - 2 share u uᵀ), u the direction made a unit. state: (keys, padded values). */
INLINE void reflect(float *state, const float *direction, float share, int64_t width, int64_t padded) {
    float unit[WIDEST_HEAD];
    const float length = sqrtf(product_of(direction, direction, width)), inverse = 1.0f / (length > UNIT_EPSILON ? length : UNIT_EPSILON);
    for (int64_t c = 0; c < width; c += LANES) store(unit + c, load(direction + c, width - c) * inverse, width - c);
    for (int64_t c = 0; c < width; c += LANES) {
        vector found[2] = {{0}};
        for (int64_t key = 0; key < width; key++) found[key % 2] += load(state + key * padded + c, width - c) * unit[key];
        found[0] = (found[0] + found[1]) * (-2.0f * share);
        for (int64_t key = 0; key < width; key++) {
            float *cell = state + key * padded + c;
            store(cell, load(cell, width - c) + found[0] * unit[key], width - c);
        }
    }
}

/* One head of RWKV-7 for all ids. in: receptances, keys, values, decays before their sigmoid, rates after theirs, gates. tables:
 * scales of keys, how rates weigh them, bonus, norm's scale and bias, each a row. sizes: as for RWKV-6, then how many reflections a
 * transition has, the place of the directions of all but the last, a row each, and that of halves of their rates, (reflections,
 * heads), which then stand for the rates. */
static void wkv7_head(const machine *m, const instruction *in, int64_t head) {
    const int64_t width = in->sizes[0], row = in->sizes[1], padded = in->sizes[2], at = head * width;
    const float *key_scale = in->tables[0] + at, *key_rate = key_scale + row, *bonus = key_rate + row, *scale = bonus + row;
    float decay[WIDEST_HEAD], looks[WIDEST_HEAD], writes[WIDEST_HEAD], keys[WIDEST_HEAD], own[WIDEST_HEAD];
    const int64_t last = (in->sizes[3] - 1) * in->units + head;
    float *state = m->state + in->state + head * width * padded;
    for (int64_t t = 0; t < m->count; t++) {
        const float *r = place(m, t, in->in) + at, *k = r + row, *v = k + row, *w = v + row, *rate = w + row, *gate = rate + row;
        const float *halves = in->sizes[3] ? place(m, t, in->sizes[5]) : NULL;
        float *y = place(m, t, in->out) + at;
        for (int64_t c = 0; c < width; c += LANES) {
            const vector key = load(k + c, width - c), rates = halves ? (vector){0} + 2.0f * halves[last] : load(rate + c, width - c);
            const vector kept = key * (1.0f + (rates - 1.0f) * load(key_rate + c, width - c));
            store(decay + c, exp2_of(sigmoid(load(w + c, width - c)) * (-SLOWEST * LOG2_E)), width - c);
            store(looks + c, key * load(key_scale + c, width - c), width - c);
            store(keys + c, kept, width - c);
            store(own + c, kept * load(bonus + c, width - c), width - c);
            store(writes + c, rates, width - c);
        }
        if (halves) {
            for (int64_t key = 0; key < width; key++) {
                for (int64_t c = 0; c < width; c += LANES)
                    store(state + key * padded + c, load(state + key * padded + c, width - c) * decay[key], width - c);
                decay[key] = 1.0f;
            }
            for (int64_t turn = 0; turn < in->sizes[3] - 1; turn++)
                reflect(state, place(m, t, in->sizes[4]) + turn * row + at, halves[turn * in->units + head], width, padded);
        }
        const float length = sqrtf(product_of(looks, looks, width)), inverse = 1.0f / (length > UNIT_EPSILON ? length : UNIT_EPSILON);
        for (int64_t c = 0; c < width; c += LANES) {
            const vector unit = load(looks + c, width - c) * inverse;
            store(looks + c, -unit, width - c);
            store(writes + c, unit * load(writes + c, width - c), width - c);
        }
        for (int64_t c = 0; c < width; c += LANES) {
            const vector value = load(v + c, width - c);
            vector found[2] = {{0}}, sums[2] = {{0}};
            for (int64_t key = 0; key < width; key++) found[key % 2] += load(state + key * padded + c, width - c) * looks[key];
            found[0] += found[1];
            for (int64_t key = 0; key < width; key++) {
                float *cell = state + key * padded + c;
                const vector held = load(cell, width - c) * decay[key] + found[0] * writes[key] + value * keys[key];
                sums[key % 2] += held * r[key];
                store(cell, held, width - c);
            }
            store(y + c, sums[0] + sums[1], width - c);
        }
        const float bonused = product_of(own, r, width);
        normalize_group(y, y, width, NORM_EPSILON, scale, scale + row);
        for (int64_t c = 0; c < width; c += LANES)
            store(y + c, (load(y + c, width - c) + load(v + c, width - c) * bonused) * load(gate + c, width - c), width - c);
    }
}

/* One head of Mamba-2 for all ids. in: values, then, after all heads' values, what writes and what reads. state: (heads, N, padded
 * values). tables: rates times log2(e), skips, each a row of heads. sizes: head's width, N, floats of a state's row, floats from one
 * table to the next, places of what writes and reads, of the steps, and of the gates after silu. */
static void ssd_head(const machine *m, const instruction *in, int64_t head) {
    const int64_t width = in->sizes[0], states = in->sizes[1], padded = in->sizes[2], at = head * width;
    const float rate = in->tables[0][head], skip = in->tables[0][in->sizes[3] + head];
    float *state = m->state + in->state + head * states * padded;
    for (int64_t t = 0; t < m->count; t++) {
        const float *x = place(m, t, in->in) + at, *write = place(m, t, in->sizes[4]), *read = write + states;
        const float step = place(m, t, in->sizes[5])[head], *gate = place(m, t, in->sizes[6]) + at;
        const float decay = exp2_of((vector){0} + step * rate)[0];
        for (int64_t c = 0; c < width; c += LANES) {
            const vector value = load(x + c, width - c), driven = value * step;
            vector sums[2] = {value * skip};
            for (int64_t n = 0; n < states; n++) {
                float *cell = state + n * padded + c;
                const vector held = load(cell, width - c) * decay + driven * write[n];
                sums[n % 2] += held * read[n];
                store(cell, held, width - c);
            }
            store(place(m, t, in->out) + at + c, (sums[0] + sums[1]) * load(gate + c, width - c), width - c);
        }
    }
}

/* Adds a group's values over their deviation to the stream. tables: scales. sizes: the group's width. */
static void add_normalized(const machine *m, const instruction *in, int64_t group) {
    const int64_t width = in->sizes[0], at = group * width;
    for (int64_t t = 0; t < m->count; t++) {
        float *y = place(m, t, in->in) + at, *out = place(m, t, in->out) + at;
        normalize_group(y, y, width, 1e-5f, in->tables[0] + at, NULL);
        for (int64_t c = 0; c < width; c += LANES) store(out + c, load(out + c, width - c) + load(y + c, width - c), width - c);
    }
}

#endif
