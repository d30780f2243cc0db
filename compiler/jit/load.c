/* All sections of all objects go into one mapping, behind each object a table of what it takes from outside: an address
 * and a jump there an entry. Places are filled in as the ELF supplements of the machines say; the names of relocations
 * are theirs. */
#include "compiler/jit/load.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ENTRY_BYTES = 24 }; /* an address, then a jump to it */

typedef struct {
    const char *bytes, *names;
    const Elf64_Ehdr *head;
    const Elf64_Shdr *sections;
    const Elf64_Sym *symbols;
    size_t nsymbols;
    size_t *at; /* of each section in the mapping */
    size_t table;
    char *base; /* the mapping */
} Object;

static size_t align_up(size_t at, size_t to) { return to > 1 ? (at + to - 1) / to * to : at; }

/* ---- laying out ---- */

static Object open_object(const LoadObject *o) {
    Object x = {.bytes = o->bytes, .head = (const Elf64_Ehdr *)o->bytes};
    if (o->size < sizeof *x.head || memcmp(x.head->e_ident, ELFMAG, SELFMAG) != 0) bug("no ELF object");
    x.sections = (const Elf64_Shdr *)(x.bytes + x.head->e_shoff);
    x.at = xcalloc(x.head->e_shnum, sizeof *x.at);
    for (int i = 0; i < x.head->e_shnum; i++) {
        const Elf64_Shdr *s = &x.sections[i];
        if (s->sh_type != SHT_SYMTAB) continue;
        x.symbols = (const Elf64_Sym *)(x.bytes + s->sh_offset);
        x.nsymbols = s->sh_size / sizeof *x.symbols;
        x.names = x.bytes + x.sections[s->sh_link].sh_offset;
    }
    return x;
}

/* Gives the sections their places from `end` on; where they end. */
static size_t lay_out(Object *x, size_t end) {
    for (int i = 0; i < x->head->e_shnum; i++) {
        const Elf64_Shdr *s = &x->sections[i];
        if (!(s->sh_flags & SHF_ALLOC)) continue;
        x->at[i] = align_up(end, s->sh_addralign);
        end = x->at[i] + s->sh_size;
    }
    x->table = align_up(end, 16);
    return align_up(x->table + x->nsymbols * ENTRY_BYTES, 64);
}

/* ---- symbols ---- */

static bool outside(const Elf64_Sym *s) { return s->st_shndx == SHN_UNDEF; }

static uint64_t address_outside(const Object *x, const Elf64_Sym *s) {
    const char *name = x->names + s->st_name;
    void *found = dlsym(RTLD_DEFAULT, name);
    if (!found) bug("compiled code needs '%s', which this program has not", name);
    return (uint64_t)(uintptr_t)found;
}

static uint64_t address(const Object *x, const Elf64_Sym *s) {
    if (outside(s)) return address_outside(x, s);
    return (uint64_t)(uintptr_t)x->base + x->at[s->st_shndx] + s->st_value;
}

/* A symbol's entry in the table. */
static char *entry(const Object *x, const Elf64_Sym *s) {
    return x->base + x->table + (size_t)(s - x->symbols) * ENTRY_BYTES;
}

static uint64_t jump_to(const Object *x, const Elf64_Sym *s) {
    return outside(s) ? (uint64_t)(uintptr_t)(entry(x, s) + 8) : address(x, s);
}

static void fill_entry(const Object *x, const Elf64_Sym *s) {
    static const unsigned char x86[] = {0xff, 0x25, 0xf2, 0xff, 0xff, 0xff}; /* jmp *-14(%rip) */
    static const uint32_t arm[] = {0x58ffffd0 /* ldr x16, .-8 */, 0xd61f0200 /* br x16 */};
    uint64_t to = address(x, s);
    memcpy(entry(x, s), &to, sizeof to);
    if (x->head->e_machine == EM_X86_64)
        memcpy(entry(x, s) + 8, x86, sizeof x86);
    else
        memcpy(entry(x, s) + 8, arm, sizeof arm);
}

/* ---- relocations ---- */

static void put32(char *at, int64_t v) {
    if (v != (int32_t)v) bug("compiled code reaches too far");
    int32_t narrow = (int32_t)v;
    memcpy(at, &narrow, sizeof narrow);
}

static bool relocate_x86(const Object *x, const Elf64_Sym *s, uint32_t type, int64_t addend, char *at) {
    int64_t here = (int64_t)(intptr_t)at, whole = (int64_t)address(x, s) + addend;
    switch (type) {
    case R_X86_64_64: memcpy(at, &whole, sizeof whole); return true;
    case R_X86_64_PC32: put32(at, whole - here); return true;
    case R_X86_64_PLT32: put32(at, (int64_t)jump_to(x, s) + addend - here); return true;
    case R_X86_64_GOTPCREL:
    case R_X86_64_GOTPCRELX:
    case R_X86_64_REX_GOTPCRELX: put32(at, (int64_t)(intptr_t)entry(x, s) + addend - here); return true;
    default: return false;
    }
}

/* `bits` of v into an instruction, from bit `shift` on. */
static void put_bits(char *at, uint64_t v, int bits, int shift) {
    uint32_t code, mask = ((UINT32_C(1) << bits) - 1) << shift;
    memcpy(&code, at, sizeof code);
    code = (code & ~mask) | ((uint32_t)(v << shift) & mask);
    memcpy(at, &code, sizeof code);
}

