/* Loads that wait for stores in flight: a load of bytes that the last store to any of them has only
 * some of cannot be forwarded, so it waits until that store is in the cache.
 *
 * A store is in flight for the next `window` instructions, a reorder buffer's, unless more than
 * `held` came behind it. Loads that wait for the same stores wait once, all of them together. */
#ifndef STORES_H
#define STORES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct stores {
    uint64_t window, held;
    struct { uint64_t first, last, instruction; } *latest; /* `held` of them, in turns */
    uint64_t count, waited_for; /* of all stores so far, the earliest ones */
};

/* With `window` and `held` set. */
static void make_stores(struct stores *s) {
    s->latest = calloc(s->held, sizeof *s->latest);
    if (!s->latest) abort();
}

/* Of the bytes from `first` to `last`, by the instruction of that number. */
static void note_store(struct stores *s, uint64_t first, uint64_t last, uint64_t instruction) {
    uint64_t at = s->count++ % s->held;
    s->latest[at].first = first, s->latest[at].last = last, s->latest[at].instruction = instruction;
}

/* Whether a load waits as no load before it did. */
static bool waits(struct stores *s, uint64_t first, uint64_t last, uint64_t instruction) {
    for (uint64_t n = s->count; n > s->waited_for && n + s->held > s->count; n--) {
        uint64_t at = (n - 1) % s->held;
        if (instruction - s->latest[at].instruction > s->window) return false;
        if (last < s->latest[at].first || first > s->latest[at].last) continue;
        if (s->latest[at].first <= first && last <= s->latest[at].last) return false;
        s->waited_for = s->count;
        return true;
    }
    return false;
}

#endif
