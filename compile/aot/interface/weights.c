/* The packed weights, read-only and aligned to lines, straight from a file beside this one. */
#include "network.h"

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

__asm__(
    ".section .rodata\n"
    ".balign 64\n"
    ".hidden " TEXT(FUNCTION(weights)) "\n"
    ".globl " TEXT(FUNCTION(weights)) "\n"
    TEXT(FUNCTION(weights)) ":\n"
    ".incbin \"weights.bin\"\n"
    ".byte 0\n" /* a network without weights has a symbol, too */
    ".balign 64\n"
    ".text\n");
