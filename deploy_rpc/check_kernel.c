/* The kernel that doctor.py has a board run: main(x, y) makes each y twice x and one. */
#include <stdint.h>
#include <tvm/ffi/c_api.h>

static DLTensor *tensor(const TVMFFIAny *value) {
  if (value->type_index == kTVMFFIDLTensorPtr) return value->v_ptr;
  return (DLTensor *)((char *)value->v_obj + sizeof(TVMFFIObject));
}

__attribute__((visibility("default"))) int __tvm_ffi_main(void *self, const TVMFFIAny *arguments,
                                                          int32_t count, TVMFFIAny *result) {
  (void)self, (void)result;
  if (count != 2) return -1;
  const DLTensor *x = tensor(&arguments[0]), *y = tensor(&arguments[1]);
  const float *from = (const float *)((const char *)x->data + x->byte_offset);
  float *to = (float *)((char *)y->data + y->byte_offset);
  for (int64_t i = 0; i < x->shape[0]; ++i) to[i] = 2 * from[i] + 1;
  return 0;
}
