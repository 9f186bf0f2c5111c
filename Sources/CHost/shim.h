#pragma once
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>

/// Has the kernel kill this process when the thread that started it ends. prctl is variadic, which Swift cannot call.
static inline void coord_die_with_parent(void) { prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); }

// glibc declares it under _GNU_SOURCE only, which Swift's Glibc module is built without. Since glibc 2.29.
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
