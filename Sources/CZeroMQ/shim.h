#pragma once
#include <errno.h>
#include <sys/socket.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zmq.h>

/// accept4 as the kernel has it, under a name that Swift can call when accept4 itself is another function.
static inline int coord_accept4(int listener, void *address, void *length, int flags) {
    return (int)syscall(SYS_accept4, listener, address, length, flags);
}

/// Written in Swift: which connections are taken.
int coord_guarded_accept(int listener, void *address, void *length, int flags);

/// Takes the place of the C library's accept4, for this program and the libraries that it is linked with. It is here since
/// Swift's own functions have a visibility that other libraries do not see.
__attribute__((weak, visibility("default"))) int coord_accept_for_all(int, void *, void *, int) __asm__("accept4");
__attribute__((weak, visibility("default"))) int coord_accept_for_all(
    int listener, void *address, void *length, int flags) {
    return coord_guarded_accept(listener, address, length, flags);
}

/// Keeps it in the program, where nothing else calls it.
static inline void coord_interpose_accept(void) { __asm__ volatile("" : : "r"(coord_accept_for_all)); }

/// ZMQ_ZAP_ENFORCE_DOMAIN: in every build since 4.3.0, and in the header only of builds with drafts.
enum { COORD_ZMQ_ZAP_ENFORCE_DOMAIN = 93 };

static inline int coord_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
