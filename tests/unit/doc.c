/* links: nnc_lang golden nnc_stdlib */
/* Documentation from `##` comments; the standard library has one for everything. */
#include "lang/doc.h"
#include "stdlib/stdlib.h"
#include "tests/golden/golden.h"

#include <criterion/criterion.h>

static void rows(Nnc *nnc, uint32_t file, FILE *out) {
    doc_head(out);
    fprintf(out, "%d undocumented\n", doc_rows(nnc, parse_file(nnc, file), out));
}

Test(doc, golden) { golden_run("doc", rows); }

Test(doc, the_library_is_documented) {
    FILE *out = fopen("/dev/null", "w");
    for (const StdlibFile *f = stdlib_files; f->path; f++) {
        Nnc *nnc = nnc_new();
        uint32_t file = source_add(&nnc->sources, nnc->arena, f->path, f->text, f->len);
        int missing = doc_rows(nnc, parse_file(nnc, file), out);
        cr_expect(missing == 0, "%s: %d declarations without a ## comment", f->path, missing);
        nnc_free(nnc);
    }
    fclose(out);
}
