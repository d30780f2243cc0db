/* Lines for people. */
#include "runtime/progress.h"
#include "runtime/lines.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR = 24, CURVE = 20 };

/* What a step keeps of the loss before it. */
static const double SMOOTH = 0.95;

/* Whether the locale's characters are UTF-8, as the first of these that is set says. */
static bool is_utf8(void) {
    const char *locale = getenv("LC_ALL");
    if (locale == NULL || *locale == '\0') locale = getenv("LC_CTYPE");
    if (locale == NULL || *locale == '\0') locale = getenv("LANG");
    return locale != NULL && (strcasestr(locale, "utf-8") != NULL || strcasestr(locale, "utf8") != NULL);
}

static const char *first_loss(const RtTrain *t) {
    for (int i = 0; i < t->nloops; i++)
        if (t->loops[i].trains && t->loops[i].nreports > 0) return t->loops[i].report_names[0];
    return NULL;
}

void rt_progress_open(RtProgress *p, const RtTrain *t) {
    *p = (RtProgress){
        .out = t->out != NULL ? t->out : stdout, .epochs = t->epochs, .title = t->title, .loss_name = first_loss(t)};
    if (t->json || t->quiet) {
        p->out = NULL;
        return;
    }
    const char *terminal = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    p->live = isatty(fileno(p->out)) && (terminal == NULL || strcmp(terminal, "dumb") != 0);
    p->blocks = p->live && is_utf8();
    p->colour = p->live && (no_colour == NULL || *no_colour == '\0');
}

/* Its first `room` bytes at most. */
static const char *first_bytes(RtLines *l, size_t room) {
    if (l->text == NULL) return "";
    if (l->length > room) l->text[room] = '\0';
    return l->text;
}

static void add_epoch(RtLines *l, const RtProgress *p, int64_t number) {
    if (p->title != NULL) rt_lines_add(l, "%s ", p->title);
    rt_lines_add(l, "epoch %lld", (long long)number);
    if (p->epochs > 0) rt_lines_add(l, "/%lld", (long long)p->epochs);
}

static void add_reports(RtLines *l, const RtReport *reports, int n, bool known_only) {
    for (int i = 0; i < n; i++) {
        if (isnan(reports[i].value)) { /* whichever sign it has */
            if (!known_only) rt_lines_add(l, "  %s nan", reports[i].name);
            continue;
        }
        rt_lines_add(l, "  %s %.5g", reports[i].name, reports[i].value);
    }
}

static void add_rate(RtLines *l, double samples_per_s) {
    if (samples_per_s > 0) rt_lines_add(l, "  %.*f samples/s", samples_per_s < 100 ? 1 : 0, samples_per_s);
}

static void add_time(RtLines *l, double seconds) {
    long long s = (long long)(seconds + 0.5);
    if (s >= 3600)
        rt_lines_add(l, "  %lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else
        rt_lines_add(l, "  %lld:%02lld", s / 60, s % 60);
}

void rt_progress_step(RtProgress *p, double loss) {
    if (!p->live || p->out == NULL || !isfinite(loss)) return;
    p->loss = SMOOTH * p->loss + (1 - SMOOTH) * loss;
    p->weight = SMOOTH * p->weight + (1 - SMOOTH);
    rt_spark_add(&p->curve, loss);
}

bool rt_progress_due(const RtProgress *p, double now) { return p->live && p->out != NULL && now >= p->next_draw; }

static size_t terminal_width(const RtProgress *p) {
    struct winsize size;
    if (ioctl(fileno(p->out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

/* The reports of the epoch so far; of the loss, what it is by now. */
static void add_current(RtLines *l, const RtProgress *p, const RtNow *now) {
    bool told = p->weight == 0;
    for (int i = 0; i < now->nreports; i++) {
        RtReport r = now->reports[i];
        if (!told && strcmp(r.name, p->loss_name) == 0) {
            r.value = p->loss / p->weight;
            told = true;
        }
        add_reports(l, &r, 1, true);
    }
}

void rt_progress_draw(RtProgress *p, const RtNow *now, double seconds) {
    p->next_draw = seconds + 0.1;
    RtLines head = {0}, rest = {0};
    char curve[RT_SPARK_BYTES] = "";
    add_epoch(&head, p, now->epoch);
    int full = (int)(now->done * (double)BAR);
    rt_lines_add(&head, " [");
    for (int i = 0; i < BAR; i++) rt_lines_add(&head, "%c", i < full ? '=' : i == full ? '>' : ' ');
    rt_lines_add(&head, "]");
    add_current(&rest, p, now);
    add_rate(&rest, now->samples_per_s);
    if (now->left >= 0) {
        add_time(&rest, now->left);
        rt_lines_add(&rest, " left");
    }
    /* One column short of the width: a full line would wrap, and could not be drawn over. */
    size_t room = terminal_width(p) - 1;
    const char *front = first_bytes(&head, room);
    room = room > head.length ? room - head.length : 0;
    const char *back = first_bytes(&rest, room);
    room = room > rest.length ? room - rest.length : 0;
    if (p->blocks && room > 3) rt_spark_print(&p->curve, room - 1 < CURVE ? (int)room - 1 : CURVE, curve);
    fprintf(p->out, "\r%s%s%s%s%s%s\x1b[K", p->colour ? "\x1b[36m" : "", front, *curve ? " " : "", curve,
            p->colour ? "\x1b[0m" : "", back);
    rt_lines_free(&head);
    rt_lines_free(&rest);
    fflush(p->out);
    p->drawn = true;
}

void rt_progress_close(RtProgress *p) {
    if (p->out == NULL) return;
    if (p->drawn) fputs("\r\x1b[K", p->out);
    p->drawn = false;
    fflush(p->out);
}

void rt_progress_epoch(RtProgress *p, int64_t number, const RtEpoch *epoch) {
    if (p->out == NULL) return;
    RtLines l = {0};
    if (p->drawn) rt_lines_add(&l, "\r\x1b[K");
    p->drawn = false;
    add_epoch(&l, p, number);
    add_reports(&l, epoch->reports, epoch->nreports, false);
    add_rate(&l, epoch->samples_per_s);
    rt_lines_add(&l, "  %.2f s\n", epoch->seconds);
    fputs(first_bytes(&l, SIZE_MAX), p->out);
    rt_lines_free(&l);
}

void rt_progress_write(RtProgress *p) {
    if (p->out != NULL) fflush(p->out);
}
