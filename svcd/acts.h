/* SPDX-License-Identifier: Apache-2.0 */
/* What a service's states do to the real system: containerd's calls, mounts, log files, the boot timeline. */
#ifndef SVCD_ACTS_H
#define SVCD_ACTS_H

#include "svcd/service.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define SERVICE_LOG_DIR "/var/log"
#define SERVICE_LOG_MAX (1 << 20)           /* bytes; a larger one is put aside: logbound.h */
#define SERVICE_FIFO_DIR "/run/keelson/log" /* with memlogd */
#define STAGE_SYSTEM_INIT "020-containerd"  /* the init.d step that the stages of services are part of */
#define STAGE_CONTAINERD "containerd"       /* of these, the one that the services wait for */

extern const struct service_ops service_acts;

/* Puts the failed start into the boot timeline. */
void acts_stamp_failure(struct service *s);

/* Whether its output goes to files in SERVICE_LOG_DIR, not to memlogd. */
bool acts_logs_to_files(const struct service *s);

/* The kernel has killed a process of it for want of memory, perhaps the first. */
void acts_out_of_memory(struct service *s);

/* Shortens what of them has more than SERVICE_LOG_MAX, and says what is lost. */
void acts_bound_logs(const struct service *s);

#endif
