/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/bootchart.h"

#include <stdint.h>

#include "lib/xml.h"

#define WIDTH 1000.0
#define NAMES 280.0 /* the width of the names' column */
#define TIMES 60.0  /* and of the times' behind the bars */
#define HEAD 54.0
#define ROW 20.0
#define INDENT 12.0
#define BAR_LEAST 1.0
#define LINES_MAX 10 /* of the time's axis */
#define NAME_MAX_LETTERS 40

/* 1, 2 or 5 times a power of ten, so that the axis has few lines. */
static double step_of(double end) {
    static const double factors[] = {2, 2.5, 2};
    double step = 0.001;

    for (size_t i = 0; end / step > LINES_MAX; i++)
        step *= factors[i % (sizeof(factors) / sizeof(*factors))];
    return step;
}

static double place(double seconds, double end) {
    return NAMES + seconds / end * (WIDTH - NAMES - TIMES);
}

static int draw_axis(double end, double height, struct buf *out) {
    const double step = step_of(end);
    int r = 0;

    for (unsigned i = 0; i * step <= end && !r; i++) {
        double x = place(i * step, end);
        r = buf_printf(out,
                       "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>"
                       "<text x=\"%.1f\" y=\"%.1f\" fill=\"#666\" text-anchor=\"middle\">%g s</text>\n",
                       x, HEAD - 6, x, height, x, HEAD - 10, i * step);
    }
    return r;
}

static int draw_row(const struct bootchart_row *row, double y, double end, struct buf *out) {
    double x = place(row->start_s, end), width = place(row->end_s, end) - x;
    int r = buf_printf(out, "<g><title>");

    if (!r)
        r = xml_text(out, row->name, SIZE_MAX);
    if (!r)
        r = buf_printf(out, ": %.3f s, from %.3f s on%s", row->end_s - row->start_s, row->start_s,
                       row->ok ? "" : ", FAILED");
    if (!r && *row->detail)
        r = buf_puts(out, "; ");
    if (!r)
        r = xml_text(out, row->detail, SIZE_MAX);
    if (!r)
        r = buf_printf(out, "</title><text x=\"%.1f\" y=\"%.1f\">", 6 + INDENT * row->depth, y + ROW - 6);
    if (!r)
        r = xml_text(out, row->name, NAME_MAX_LETTERS);
    if (r)
        return r;
    width = width > BAR_LEAST ? width : BAR_LEAST;
    return buf_printf(out,
                      "</text><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>"
                      "<text x=\"%.1f\" y=\"%.1f\" fill=\"#666\">%.3f</text></g>\n",
                      x, y + 3, width, ROW - 6, row->ok ? "#7a9cc6" : "#c0504d", x + width + 4, y + ROW - 6,
                      row->end_s - row->start_s);
}

int bootchart_draw(const char *title, const struct bootchart_row *rows, size_t len, struct buf *out) {
    double end = 0.001, height = HEAD + ROW * (double)len + 6;

    for (size_t i = 0; i < len; i++)
        end = rows[i].end_s > end ? rows[i].end_s : end;
    int r = buf_printf(out,
                       "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" "
                       "font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
                       "<text x=\"6\" y=\"22\" font-size=\"16\">",
                       WIDTH, height);
    if (!r)
        r = xml_text(out, title, SIZE_MAX);
    if (!r)
        r = buf_puts(out, "</text>\n");
    if (!r)
        r = draw_axis(end, height, out);
    for (size_t i = 0; i < len && !r; i++)
        r = draw_row(&rows[i], HEAD + ROW * (double)i, end, out);
    return r ? r : buf_puts(out, "</svg>\n");
}
