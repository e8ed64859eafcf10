/* QEMU plugin: how often each block of an aarch64 or x86-64 program ran between two marker
 * instructions, and what a two-level data cache would have missed there.
 *
 *     qemu-aarch64 -plugin blocks.so,out=FILE,l1_kib=32,l1_ways=2,l2_kib=1024,l2_ways=16 PROGRAM
 *     qemu-x86_64 -plugin blocks.so,out=FILE,in_flight=448,stores=64 PROGRAM
 *
 * The instructions of markers.h begin and end what is counted; both do nothing on any core. Between
 * them the program has one thread. At the end FILE holds lines of text:
 *
 *     block ADDRESS EXECUTIONS BYTES.BYTES...      of each instruction, in hexadecimal
 *     memory ADDRESS LOADS STORES LINES WAITS      of an instruction that has any
 *     l1_misses N
 *     l2_misses N
 *
 * No FILE is written when no region ended. A block is what QEMU translates at once: instructions
 * in a row that are entered at the first only. An address may be in several blocks. The blocks
 * that hold the markers count as a whole.
 *
 * LOADS have bytes of two lines, STORES bytes of two aligned pieces of 32, LINES of these bytes of
 * two lines, WAITS wait for stores (stores.h), 0 without in_flight, the instructions for which a
 * store is in flight, and stores, how many are at a time. QEMU tells of a vector's bytes in several
 * accesses: those side by side of one instruction, run once, are one.
 *
 * The caches (caches.h) are filled from the program's start on, so a warm-up before the region warms
 * them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caches.h"
#include "qemu_plugin.h"
#include "stores.h"

enum { STORE_SHIFT = 5, VECTOR_BYTES = 32, PATH_BYTES = 4096, LONGEST_MARKER = 7 };

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

/* The two marker instructions of an instruction set, which QEMU calls `name`. */
struct isa {
    const char *name;
    size_t size;
    unsigned char begin[LONGEST_MARKER], end[LONGEST_MARKER];
};

static const struct isa isas[] = {
    {"aarch64", 4, {0x1f, 0x2e, 0x03, 0xd5}, {0x3f, 0x2e, 0x03, 0xd5}},
    {"x86_64", 7, {0x0f, 0x1f, 0x80, 0x70, 0x54, 0x46, 0x53},
     {0x0f, 0x1f, 0x80, 0x71, 0x54, 0x46, 0x53}},
};

struct block {
    struct block *next;
    uint64_t address, executed, executed_before, counted;
    char text[]; /* of its instructions, as in FILE */
};

struct insn {
    struct insn *next;
    const uint64_t *executed; /* of its block */
    uint64_t address, behind; /* of its block's instructions, how many come behind it */
    uint64_t split_loads, split_stores, line_stores, waits;
};

static const struct isa *isa;
static struct block *blocks;
static struct insn *insns;
static struct { /* so far */
    struct insn *by;
    uint64_t number, round, first, last;
    bool stores;
} access;
static struct stores in_flight;
static uint64_t instructions; /* so far, all of the block's among them; with in_flight only */
static struct cache l1 = {.kib = 32, .ways = 2}, l2 = {.kib = 1024, .ways = 16};
static char path[PATH_BYTES];
static int inside;

/* The access so far is whole. */
static void end_access(void) {
    struct insn *by = access.by;
    if (by) {
        bool lines = access.first >> LINE_SHIFT != access.last >> LINE_SHIFT;
        bool pieces = access.first >> STORE_SHIFT != access.last >> STORE_SHIFT;
        by->split_loads += lines && !access.stores;
        by->split_stores += pieces && access.stores;
        by->line_stores += lines && access.stores;
        if (in_flight.latest && access.stores)
            note_store(&in_flight, access.first, access.last, access.number);
        else if (in_flight.latest)
            by->waits += waits(&in_flight, access.first, access.last, access.number);
    }
    access.by = NULL;
}

static void note_access(struct insn *by, uint64_t first, uint64_t last, bool stores) {
    bool goes_on = access.by == by && access.round == *by->executed && access.stores == stores &&
                   access.last + 1 == first;
    if (!goes_on || last - access.first >= VECTOR_BYTES) {
        end_access();
        access.by = by, access.round = *by->executed, access.first = first, access.stores = stores;
        access.number = instructions - by->behind;
    }
    access.last = last;
}

