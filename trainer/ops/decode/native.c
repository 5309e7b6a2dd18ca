/* Runs a model, laid out as a list of instructions, over some ids after a state; it knows no model and chooses nothing.
 *
 * Every row of floats is padded with zeros to whole panels of PANEL, so no product has a tail. A matrix lies in panels: PANEL of
 * its rows side by side, column after column, so that a product is a broadcast and a multiply-add and no sum crosses lanes.
 * Every result is summed in an order that depends neither on the threads nor on how many ids are read at once: reading ids
 * together or one by one gives the same bits. */
#include "attention.h"
#include "front.h"
#include "product.h"
#include "recurrence.h"

enum kind { EMBED, ANGLES, WORDS, NORMALIZE, MULTIPLY, ATTEND, ATTEND_SPARSELY, SHIFT, WKV6, WKV7, SSD, ADD_NORMALIZED, WEIGH_SLOTS, AVERAGE };

/* One unit of an instruction's work: a panel, a head, a group, an id, or all of it. */
INLINE void perform(const machine *m, const instruction *in, int64_t unit, const float *norms) {
    switch (in->kind) {
        case EMBED: embed(m, in, unit); break;
        case ANGLES: turn_position(m, in, unit); break;
        case WORDS: turn_words(m, in); break;
        case NORMALIZE: normalize(m, in, unit, norms[unit]); break;
        case MULTIPLY: multiply_panel(m, in, unit, norms); break;
        case ATTEND: attend_head(m, in, unit); break;
        case ATTEND_SPARSELY: attend_sparsely(m, in, unit); break;
        case SHIFT: shift(m, in, unit, norms); break;
        case WKV6: wkv6_head(m, in, unit); break;
        case WKV7: wkv7_head(m, in, unit); break;
        case SSD: ssd_head(m, in, unit); break;
        case ADD_NORMALIZED: add_normalized(m, in, unit); break;
        case WEIGH_SLOTS: weigh_slots(m, in, unit); break;
        case AVERAGE: average(m, in, unit, norms); break;
    }
}

/* Every thread of the team comes here; they share the work of an instruction and wait where the next one needs all of it. */
static void execute(const machine *m, const instruction *in) {
    float norms[POSITIONS];
    for (int64_t t = 0; t < m->count; t++)
        norms[t] = in->normed ? inverse_norm(place(m, t, in->in), in->columns, in->normed) : 1.0f;
    const int64_t units = in->units ? in->units : m->count;
#pragma omp for schedule(static) nowait
    for (int64_t unit = 0; unit < units; unit++) perform(m, in, unit, norms);
    if (in->wait) {
#pragma omp barrier
    }
}

/* Reads `count` ids from `position` on; `state` becomes the state after them, `logits` (count, vocabulary) what follows each,
 * `ahead` (count, heads, vocabulary) what comes after that, `contexts` (count, some floats) what facts are found by. sizes:
 * instructions, floats of a position's scratch, the logits' place in it, the vocabulary, the place of the heads' logits, heads, the
 * contexts' place and floats. scratch: POSITIONS such rows. */
int run(const instruction *plan, const int64_t *sizes, float *scratch, float *state, const int64_t *ids, int64_t count,
        int64_t position, float *logits, float *ahead, float *contexts, int64_t threads) {
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
            memcpy(contexts + (start + t) * sizes[7], place(&m, t, sizes[6]), (size_t)sizes[7] * sizeof(float));
        }
    }
    return 0;
}
