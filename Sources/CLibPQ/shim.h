#pragma once
#include <libpq-fe.h>
#include <sys/prctl.h>

/// Names the calling thread, for people who look with top -H. prctl is variadic, which Swift cannot call.
static inline void coord_pq_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
