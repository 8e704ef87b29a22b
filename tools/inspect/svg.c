/* SPDX-License-Identifier: Apache-2.0 */
/* A treemap: each part is a rectangle, as large as it is in memory; squarified (Bruls, Huizing, van Wijk, 2000). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/xml.h"
#include "tools/inspect/inspect.h"

#define WIDTH 1200.0
#define HEIGHT 700.0
#define HEAD 40.0
#define TEXT_LINE 17.0
#define LETTER 8.1   /* the width of one that is 13 high, in any monospace font */
#define NAME_FITS 48 /* letters of the name that the picture bears */

struct rect {
    double x, y, w, h;
};

static const char *colour(const char *kind) {
    static const struct {
        const char *kind, *colour;
    } colours[] = {{"root", "#7a9cc6"},   {"modules", "#a5b4c8"},    {"services", "#8fbf88"},
                   {"onboot", "#e0b46c"}, {"onshutdown", "#d08c7c"}, {"volumes", "#b59ccf"}};

    for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
        if (!strcmp(colours[i].kind, kind))
            return colours[i].colour;
    return "#cccccc";
}

/* A size is there whole or not at all. */
static int put_text(struct buf *out, const struct rect *r, double line, const char *text, bool may_cut) {
    size_t fits = r->w > 12 ? (size_t)((r->w - 10) / LETTER) : 0;

    if (r->h < 6 + TEXT_LINE * line || (xml_letters(text) > fits && (!may_cut || fits <= sizeof("..."))))
        return 0;
    int result = buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\">", r->x + 6, r->y + TEXT_LINE * line);
    if (!result)
        result = xml_text_cut(out, text, fits);
    return result ? result : buf_puts(out, "</text>\n");
}

static int put_rect(struct buf *out, const struct item *item, const struct rect *r) {
    char size[64];
    int result = buf_printf(out,
                            "<g><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" "
                            "stroke=\"#fff\" stroke-width=\"2\"/><title>",
                            r->x, r->y, r->w, r->h, colour(item->kind));

    (void)snprintf(size, sizeof(size), "%.1f MB", (double)item->size / 1e6);
    if (!result)
        result = xml_text(out, item->kind, sizeof(item->kind));
    if (!result)
        result = buf_puts(out, " ");
    if (!result)
        result = xml_text(out, item->name, sizeof(item->name));
    if (!result)
        result = buf_printf(out, ": %s, %llu files</title>\n", size, (unsigned long long)item->files);
    if (!result)
        result = put_text(out, r, 1.1, item->name, true);
    if (!result)
        result = put_text(out, r, 2.1, item->kind, true);
    if (!result)
        result = put_text(out, r, 3.1, size, false);
    return result ? result : buf_puts(out, "</g>\n");
}

/* The worst ratio of sides if items first..last share a strip along `side`; scale: area of a byte. */
static double worst(const struct item *items, size_t first, size_t last, double scale, double side) {
    double sum = 0, ratio = 0;

    for (size_t i = first; i <= last; i++)
        sum += (double)items[i].size * scale;
    for (size_t i = first; i <= last; i++) {
        double area = (double)items[i].size * scale, length = area / sum * side, depth = sum / side;
        double r = length > depth ? length / depth : depth / length;
        ratio = r > ratio ? r : ratio;
    }
    return ratio;
}

/* Items first..last in a strip along the shorter side of `free`, which shrinks by it. */
static int put_strip(struct buf *out, const struct item *items, size_t first, size_t last, double scale,
                     struct rect *free_part) {
    bool upright = free_part->w >= free_part->h; /* the strip */
    double side = upright ? free_part->h : free_part->w, sum = 0, at = 0;
    int r = 0;

    for (size_t i = first; i <= last; i++)
        sum += (double)items[i].size * scale;
    double depth = sum / side;
    for (size_t i = first; i <= last && !r; i++) {
        double length = (double)items[i].size * scale / depth;
        const struct rect rect = upright ? (struct rect){free_part->x, free_part->y + at, depth, length}
                                         : (struct rect){free_part->x + at, free_part->y, length, depth};
        r = put_rect(out, &items[i], &rect);
        at += length;
    }
    if (upright) {
        free_part->x += depth;
        free_part->w -= depth;
    } else {
        free_part->y += depth;
        free_part->h -= depth;
    }
    return r;
}

/* Items come largest first; those without a size have no place. */
static int put_all(struct buf *out, const struct inspection *in) {
    struct rect free_part = {0, HEAD, WIDTH, HEIGHT};
    size_t len = in->items_len;
    int r = 0;

    while (len && !in->items[len - 1].size)
        len--;
    double scale = WIDTH * HEIGHT / (double)(inspect_size(in) ? inspect_size(in) : 1);
    for (size_t first = 0; first < len && !r;) {
        double side = free_part.w < free_part.h ? free_part.w : free_part.h;
        size_t last = first;
        while (last + 1 < len &&
               worst(in->items, first, last + 1, scale, side) <= worst(in->items, first, last, scale, side))
            last++;
        r = put_strip(out, in->items, first, last, scale, &free_part);
        first = last + 1;
    }
    return r;
}

int inspect_svg(const struct inspection *in, struct buf *out, struct err *e) {
    int r = buf_printf(out,
                       "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" " XML_SVG_LOOK
                       " font-size=\"13\">\n<title>what is in an image, by size</title>\n<rect width=\"100%%\" "
                       "height=\"100%%\" fill=\"#fff\"/>\n"
                       "<text x=\"6\" y=\"26\" font-size=\"18\">",
                       WIDTH, HEIGHT + HEAD);

    if (!r)
        r = xml_text_cut(out, in->name, NAME_FITS);
    if (!r)
        r = buf_printf(out, ": %.1f MB unpacked", (double)inspect_size(in) / 1e6);
    if (!r && in->has_initrd)
        r = buf_printf(out, ", %.1f MB initrd, %llu MiB of memory at least", (double)in->initrd_size / 1e6,
                       (unsigned long long)inspect_least_mib(in));
    if (!r)
        r = buf_puts(out, "</text>\n");
    if (!r)
        r = put_all(out, in);
    if (!r)
        r = buf_puts(out, "</svg>\n");
    return r < 0 ? err_errno(e, r, "could not draw %s", in->name) : 0;
}
