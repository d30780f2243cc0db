/* Scopes of bodies: names in the order in which they were bound. Of a scope with many, a map knows the places. */
#include "lang/check.h"

enum { FEW = 16 }; /* names that are looked through one by one */

Scope *scope_new(Checker *c, Scope *up) {
    Scope *s = ARENA_NEW(check_arena(c), Scope);
    s->up = up;
    return s;
}

static Binding *find(Scope *s, Name name) {
    if (s->names.len > FEW) {
        uintptr_t place = (uintptr_t)map_get(&s->places, name); /* from 1 */
        return place ? &s->names.at[place - 1] : NULL;
    }
    for (size_t i = 0; i < s->names.len; i++)
        if (s->names.at[i].name == name) return &s->names.at[i];
    return NULL;
}

static void note_place(Checker *c, Scope *s, size_t i) {
    map_put(c, &s->places, s->names.at[i].name, (void *)(uintptr_t)(i + 1));
}

Binding *scope_define(Checker *c, Scope *s, Name name, Value v, Span at) {
    Binding *b = find(s, name);
    if (!b) {
        arena_push(c, &s->names, (Binding){0});
        b = &s->names.at[s->names.len - 1];
        b->name = name;
        size_t known = s->names.len > FEW + 1 ? s->names.len - 1 : 0;
        for (size_t i = known; s->names.len > FEW && i < s->names.len; i++) note_place(c, s, i);
    }
    *b = (Binding){.name = name, .value = v, .at = at};
    return b;
}

Binding *scope_binding(Scope *s, Name name) {
    for (; s; s = s->up) {
        Binding *b = find(s, name);
        if (b) return b;
    }
    return NULL;
}
