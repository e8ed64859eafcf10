/* Data caches as blocks.c simulates them: of 64-byte lines, least recently used out first. They
 * allocate on stores, too. */
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SHIFT = 6 };

struct cache {
    uint64_t kib, ways, misses;
    uint64_t sets, *lines; /* sets x ways, the most recently used way first; 0 is an empty one */
};

/* Makes the sets of a cache of so many KiB and ways, all empty. */
static inline void make(struct cache *cache) {
    cache->sets = (cache->kib * 1024 >> LINE_SHIFT) / cache->ways;
    cache->lines = calloc(cache->sets * cache->ways, sizeof *cache->lines);
    if (!cache->lines) abort();
}

/* Whether `line` was in the cache; it is the most recently used one afterwards. What misses is
 * `counted`, or not. */
static inline int touch(struct cache *cache, uint64_t line, int counted) {
    uint64_t *set = cache->lines + line % cache->sets * cache->ways;
    uint64_t way = 0, tag = line + 1;
    while (way < cache->ways && set[way] != tag) way++;
    int hit = way < cache->ways;
    memmove(set + 1, set, (hit ? way : cache->ways - 1) * sizeof *set);
    set[0] = tag;
    if (!hit && counted) cache->misses++;
    return hit;
}
