/* SPDX-License-Identifier: Apache-2.0 */
/* What a service's states do to the real system: containerd's calls, mounts, log files, the boot timeline. */
#ifndef SVCD_ACTS_H
#define SVCD_ACTS_H

#include "svcd/service.h"

#define SERVICE_LOG_DIR "/var/log"
#define SERVICE_FIFO_DIR "/run/keelson/log" /* with memlogd */
#define STAGE_SYSTEM_INIT "020-containerd"  /* the init.d step that the stages of services are part of */

extern const struct service_ops service_acts;

/* Puts the failed start into the boot timeline. */
void acts_stamp_failure(struct service *s);

#endif
