/* Scopes of bodies: names in the order in which they were bound, the newest found first. */
#include "lang/check.h"

Scope *scope_new(Checker *c, Scope *up) {
    Scope *s = ARENA_NEW(check_arena(c), Scope);
    s->up = up;
    return s;
}

Binding *scope_define(Checker *c, Scope *s, Name name, Value v, Span at) {
    for (size_t i = 0; i < s->names.len; i++)
        if (s->names.at[i].name == name) {
            s->names.at[i] = (Binding){.name = name, .value = v, .at = at};
            return &s->names.at[i];
        }
    arena_push(c, &s->names, (Binding){.name = name, .value = v, .at = at});
    return &s->names.at[s->names.len - 1];
}

Binding *scope_binding(Scope *s, Name name) {
    for (; s; s = s->up)
        for (size_t i = s->names.len; i-- > 0;)
            if (s->names.at[i].name == name) return &s->names.at[i];
    return NULL;
}
