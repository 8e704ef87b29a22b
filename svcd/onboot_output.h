/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of a one-shot's two outputs: into a file or to memlogd. It takes the way through a pipe of ours, which somebody
 * must read with attend_end(), if the console is to have it at once, or if its end is wanted and memlogd has the rest.
 */
#ifndef SVCD_ONBOOT_OUTPUT_H
#define SVCD_ONBOOT_OUTPUT_H

#include <stdbool.h>

#include "lib/err.h"
#include "svcd/attend.h"

struct output {
    char *source; /* its name: "onboot.000-dhcpcd.out" */
    char *path;   /* of the file; NULL: memlogd has it */
    int child_fd; /* for runc and the container; ours, also after they have it */
    int log_fd;
    bool on_console; /* at once */
    struct tee tee;  /* tee.from is -1 if there is no pipe */
    struct tail tail;
};

struct output_way {
    const char *log_socket; /* memlogd's, if there is a socket */
    const char *log_dir;
    bool console;
};

void output_init(struct output *o);

/* source is copied. wants_tail: output_tail() will be asked for, should nobody else show it. */
int output_open(struct output *o, const struct output_way *way, const char *source, bool wants_tail, struct err *e);
void output_close(struct output *o);

/* What is in the file, on the console: at most its last 64 KiB; nothing of what the console has had at once. */
void output_show(const struct output *o);

/* The last `lines` lines on the console, if nothing else has shown them. */
void output_show_tail(struct output *o, unsigned lines);

#endif
