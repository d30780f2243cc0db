/* The values of numbers and strings. */
#include "lang/parse.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The number's text without the `_` between its digits. */
static char *without_underscores(Parser *p, Span at) {
    char *text = arena_alloc(p->nnc->arena, at.end - at.begin + 1), *to = text;
    for (uint32_t i = at.begin; i < at.end; i++)
        if (p->source->text[i] != '_') *to++ = p->source->text[i];
    return text;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* How many bytes of `s` are the number itself, before a unit. */
static size_t number_length(const char *s, bool *is_int) {
    size_t n = strspn(s, "0123456789.");
    *is_int = !memchr(s, '.', n);
    if ((s[n] | ' ') != 'e') return n;
    size_t digits = n + 1 + (s[n + 1] == '+' || s[n + 1] == '-');
    if (!is_digit(s[digits])) return n;
    *is_int = false;
    return digits + strspn(s + digits, "0123456789");
}

static bool unit_of(const char *s, int64_t *unit) {
    static const struct {
        const char *text;
        int64_t bytes;
    } units[] = {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
    for (size_t i = 0; i < COUNT(units); i++)
        if (strcmp(s, units[i].text) == 0) return *unit = units[i].bytes, true;
    return false;
}

static NumberValue bad_number(Parser *p, Span at, DiagId id) {
    const char *text = arena_printf(p->nnc->arena, "%.*s", (int)MIN(at.end - at.begin, 60), p->source->text + at.begin);
    Diag *d = diag(p->nnc, at, id, text);
    if (id == DIAG_bad_number)
        diag_help(p->nnc, d, "a product is written with '*', as in 2 * x; a name begins with a letter");
    return (NumberValue){.is_int = true};
}

NumberValue literal_number(Parser *p, Span at) {
    char *text = without_underscores(p, at);
    if (strcmp(text, "inf") == 0) return (NumberValue){.value = INFINITY};
    if (strcmp(text, "nan") == 0) return (NumberValue){.value = NAN};
    if (strcmp(text, "pi") == 0) return (NumberValue){.value = M_PI};
    NumberValue v = {0};
    int64_t unit;
    size_t n = number_length(text, &v.is_int);
    if (!unit_of(text + n, &unit)) return bad_number(p, at, DIAG_bad_number);
    bool sized = text[n] != 0;
    text[n] = 0;
    v.value = strtod(text, NULL) * (double)unit;
    if (isinf(v.value)) return bad_number(p, at, DIAG_number_range);
    if (v.is_int) {
        errno = 0;
        long long whole = strtoll(text, NULL, 10);
        if (errno == ERANGE || whole > INT64_MAX / unit) return bad_number(p, at, DIAG_number_range);
        v.integer = whole * unit;
    } else if (sized && v.value == floor(v.value) && v.value < 0x1p53) { /* 1.5KiB */
        v.is_int = true;
        v.integer = (int64_t)v.value;
    }
    return v;
}

static void put_utf8(Str *out, uint32_t c) {
    char b[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint32_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6) b[i] = (char)(0x80 | (c & 0x3F));
    b[0] = (char)(lead[n] | c);
    str_put(out, b, n);
}

/* \u{41}: one to six hexadecimal digits that name a character other than NUL. Returns the bytes read, 0 where it is
 * none. */
static size_t unicode_escape(const char *s, const char *end, uint32_t *c) {
    size_t n = 3; /* behind \u{ */
    if ((size_t)(end - s) < 5 || s[2] != '{') return 0;
    for (*c = 0; s + n < end && n < 9; n++) {
        char d = s[n], lower = (char)(d | ' ');
        if (is_digit(d))
            *c = *c * 16 + (uint32_t)(d - '0');
        else if (lower >= 'a' && lower <= 'f')
            *c = *c * 16 + (uint32_t)(lower - 'a') + 10;
        else
            break;
    }
    bool valid = *c != 0 && *c <= 0x10FFFF && (*c < 0xD800 || *c > 0xDFFF);
    return n > 3 && s + n < end && s[n] == '}' && valid ? n + 1 : 0;
}

/* Adds what the escape at `s` stands for; returns how many bytes it takes. */
static size_t escape(Parser *p, Str *out, const char *s, const char *end) {
    static const char from[] = "nt\"\\", to[] = "\n\t\"\\";
    const char *simple = s[1] ? strchr(from, s[1]) : NULL;
    if (simple) return str_put(out, &to[simple - from], 1), 2;
    uint32_t c, begin = (uint32_t)(s - p->source->text);
    size_t n = s[1] == 'u' ? unicode_escape(s, end, &c) : 0;
    if (n) return put_utf8(out, c), n;
    n = 2;
    while (s + n < end && ((unsigned char)s[n] & 0xC0) == 0x80) n++; /* the whole character */
    Diag *d = diag(p->nnc, (Span){p->file->file, begin, begin + (uint32_t)n}, DIAG_bad_escape,
                   arena_printf(p->nnc->arena, "%.*s", (int)n, s));
    diag_help(p->nnc, d, "the escapes are \\n, \\t, \\\", \\\\ and \\u{…}, a character by its hexadecimal number");
    return n;
}

bool literal_string(Parser *p, Span at, StringValue *value) {
    const char *s = p->source->text + at.begin + 1, *end = p->source->text + at.end;
    Str out = {0};
    str_put(&out, "", 0);
    while (s < end && *s != '"') {
        if (*s == '\\' && s + 1 < end) {
            s += escape(p, &out, s, end);
            continue;
        }
        str_put(&out, s++, 1);
    }
    *value = (StringValue){arena_copy(p->nnc->arena, out.at, out.len + 1), out.len};
    vec_free(&out);
    if (s < end) return true;
    diag(p->nnc, (Span){at.file, at.begin, at.begin + 1}, DIAG_string_open);
    return false;
}
