#define _GNU_SOURCE
#include "offered.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tvm/ffi/c_api.h>

#if defined(__aarch64__)
#define ISA "aarch64"
#elif defined(__arm__)
#define ISA "arm"
#elif defined(__x86_64__)
#define ISA "x86_64"
#else
#error "no name for this architecture; add it here and to MACHINES in elf.py"
#endif

static TVMFFIByteArray bytes_of(const char *text) {
  TVMFFIByteArray bytes = {text, strlen(text)};
  return bytes;
}

static bool is_plain_name(TVMFFIByteArray name) {
  if (name.size == 0 || name.size > NAME_MAX) return false;
  if (memchr(name.data, '/', name.size) || memchr(name.data, '\0', name.size)) return false;
  bool dots = name.data[0] == '.' && (name.size == 1 || (name.size == 2 && name.data[1] == '.'));
  return !dots;
}

static bool string_argument(const TVMFFIAny *value, TVMFFIByteArray *text) {
  switch (value->type_index) {
    case kTVMFFIRawStr:
      *text = bytes_of(value->v_c_str);
      return true;
    case kTVMFFISmallStr:
      text->data = value->v_bytes;
      text->size = value->small_str_len;
      return true;
    case kTVMFFIStr:
      *text = *(const TVMFFIByteArray *)((const char *)value->v_obj + sizeof(TVMFFIObject));
      return true;
    default:
      return false;
  }
}

/* The path in the work folder, where the process is, that the only argument names; -1 with a TVM
 * error if it names none. */
static int path_argument(const TVMFFIAny *arguments, int32_t count, char path[PATH_MAX]) {
  TVMFFIByteArray name;
  if (count != 1 || !string_argument(&arguments[0], &name)) {
    TVMFFIErrorSetRaisedFromCStr("TypeError", "expected one argument, the name of a file");
    return -1;
  }
  if (!is_plain_name(name)) {
    TVMFFIErrorSetRaisedFromCStr(
        "ValueError", "expected a plain file name: no folders, no `..`, at most 255 bytes");
    return -1;
  }
  snprintf(path, PATH_MAX, "./%.*s", (int)name.size, name.data);
  return 0;
}

/* tvm.rpc.server.workpath(name): where uploads, downloads and removals take place. */
static int work_path(void *self, const TVMFFIAny *arguments, int32_t count, TVMFFIAny *result) {
  (void)self;
  char path[PATH_MAX];
  if (path_argument(arguments, count, path) != 0) return -1;
  TVMFFIByteArray bytes = bytes_of(path);
  return TVMFFIStringFromByteArray(&bytes, result);
}

/* tvm.rpc.server.load_module(name): a library that was uploaded, as a module. */
static int load_module(void *self, const TVMFFIAny *arguments, int32_t count, TVMFFIAny *result) {
  (void)self;
  char path[PATH_MAX];
  if (path_argument(arguments, count, path) != 0) return -1;
  TVMFFIByteArray name = bytes_of("ffi.ModuleLoadFromFile");
  TVMFFIObjectHandle load;
  if (TVMFFIFunctionGetGlobal(&name, &load) != 0) return -1;
  TVMFFIAny argument = {.type_index = kTVMFFIRawStr, .v_c_str = path};
  int status = TVMFFIFunctionCall(load, &argument, 1, result);
  TVMFFIObjectDecRef(load);
  return status;
}

/* shufflenet.board_isa(): what this board runs, as elf.py names it. */
static int board_isa(void *self, const TVMFFIAny *arguments, int32_t count, TVMFFIAny *result) {
  (void)self, (void)arguments, (void)count;
  TVMFFIByteArray bytes = bytes_of(ISA);
  return TVMFFIStringFromByteArray(&bytes, result);
}

/* shufflenet.emulator(): what this board runs under, as the program says that started it there; ""
 * for a board. Its times are the emulator's. */
static int emulator(void *self, const TVMFFIAny *arguments, int32_t count, TVMFFIAny *result) {
  (void)self, (void)arguments, (void)count;
  const char *name = getenv("SHUFFLENET_EMULATOR");
  TVMFFIByteArray bytes = bytes_of(name ? name : "");
  return TVMFFIStringFromByteArray(&bytes, result);
}

/* shufflenet.board_file(name): the first line of a file that tells of the board's state. */
static int board_file(void *self, const TVMFFIAny *arguments, int32_t count, TVMFFIAny *result) {
  static const struct { const char *name, *path; } files[] = {
      {"governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"},
      {"frequency", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"},
      {"temperature", "/sys/class/thermal/thermal_zone0/temp"},
      {"load", "/proc/loadavg"},
  };
  (void)self;
  TVMFFIByteArray name;
  char line[128] = "";
  if (count != 1 || !string_argument(&arguments[0], &name)) {
    TVMFFIErrorSetRaisedFromCStr("TypeError", "expected one argument, a name");
    return -1;
  }
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
    if (strlen(files[i].name) != name.size || memcmp(files[i].name, name.data, name.size)) continue;
    FILE *file = fopen(files[i].path, "r");
    if (file == NULL) continue;
    if (fgets(line, sizeof line, file) == NULL) line[0] = '\0';
    fclose(file);
  }
  line[strcspn(line, "\n")] = '\0';
  TVMFFIByteArray bytes = bytes_of(line);
  return TVMFFIStringFromByteArray(&bytes, result);
}

static void offer(const char *name, TVMFFISafeCallType function) {
  TVMFFIByteArray bytes = bytes_of(name);
  TVMFFIObjectHandle handle;
  if (TVMFFIFunctionCreate(NULL, function, NULL, &handle) != 0 ||
      TVMFFIFunctionSetGlobal(&bytes, handle, 1) != 0) {
    fprintf(stderr, "agent: the runtime refused the function %s\n", name);
    exit(1);
  }
  TVMFFIObjectDecRef(handle);
}

/* The runtime's own loop; ends the program where there is none. */
static TVMFFIObjectHandle server_loop(void) {
  TVMFFIByteArray name = bytes_of("rpc.ServerLoop");
  TVMFFIObjectHandle loop = NULL;
  if (TVMFFIFunctionGetGlobal(&name, &loop) != 0 || loop == NULL) {
    fprintf(stderr, "agent: no rpc.ServerLoop: libtvm_runtime.so beside me is missing or too old\n");
    exit(1);
  }
  return loop;
}

void check_runtime(void) { TVMFFIObjectDecRef(server_loop()); }

bool serve_functions(int connection) {
  offer("tvm.rpc.server.workpath", work_path);
  offer("tvm.rpc.server.load_module", load_module);
  offer("shufflenet.board_isa", board_isa);
  offer("shufflenet.board_file", board_file);
  offer("shufflenet.emulator", emulator);
  TVMFFIAny argument = {.type_index = kTVMFFIInt, .v_int64 = connection};
  TVMFFIAny result = {.type_index = kTVMFFINone};
  return TVMFFIFunctionCall(server_loop(), &argument, 1, &result) == 0;
}
