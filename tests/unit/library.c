/* links: nnc_lower nnc_lang nnc_pass nnc_reference nnc_stdlib */
/* Every name of the standard library that programs may rely on, used as it is documented: tests/golden/library. */
#include "tests/unit/nn.h"

#include <stdio.h>

Test(library, names_are_as_documented) {
    char text[1 << 15] = {0};
    FILE *f = fopen(NNC_SOURCE_DIR "/tests/golden/library/names.nn", "r");
    cr_assert(f && fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    Nnc *nnc = nnc_new();
    Program *p = nn_load(nnc, text, (DataOpener){0});
    cr_assert(p->exports.len > 10);
    for (size_t i = 0; i < p->exports.len; i++) nn_export(p, p->exports.at[i].name);
    nnc_free(nnc);
}
