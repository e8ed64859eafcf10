/* What a session offers to its client, by the C API of tvm_ffi and the runtime's own server loop. */
#pragma once
#include <stdbool.h>

/* Ends the program where the runtime lacks what a session needs. */
void check_runtime(void);

/* Serves the client at `connection` from the current folder until it leaves; false on an error. */
bool serve_functions(int connection);