static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *insn) {
    (void)vcpu;
    uint64_t last = address + (UINT64_C(1) << qemu_plugin_mem_size_shift(info)) - 1;
    if (inside) note_access(insn, address, last, qemu_plugin_mem_is_store(info));
    for (uint64_t line = address >> LINE_SHIFT; line <= last >> LINE_SHIFT; line++)
        if (!touch(&l1, line, inside)) touch(&l2, line, inside);
}

static void write_counts(void) {
    FILE *file = fopen(path, "w");
    if (!file) return;
    for (struct block *block = blocks; block; block = block->next) {
        if (!block->counted) continue;
        fprintf(file, "block %" PRIx64 " %" PRIu64 " %s\n", block->address, block->counted,
                block->text);
    }
    for (struct insn *insn = insns; insn; insn = insn->next) {
        if (!insn->split_loads && !insn->split_stores && !insn->waits) continue;
        fprintf(file, "memory %" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                insn->address, insn->split_loads, insn->split_stores, insn->line_stores,
                insn->waits);
    }
    fprintf(file, "l1_misses %" PRIu64 "\nl2_misses %" PRIu64 "\n", l1.misses, l2.misses);
    fclose(file);
}

static void on_begin(unsigned vcpu, void *here) {
    (void)vcpu;
    for (struct block *block = blocks; block; block = block->next)
        block->executed_before = block->executed - (block == here);
    inside = 1;
}

static void on_end(unsigned vcpu, void *unused) {
    (void)vcpu, (void)unused;
    if (!inside) return;
    inside = 0;
    end_access();
    for (struct block *block = blocks; block; block = block->next)
        block->counted += block->executed - block->executed_before;
    write_counts();
}

static int is(const unsigned char *bytes, size_t size, const unsigned char *marker) {
    return size == isa->size && !memcmp(bytes, marker, size);
}

static struct insn *insn_at(uint64_t address, uint64_t behind, const struct block *block) {
    struct insn *insn = calloc(1, sizeof *insn);
    if (!insn) abort();
    insn->address = address;
    insn->behind = behind;
    insn->executed = &block->executed;
    insn->next = insns;
    return insns = insn;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    size_t count = qemu_plugin_tb_n_insns(tb), characters = 0;
    for (size_t i = 0; i < count; i++)
        characters += 2 * qemu_plugin_insn_size(qemu_plugin_tb_get_insn(tb, i)) + 1;
    struct block *block = calloc(1, sizeof *block + characters + 1);
    if (!block) abort();
    block->address = qemu_plugin_tb_vaddr(tb);
    char *text = block->text;
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const unsigned char *bytes = qemu_plugin_insn_data(insn);
        size_t size = qemu_plugin_insn_size(insn);
        if (i) *text++ = '.';
        for (size_t at = 0; at < size; at++) text += sprintf(text, "%02x", bytes[at]);
        if (is(bytes, size, isa->begin))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_begin, QEMU_PLUGIN_CB_NO_REGS, block);
        if (is(bytes, size, isa->end))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_end, QEMU_PLUGIN_CB_NO_REGS, block);
        qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_RW,
                                         insn_at(qemu_plugin_insn_vaddr(insn), count - i - 1,
                                                 block));
    }
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &block->executed, 1);
    if (in_flight.latest)
        qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &instructions,
                                                 count);
}

static int option(const char *word) {
    struct { const char *name; uint64_t *value; } numbers[] = {
        {"l1_kib=", &l1.kib}, {"l1_ways=", &l1.ways}, {"l2_kib=", &l2.kib}, {"l2_ways=", &l2.ways},
        {"in_flight=", &in_flight.window}, {"stores=", &in_flight.held},
    };
    if (!strncmp(word, "out=", 4))
        return snprintf(path, sizeof path, "%s", word + 4) < (int)sizeof path;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        size_t length = strlen(numbers[i].name);
        if (!strncmp(word, numbers[i].name, length))
            return (*numbers[i].value = strtoull(word + length, NULL, 10)) > 0;
    }
    return 0;
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
                                                               const qemu_info_t *info, int count,
                                                               char **words) {
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++)
        if (!strcmp(isas[i].name, info->target_name)) isa = &isas[i];
    if (!isa) {
        fprintf(stderr, "blocks: no markers for %s\n", info->target_name);
        return 1;
    }
    for (int i = 0; i < count; i++)
        if (!option(words[i])) {
            fprintf(stderr, "blocks: unusable option %s\n", words[i]);
            return 1;
        }
    if (!in_flight.window != !in_flight.held) {
        fprintf(stderr, "blocks: in_flight and stores go together\n");
        return 1;
    }
    if (in_flight.held) make_stores(&in_flight);
    make(&l1);
    make(&l2);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