static void put_page(char *at, uint64_t to) {
    uint64_t pages = (to >> 12) - ((uint64_t)(uintptr_t)at >> 12);
    put_bits(at, pages, 2, 29);
    put_bits(at, pages >> 2, 19, 5);
}

static bool relocate_arm(const Object *x, const Elf64_Sym *s, uint32_t type, int64_t addend, char *at) {
    uint64_t whole = address(x, s) + (uint64_t)addend, here = (uint64_t)(uintptr_t)at;
    uint64_t through = (uint64_t)(uintptr_t)entry(x, s);
    switch (type) {
    case R_AARCH64_ABS64: memcpy(at, &whole, sizeof whole); return true;
    case R_AARCH64_PREL32: put32(at, (int64_t)(whole - here)); return true;
    case R_AARCH64_CALL26:
    case R_AARCH64_JUMP26: put_bits(at, (jump_to(x, s) + (uint64_t)addend - here) >> 2, 26, 0); return true;
    case R_AARCH64_ADR_PREL_PG_HI21: put_page(at, whole); return true;
    case R_AARCH64_ADD_ABS_LO12_NC:
    case R_AARCH64_LDST8_ABS_LO12_NC: put_bits(at, whole, 12, 10); return true;
    case R_AARCH64_LDST16_ABS_LO12_NC: put_bits(at, (whole & 0xfff) >> 1, 12, 10); return true;
    case R_AARCH64_LDST32_ABS_LO12_NC: put_bits(at, (whole & 0xfff) >> 2, 12, 10); return true;
    case R_AARCH64_LDST64_ABS_LO12_NC: put_bits(at, (whole & 0xfff) >> 3, 12, 10); return true;
    case R_AARCH64_LDST128_ABS_LO12_NC: put_bits(at, (whole & 0xfff) >> 4, 12, 10); return true;
    case R_AARCH64_ADR_GOT_PAGE: put_page(at, through); return true;
    case R_AARCH64_LD64_GOT_LO12_NC: put_bits(at, (through & 0xfff) >> 3, 12, 10); return true;
    default: return false;
    }
}

static void relocate_section(const Object *x, const Elf64_Shdr *s) {
    const Elf64_Rela *rela = (const Elf64_Rela *)(x->bytes + s->sh_offset);
    if (!(x->sections[s->sh_info].sh_flags & SHF_ALLOC)) return;
    for (size_t i = 0; i < s->sh_size / sizeof *rela; i++) {
        const Elf64_Sym *symbol = &x->symbols[ELF64_R_SYM(rela[i].r_info)];
        uint32_t type = (uint32_t)ELF64_R_TYPE(rela[i].r_info);
        char *at = x->base + x->at[s->sh_info] + rela[i].r_offset;
        fill_entry(x, symbol);
        bool known = x->head->e_machine == EM_X86_64 ? relocate_x86(x, symbol, type, rela[i].r_addend, at)
                                                     : relocate_arm(x, symbol, type, rela[i].r_addend, at);
        if (!known) bug("compiled code has a relocation of type %u", type);
    }
}

/* ---- the whole ---- */

static void find_functions(const Object *x, LoadObject *o) {
    size_t found = 0;
    for (size_t i = 0; i < x->nsymbols; i++) {
        const Elf64_Sym *s = &x->symbols[i];
        if (ELF64_ST_TYPE(s->st_info) != STT_FUNC || ELF64_ST_BIND(s->st_info) != STB_GLOBAL || outside(s)) continue;
        size_t number = strtoul(x->names + s->st_name, NULL, 10);
        if (number >= o->nfunctions) bug("an object has a function number %zu", number);
        o->functions[number] = (void *)(uintptr_t)address(x, s);
        found++;
    }
    if (found != o->nfunctions) bug("an object has %zu functions for %zu kernels", found, o->nfunctions);
}

static void copy_object(const Object *x) {
    for (int i = 0; i < x->head->e_shnum; i++) {
        const Elf64_Shdr *s = &x->sections[i];
        if (s->sh_flags & SHF_ALLOC && s->sh_type != SHT_NOBITS)
            memcpy(x->base + x->at[i], x->bytes + s->sh_offset, s->sh_size);
    }
    for (int i = 0; i < x->head->e_shnum; i++)
        if (x->sections[i].sh_type == SHT_RELA) relocate_section(x, &x->sections[i]);
}

LoadedCode load_objects(LoadObject *objects, size_t n) {
    Object *all = xcalloc(n, sizeof *all);
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        all[i] = open_object(&objects[i]);
        size = lay_out(&all[i], size);
    }
    size = align_up(size, (size_t)sysconf(_SC_PAGESIZE));
    LoadedCode code = {NULL, size};
    if (size) code.at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code.at == MAP_FAILED) bug("no memory for compiled code");
    for (size_t i = 0; i < n; i++) {
        all[i].base = code.at;
        copy_object(&all[i]);
        find_functions(&all[i], &objects[i]);
        free(all[i].at);
    }
    if (size && mprotect(code.at, size, PROT_READ | PROT_EXEC) != 0) bug("the system does not let compiled code run");
    __builtin___clear_cache(code.at, code.at + size);
    free(all);
    return code;
}

void load_free(LoadedCode code) {
    if (code.at) munmap(code.at, code.size);
}
