/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootrecord: makes and delivers the boot record (record.h). PID 1 starts it when the machine is up, while the boot
 * takes long, and at the end of a shutdown. Descriptors: one file at a time; memlogd's answers for 2 s a question.
 */
#include "bootrecord/record.h"

int main(int argc, char **argv) {
    return record_main(argc - 1, argv + 1);
}
