/* The markers of blocks.c as functions, for programs that are not C. */
__attribute__((visibility("default"))) void mark_begin(void) {
    __asm__ volatile("hint #0x70" ::: "memory");
}

__attribute__((visibility("default"))) void mark_end(void) {
    __asm__ volatile("hint #0x71" ::: "memory");
}
