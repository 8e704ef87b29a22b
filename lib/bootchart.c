/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/bootchart.h"

#include <stdint.h>

#include "lib/xml.h"

#define WIDTH 1000.0
#define NAMES 290.0 /* the width of the names' column */
#define TIMES 86.0  /* and of the times' behind the bars */
#define MARGIN 6.0
#define LEGEND 44.0 /* where its text stands */
#define HEAD 78.0
#define ROW 20.0
#define BAR (ROW - 6)
#define INDENT 12.0
#define BAR_LEAST 1.0
#define LETTER 7.5           /* the width of one that is 12 high, in any monospace font */
#define LINES_MAX 10         /* of the time's axis */
#define SECONDS_MAX 999999.0 /* more has no place */
#define GREY "fill=\"#666\""
#define WAIT "fill=\"none\" stroke=\"#b8b8b8\" stroke-width=\"0.8\""
#define TITLE "the boot, in seconds since the kernel's start"

static const struct colours { const char *took, *cpu; } fine = {"#a9c0de", "#3b6597"}, failed = {"#e3a29f", "#a33a35"};

static double bounded(double seconds) {
    return seconds > SECONDS_MAX ? SECONDS_MAX : seconds > 0 ? seconds : 0;
}

/* 1, 2 or 5 times a power of ten, so that the axis has few lines. */
static double step_of(double end) {
    static const double factors[] = {2, 2.5, 2};
    double step = 0.001;

    for (size_t i = 0; end / step > LINES_MAX; i++)
        step *= factors[i % (sizeof(factors) / sizeof(*factors))];
    return step;
}

static double place(double seconds, double end) {
    return NAMES + bounded(seconds) / end * (WIDTH - NAMES - TIMES);
}

static double row_top(size_t i) {
    return HEAD + ROW * (double)i;
}

static double row_middle(size_t i) {
    return row_top(i) + 3 + BAR / 2;
}

static int draw_axis(double end, double height, struct buf *out) {
    const double step = step_of(end);
    int r = 0;

    for (unsigned i = 0; i * step <= end && !r; i++) {
        double x = place(i * step, end);
        r = buf_printf(out,
                       "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#eee\"/>"
                       "<text x=\"%.1f\" y=\"%.1f\" " GREY " text-anchor=\"middle\">%g s</text>\n",
                       x, HEAD - 6, x, height, x, HEAD - 10, i * step);
    }
    return r;
}

static int draw_legend(struct buf *out) {
    const struct {
        double x;
        const char *colour, *text;
    } entries[] = {{MARGIN, fine.took, "its time"},
                   {110, fine.cpu, "of it, the CPU time of its processes"},
                   {420, failed.took, "failed"}};
    int r = 0;

    for (size_t i = 0; i < sizeof(entries) / sizeof(*entries) && !r; i++)
        r = buf_printf(out,
                       "<rect x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"12\" fill=\"%s\"/>"
                       "<text x=\"%.1f\" y=\"%.1f\" " GREY ">%s</text>\n",
                       entries[i].x, LEGEND - 11, entries[i].colour, entries[i].x + 18, LEGEND, entries[i].text);
    return r ? r
             : buf_printf(out,
                          "<path d=\"M505 %.1fh24\" " WAIT "/>"
                          "<text x=\"536\" y=\"%.1f\" " GREY ">from the end of what it waited for</text>\n",
                          LEGEND - 5, LEGEND);
}

/* Down from the end of the one bar, and along to the begin of the other. */
static int draw_waits(const struct bootchart *c, size_t i, double end, struct buf *out) {
    const struct bootchart_row *row = &c->rows[i];
    int r = 0;

    for (size_t k = 0; k < row->waits_len && !r; k++) {
        size_t other = row->waits[k];
        if (other < c->len && other != i)
            r = buf_printf(out, "<path d=\"M%.1f %.1fV%.1fH%.1f\" " WAIT "/>\n", place(c->rows[other].end_s, end),
                           row_middle(other), row_middle(i), place(row->start_s, end));
    }
    return r;
}

