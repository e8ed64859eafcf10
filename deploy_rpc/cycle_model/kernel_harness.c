/* Runs one kernel twice, the second time between the markers of blocks.c:
 *
 *     PROGRAM COUNT...        the float32 values in each buffer of `kernel`, in its order
 *
 * `kernel` is what TVM makes of a PrimFunc over raw pointers. It is called with as many arguments
 * as there are registers for them; AArch64 lets a function ignore those that it does not have. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_BUFFERS = 8, ALIGNMENT = 64, WORKSPACE_BYTES = 1 << 26, DEPTH = 64 };

int32_t kernel(float *, float *, float *, float *, float *, float *, float *, float *);

/* What TVM's generated code asks of its runtime: workspaces, given back in reverse order. */
static _Alignas(ALIGNMENT) unsigned char workspace[WORKSPACE_BYTES];
static size_t used[DEPTH];
static int depth;

static void *allocate(int device, int id, uint64_t bytes, int code, int bits) {
    (void)device, (void)id, (void)code, (void)bits;
    size_t begin = used[depth], end = begin + (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (end > WORKSPACE_BYTES || depth + 1 == DEPTH) return NULL;
    used[++depth] = end;
    return workspace + begin;
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
    float *values = aligned_alloc(ALIGNMENT, (count * sizeof(float) / ALIGNMENT + 1) * ALIGNMENT);
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
        if (!(b[i - 1] = buffer_of(strtoull(words[i], NULL, 10)))) return 2;
    if (kernel(b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7])) return 1;
    __asm__ volatile("hint #0x70" ::: "memory");
    int32_t code = kernel(b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]);
    __asm__ volatile("hint #0x71" ::: "memory");
    return code != 0;
}
