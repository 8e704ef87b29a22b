#!/usr/lib/keelson-test/busybox sh
# SPDX-License-Identifier: Apache-2.0
/usr/lib/keelson-test/busybox setsid /usr/lib/keelson-test/busybox sh /usr/lib/keelson-test/agent.sh </dev/null >/dev/console 2>&1 &
