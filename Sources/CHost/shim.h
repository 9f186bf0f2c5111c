#pragma once
#include <spawn.h>

// glibc declares it under _GNU_SOURCE only, which Swift's Glibc module is built without. Since glibc 2.29.
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
