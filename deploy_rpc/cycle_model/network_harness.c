/* Runs a built network twice, the second time between the markers of blocks.c:
 *
 *     PROGRAM LIBRARY PREFIX INPUT OUTPUT VALUES
 *
 * LIBRARY is a shared library with the C interface whose names begin with PREFIX, INPUT a file of
 * float32 values, OUTPUT the file that the VALUES results are written to. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

typedef int (*create_function)(void **, const void *);
typedef int (*run_function)(void *, const float *, size_t, float *, size_t);

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void *function(void *library, const char *prefix, const char *name) {
    char symbol[512];
    snprintf(symbol, sizeof symbol, "%s_%s", prefix, name);
    void *found = dlsym(library, symbol);
    if (!found) fail(dlerror());
    return found;
}

static float *read_values(const char *path, size_t *count) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) fail("cannot open the input");
    *count = (size_t)ftell(file) / sizeof(float);
    rewind(file);
    float *values = aligned_alloc(64, (*count * sizeof *values + 63) / 64 * 64);
    if (!values || fread(values, sizeof *values, *count, file) != *count) fail("cannot read the input");
    fclose(file);
    return values;
}

int main(int count, char **words) {
    if (count != 6) fail("expected LIBRARY PREFIX INPUT OUTPUT VALUES");
    void *library = dlopen(words[1], RTLD_NOW), *network;
    if (!library) fail(dlerror());
    create_function create = (create_function)function(library, words[2], "create");
    run_function run = (run_function)function(library, words[2], "run");
    size_t inputs, outputs = strtoull(words[5], NULL, 10);
    float *x = read_values(words[3], &inputs);
    float *y = aligned_alloc(64, (outputs * sizeof *y + 63) / 64 * 64);
    if (!y || create(&network, NULL)) fail("no instance of the network could be made");
    if (run(network, x, inputs, y, outputs)) fail("the network refused its input");
    __asm__ volatile("hint #0x70" ::: "memory");
    int code = run(network, x, inputs, y, outputs);
    __asm__ volatile("hint #0x71" ::: "memory");
    FILE *file = fopen(words[4], "wb");
    if (code || !file || fwrite(y, sizeof *y, outputs, file) != outputs || fclose(file))
        fail("the output could not be written");
    return 0;
}
