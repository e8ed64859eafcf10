/* Loads that wait for stores in flight: a load of bytes that the last store to any of them has only
 * some of cannot be forwarded, so it waits until that store is in the cache.
 *
 * A store is in flight for the next `window` instructions, a reorder buffer's. Loads that wait
 * for the same stores wait once, all of them together. */
#ifndef STORES_H
#define STORES_H

#include <stdbool.h>
#include <stdint.h>

enum { STORES_IN_FLIGHT = 64 };

struct stores {
    struct { uint64_t first, last, instruction; } latest[STORES_IN_FLIGHT]; /* in turns */
    uint64_t count, waited_for; /* of them, the earliest ones */
    uint64_t window;
};

/* Of the bytes from `first` to `last`, by the instruction of that number. */
static void note_store(struct stores *s, uint64_t first, uint64_t last, uint64_t instruction) {
    unsigned at = s->count++ % STORES_IN_FLIGHT;
    s->latest[at].first = first, s->latest[at].last = last, s->latest[at].instruction = instruction;
}

/* Whether a load waits as no load before it did. */
static bool waits(struct stores *s, uint64_t first, uint64_t last, uint64_t instruction) {
    for (uint64_t n = s->count; n > s->waited_for && n + STORES_IN_FLIGHT > s->count; n--) {
        unsigned at = (n - 1) % STORES_IN_FLIGHT;
        if (instruction - s->latest[at].instruction > s->window) return false;
        if (last < s->latest[at].first || first > s->latest[at].last) continue;
        if (s->latest[at].first <= first && last <= s->latest[at].last) return false;
        s->waited_for = s->count;
        return true;
    }
    return false;
}

#endif
