#pragma once
#include <stdint.h>

/// Its address is the commit of this build, where the build has told the linker (see the Makefile): 28 bits of its hash,
/// bit 28 for changes that are not committed, and bit 29 always. A number of the linker's needs no file to be compiled
/// again for each commit. Weak, so that it is 0 where nobody has told it.
extern const char coord_commit[] __attribute__((weak));

static inline uint64_t coord_build_commit(void) { return (uint64_t)(uintptr_t)coord_commit; }
