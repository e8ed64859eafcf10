/* The same library as a TVM module: `main(input, output, ...)`, each output a tensor of its own, on
 * float32 tensors in the CPU's memory.
 *
 * TVM finds the function by its name and fills in the pointer to its error function; nothing of TVM
 * is linked. The layouts are those of TVM FFI 0.1 (c_api.h) and DLPack 1 (dlpack.h). The one
 * instance behind it is created with the first call and destroyed with the library; a forked child
 * gets one of its own, also where another thread was inside `main` when it was forked.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#include "network.h"
#include "process.h"

enum { TENSOR_POINTER = 7, TENSOR_OBJECT = 70, OBJECT_BYTES = 24, CPU = 1, FLOAT = 2 };

typedef struct {
  int32_t type;
  uint32_t padding;
  union {
    int64_t integer; /* as wide as TVM's union on 32-bit machines, too */
    void *pointer;
  } value;
} Any;

typedef struct {
  void *data;
  struct { int32_t type, id; } device;
  int32_t dimensions;
  struct { uint8_t code, bits; uint16_t lanes; } type;
  int64_t *shape, *strides;
  uint64_t byte_offset;
} Tensor;

__attribute__((visibility("default"))) void (*__TVMFFIErrorSetRaisedFromCStr)(const char *kind,
                                                                             const char *message);

static Network *instance;
static pid_t owner; /* the process that created it: a child may run its parent's only from Linux
                     * 4.14 on (process.h), and leaves it where it is on every kernel */
static pthread_mutex_t *mutex; /* in process_memory; all zeros is free, in every libc on Linux */

__attribute__((constructor)) static void load(void) { mutex = process_memory(sizeof *mutex); }

static int fail(const char *kind, const char *message) {
  if (__TVMFFIErrorSetRaisedFromCStr != NULL) __TVMFFIErrorSetRaisedFromCStr(kind, message);
  return -1;
}

static const Tensor *tensor_of(const Any *argument) {
  if (argument->type == TENSOR_POINTER) return argument->value.pointer;
  if (argument->type != TENSOR_OBJECT) return NULL;
  return (const Tensor *)((const char *)argument->value.pointer + OBJECT_BYTES);
}

/* How many values lie there without gaps; 0 where they are no floats of the CPU's, or have gaps. */
static size_t values_of(const Tensor *tensor) {
  if (tensor == NULL || tensor->device.type != CPU) return 0;
  if (tensor->type.code != FLOAT || tensor->type.bits != 32 || tensor->type.lanes != 1) return 0;
  size_t values = 1;
  for (int32_t axis = tensor->dimensions; axis-- > 0;) {
    if (tensor->strides != NULL && tensor->shape[axis] != 1 &&
        (size_t)tensor->strides[axis] != values)
      return 0;
    values *= (size_t)tensor->shape[axis];
  }
  return values;
}

static float *data_of(const Tensor *tensor) {
  return (float *)((char *)tensor->data + tensor->byte_offset);
}

static int run(const Tensor *input, const Output *outputs) {
  int status = STATUS(OK);
  if (instance == NULL || owner != getpid()) {
    status = FUNCTION(create)(&instance, NULL);
    owner = getpid();
  }
  if (status != STATUS(OK)) return fail("RuntimeError", FUNCTION(status_text)(status));
#if OUTPUTS == 1
  status = FUNCTION(run)(instance, data_of(input), values_of(input), outputs[0].values,
                         outputs[0].count);
#else
  status = FUNCTION(run)(instance, data_of(input), values_of(input), (const Outputs *)outputs);
#endif
  return status == STATUS(OK) ? 0 : fail("ValueError", FUNCTION(last_error)(instance));
}

__attribute__((visibility("default"))) int __tvm_ffi_main(void *self, const Any *arguments,
                                                          int32_t count, Any *result) {
  (void)self;
  Output outputs[OUTPUTS];
  const Tensor *input = count == 1 + OUTPUTS ? tensor_of(&arguments[0]) : NULL;
  int compact = values_of(input) != 0;
  for (int i = 0; i < OUTPUTS && compact; ++i) {
    const Tensor *output = tensor_of(&arguments[1 + i]);
    compact = values_of(output) != 0;
    if (compact) outputs[i] = (Output){data_of(output), values_of(output)};
  }
  if (!compact)
    return fail("TypeError",
                "expected an input and every output: compact float32 tensors in CPU memory");
  if (mutex == NULL) return fail("RuntimeError", FUNCTION(status_text)(STATUS(NO_MEMORY)));
  pthread_mutex_lock(mutex);
  int status = run(input, outputs);
  pthread_mutex_unlock(mutex);
  result->type = 0;
  result->padding = 0;
  result->value.integer = 0;
  return status;
}

/* Where a thread is still inside a run while the process ends, its instance is left to it. The
 * mutex stays mapped and locked: whoever comes later waits for the end of the process. */
__attribute__((destructor)) static void unload(void) {
  if (mutex == NULL || pthread_mutex_trylock(mutex) != 0) return;
  if (owner == getpid()) FUNCTION(destroy)(instance);
}
