#pragma once
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Has the kernel kill this process when the thread that started it ends.
static inline void coord_die_with_parent(void) { prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); }

/// Keeps this process's memory out of core dumps, and from other processes of the same user. It ends with an exec.
static inline void coord_hide_memory(void) { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

/// Names the calling thread, for people who look with top -H. prctl is variadic, which Swift cannot call.
static inline void coord_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

// glibc declares it under _GNU_SOURCE only, which Swift's Glibc module is built without. Since glibc 2.29.
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);

/// A descriptor that can be read once the process has ended; -1 before Linux 5.3. Like every pidfd, it is closed on exec.
static inline int coord_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
