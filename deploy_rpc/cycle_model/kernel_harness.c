/* Runs one kernel twice, the second time between the markers of blocks.c:
 *
 *     PROGRAM COUNT...        the float32 values in each buffer of `kernel`, in its order
 *
 * `kernel` is what TVM makes of a PrimFunc over raw pointers. It is called with as many arguments
 * as there are registers for them; AArch64 lets a function ignore those that it does not have.
 *
 * All memory is part of the program, so that addresses, and with them cache misses, are the same
 * whenever and wherever it runs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_BUFFERS = 8, ALIGNMENT = 64, MEMORY_BYTES = 1 << 30, DEPTH = 64 };

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

int main(int count, char **words) {
    float *b[MAX_BUFFERS] = {0};
    if (count - 1 > MAX_BUFFERS) return 2;
    for (int i = 1; i < count; i++)
        if (!(b[i - 1] = buffer_of(strtoull(words[i], NULL, 10)))) {
            fprintf(stderr, "buffers of more than %d bytes\n", MEMORY_BYTES);
            return 2;
        }
    if (kernel(b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7])) return 1;
    __asm__ volatile("hint #0x70" ::: "memory");
    int32_t code = kernel(b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]);
    __asm__ volatile("hint #0x71" ::: "memory");
    return code != 0;
}
