/* Instructions that do nothing on any core, and that no compiler makes: between them lies what
 * blocks.c counts. Keep the displacements in step with blocks.c. */
#ifdef __aarch64__
#define BEGIN_MARKER "hint #0x70"
#define END_MARKER "hint #0x71"
#else
#define BEGIN_MARKER "nopl 0x53465470(%%rax)"
#define END_MARKER "nopl 0x53465471(%%rax)"
#endif
