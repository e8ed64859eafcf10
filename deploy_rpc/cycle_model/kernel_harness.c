/* Runs one kernel twice, the second time between the markers of blocks.c:
 *
 *     PROGRAM COUNT...                the float32 values in each buffer of `kernel`, in its order
 *     PROGRAM answer FILE COUNT...    calls it once instead, with the values in FILE, those of all
 *                                     buffers one behind the other (the last ones may be missing),
 *                                     and leaves there what the buffers hold then
 *     PROGRAM time NS COUNT...        calls it for NS nanoseconds and a bit instead, and prints those
 *                                     of one call in the fastest batch of calls
 *
 * `kernel` is what TVM makes of a PrimFunc over raw pointers. It is called with `MAX_BUFFERS`
 * arguments; AArch64 and x86-64 let a C function ignore those that it does not have.
 *
 * All memory is part of the program, so that addresses, and with them cache misses, are the same
 * whenever and wherever it runs. */
#define _POSIX_C_SOURCE 199309L /* clock_gettime */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "markers.h"

enum { MAX_BUFFERS = 8, ALIGNMENT = 64, MEMORY_BYTES = 1 << 30, DEPTH = 64 };
enum { BATCH_NS = 20000 };

int32_t kernel(float *, float *, float *, float *, float *, float *, float *, float *);

/* A stack of allocations: the buffers first, then the workspaces, given back in reverse order. */
static _Alignas(ALIGNMENT) unsigned char memory[MEMORY_BYTES];
static size_t used[DEPTH];
static int depth;

static void *take(uint64_t bytes) {
    size_t begin = used[depth];
    if (bytes > MEMORY_BYTES - begin - ALIGNMENT || depth + 1 == DEPTH) return NULL;
    used[++depth] = begin + (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return memory + begin;
}

/* What TVM's generated code asks of its runtime. */
static void *allocate(int device, int id, uint64_t bytes, int code, int bits) {
    (void)device, (void)id, (void)code, (void)bits;
    return take(bytes);
}

static int release(int device, int id, void *pointer) {
    (void)device, (void)id, (void)pointer;
    depth--;
    return 0;
}

void *(*__TVMBackendAllocWorkspace)(int, int, uint64_t, int, int) = allocate;
int (*__TVMBackendFreeWorkspace)(int, int, void *) = release;

void TVMFFIErrorSetRaisedFromCStrParts(const char *kind, const char **parts, int32_t count) {
    fprintf(stderr, "%s: ", kind);
    for (int32_t i = 0; i < count; i++) fputs(parts[i], stderr);
    fputc('\n', stderr);
}

static float *buffer_of(size_t count) {
    static uint32_t state = 1;
    float *values = take(count * sizeof(float));
    for (size_t i = 0; values && i < count; i++) {
        state = state * 1664525u + 1013904223u; /* Numerical Recipes' generator */
        values[i] = (float)(int32_t)(state >> 16) / 65536.0f - 0.5f;
    }
    return values;
}

/* Fills the `count` buffers of `sizes` from `path`, calls the kernel, and writes them back. */
static int answer(float **b, const size_t *sizes, int count, const char *path) {
    FILE *file = fopen(path, "r+b");
    if (!file) return 2;
    for (int i = 0; i < count; i++)
        if (fread(b[i], sizeof(float), sizes[i], file) < sizes[i]) break;
    int code = kernel(b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]);
    rewind(file);
    for (int i = 0; i < count; i++)
        if (fwrite(b[i], sizeof(float), sizes[i], file) < sizes[i]) code = 2;
    return fclose(file) ? 2 : code;
}

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

/* Batches of twice as many calls until one is long enough for the clock, then more like that. Short
 * ones, as what else runs on the core lengthens some and leaves others alone. */
static int time_calls(float **b, double enough_ns) {
    double start = now_ns(), best = 0;
    for (uint64_t calls = 1; now_ns() - start < enough_ns;) {
        double begin = now_ns();
        for (uint64_t i = 0; i < calls; i++)
            if (kernel(b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7])) return 1;
        double spent = now_ns() - begin, of_one = spent / (double)calls;
        if (!best || of_one < best) best = of_one;
        if (spent < BATCH_NS) calls *= 2;
    }
    printf("%.3f\n", best);
    return 0;
}

int main(int count, char **words) {
    float *b[MAX_BUFFERS] = {0};
    size_t sizes[MAX_BUFFERS] = {0};
    int times = count > 2 && !strcmp(words[1], "time");
    int answers = count > 2 && !strcmp(words[1], "answer");
    int first = times || answers ? 3 : 1;
    if (count - first > MAX_BUFFERS) return 2;
    for (int i = first; i < count; i++) {
        sizes[i - first] = strtoull(words[i], NULL, 10);
        if (!(b[i - first] = buffer_of(sizes[i - first]))) {
            fprintf(stderr, "buffers of more than %d bytes\n", MEMORY_BYTES);
            return 2;
        }
    }
    if (answers) return answer(b, sizes, count - first, words[2]);
    if (kernel(b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7])) return 1;
    if (times) return time_calls(b, strtod(words[2], NULL));
    __asm__ volatile(BEGIN_MARKER : : : "memory");
    int32_t code = kernel(b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]);
    __asm__ volatile(END_MARKER : : : "memory");
    return code != 0;
}
