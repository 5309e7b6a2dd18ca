/* Mamba's convolution and selective scan, as what a product's results go through. */
#ifndef TRAINER_DECODE_MAMBA_H
#define TRAINER_DECODE_MAMBA_H

#include "machine.h"

#define TAPS 4 /* of the convolution */

/* silu(bias + taps on the newest inputs). tables: taps (TAPS, channels), the newest first, and bias. state: (TAPS - 1, channels). */
INLINE vector convolved(const instruction *in, float *state, int64_t channel, vector newest) {
    const int64_t channels = in->units * PANEL;
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

#endif