/* What is shown where the pointer rests. */
static int put_tip(const struct bootchart_row *row, struct buf *out) {
    int r = buf_puts(out, "<title>");

    if (!r)
        r = xml_text(out, row->name, SIZE_MAX);
    if (!r)
        r = buf_printf(out, ": %.3f s, from %.3f s on", bounded(row->end_s - row->start_s), bounded(row->start_s));
    if (!r && row->cpu_s > 0)
        r = buf_printf(out, ", CPU %.3f s", bounded(row->cpu_s));
    if (!r && !row->ok)
        r = buf_puts(out, ", FAILED");
    if (!r && *row->detail)
        r = buf_puts(out, "; ");
    if (!r)
        r = xml_text(out, row->detail, SIZE_MAX);
    return r ? r : buf_puts(out, "</title>");
}

static int put_name(const struct bootchart_row *row, double y, struct buf *out) {
    double x = MARGIN + INDENT * row->depth;
    double room = NAMES - MARGIN - x;
    int r = buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\">", x, y);

    if (!r)
        r = xml_text_cut(out, row->name, room > LETTER ? (size_t)(room / LETTER) : 0);
    return r ? r : buf_puts(out, "</text>");
}

static int put_bar(double x, double y, double width, const char *colour, struct buf *out) {
    return buf_printf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>", x, y,
                      width > BAR_LEAST ? width : BAR_LEAST, BAR, colour);
}

static int draw_row(const struct bootchart_row *row, double y, double end, struct buf *out) {
    double x = place(row->start_s, end), took_s = bounded(row->end_s - row->start_s);
    double width = place(row->end_s, end) - x;
    double cpu = row->cpu_s < took_s ? row->cpu_s / took_s * width : width;

    width = width > BAR_LEAST ? width : BAR_LEAST;
    const struct colours *colours = row->ok ? &fine : &failed;
    int r = buf_puts(out, "<g>");
    if (!r)
        r = put_tip(row, out);
    if (!r)
        r = put_name(row, y + ROW - 6, out);
    if (!r)
        r = put_bar(x, y + 3, width, colours->took, out);
    if (!r && row->cpu_s > 0)
        r = put_bar(x, y + 3, cpu, colours->cpu, out);
    return r ? r
             : buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" " GREY ">%.3f</text></g>\n", x + width + 4, y + ROW - 6,
                          took_s);
}

static int draw_head(double height, struct buf *out) {
    return buf_printf(out,
                      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" " XML_SVG_LOOK
                      " font-size=\"12\">\n<title>" TITLE "</title>\n"
                      "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
                      "<text x=\"6\" y=\"22\" font-size=\"16\">" TITLE "</text>\n",
                      WIDTH, height);
}

static int draw_rows(const struct bootchart *c, double end, struct buf *out) {
    int r = 0;

    for (size_t i = 0; i < c->len && !r; i++) /* behind the bars */
        r = draw_waits(c, i, end, out);
    for (size_t i = 0; i < c->len && !r; i++)
        r = draw_row(&c->rows[i], row_top(i), end, out);
    return r;
}

int bootchart_draw(const struct bootchart *c, struct buf *out) {
    double end = 0.001, bottom = row_top(c->len);

    for (size_t i = 0; i < c->len; i++)
        end = bounded(c->rows[i].end_s) > end ? bounded(c->rows[i].end_s) : end;
    int r = draw_head(bottom + (c->more ? ROW : 0) + MARGIN, out);
    if (!r)
        r = draw_legend(out);
    if (!r)
        r = draw_axis(end, bottom, out);
    if (!r)
        r = draw_rows(c, end, out);
    if (!r && c->more)
        r = buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" " GREY ">%zu more stage%s did not fit</text>\n", MARGIN,
                       bottom + ROW - 6, c->more, c->more == 1 ? "" : "s");
    return r ? r : buf_puts(out, "</svg>\n");
}
