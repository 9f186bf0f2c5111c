#pragma once
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <zmq.h>

/// Names the calling thread, for people who look with top -H. prctl is variadic, which Swift cannot call.
static inline void coord_zmq_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

static inline int coord_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
