/* SPDX-License-Identifier: Apache-2.0 */
/* musl declares ioctl(2) with an int as its request, glibc with an unsigned long; the kernel's numbers fit both. */
#ifndef LIB_REQUEST_H
#define LIB_REQUEST_H

#ifdef __GLIBC__
#define IOCTL_REQUEST(number) (number)
#else
#define IOCTL_REQUEST(number) ((int)(number))
#endif

#endif
