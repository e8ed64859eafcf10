/* Runs a built network twice, the second time between the markers of blocks.c:
 *
 *     PROGRAM LIBRARY PREFIX INPUT OUTPUT VALUES...
 *
 * LIBRARY is a shared library with the C interface whose names begin with PREFIX, INPUT a file of
 * float32 values, OUTPUT the file that all results are written to, VALUES of each output. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "markers.h"

typedef int (*create_function)(void **, const void *);
typedef int (*run_function)(void *, const float *, size_t, float *, size_t);

/* Of several outputs `run` takes a struct of these. */
typedef struct {
    float *values;
    size_t count;
} Output;
typedef int (*run_several_function)(void *, const float *, size_t, const Output *);

enum { LINE = 64, MOST_OUTPUTS = 64 };

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

static float *room_for(size_t count) {
    float *values = aligned_alloc(LINE, (count * sizeof *values + LINE - 1) / LINE * LINE);
    if (!values) fail("no memory is left");
    return values;
}

static float *read_values(const char *path, size_t *count) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) fail("cannot open the input");
    *count = (size_t)ftell(file) / sizeof(float);
    rewind(file);
    float *values = room_for(*count);
    if (fread(values, sizeof *values, *count, file) != *count) fail("cannot read the input");
    fclose(file);
    return values;
}

static int infer(void *run, void *network, const float *x, size_t inputs, const Output *outputs,
                 int count) {
    if (count > 1) return ((run_several_function)run)(network, x, inputs, outputs);
    return ((run_function)run)(network, x, inputs, outputs->values, outputs->count);
}

int main(int count, char **words) {
    int output_count = count - 5;
    if (output_count < 1 || output_count > MOST_OUTPUTS)
        fail("expected LIBRARY PREFIX INPUT OUTPUT VALUES...");
    void *library = dlopen(words[1], RTLD_NOW), *network;
    if (!library) fail(dlerror());
    create_function create = (create_function)function(library, words[2], "create");
    void *run = function(library, words[2], "run");
    size_t inputs;
    float *x = read_values(words[3], &inputs);
    Output outputs[MOST_OUTPUTS];
    for (int i = 0; i < output_count; ++i) {
        outputs[i].count = strtoull(words[5 + i], NULL, 10);
        outputs[i].values = room_for(outputs[i].count);
    }
    if (create(&network, NULL)) fail("no instance of the network could be made");
    if (infer(run, network, x, inputs, outputs, output_count)) fail("the network refused its input");
    __asm__ volatile(BEGIN_MARKER ::: "memory");
    int code = infer(run, network, x, inputs, outputs, output_count);
    __asm__ volatile(END_MARKER ::: "memory");
    FILE *file = fopen(words[4], "wb");
    if (code || !file) fail("the output could not be written");
    for (int i = 0; i < output_count; ++i)
        if (fwrite(outputs[i].values, sizeof(float), outputs[i].count, file) != outputs[i].count)
            fail("the output could not be written");
    if (fclose(file)) fail("the output could not be written");
    return 0;
}
