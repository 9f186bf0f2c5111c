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

/// The same for recv.
static inline long coord_recv(int connection, void *buffer, unsigned long size, int flags) {
    return syscall(SYS_recvfrom, connection, buffer, size, flags, (void *)0, (void *)0);
}

/// Written in Swift: which connections are taken, and what is taken of them.
int coord_guarded_accept(int listener, void *address, void *length, int flags);
long coord_guarded_recv(int connection, void *buffer, unsigned long size, int flags);

/// These take the place of the C library's accept4 and recv, for this program and the libraries that it is linked with. They
/// are here since Swift's own functions have a visibility that other libraries do not see.
__attribute__((weak, visibility("default"))) int coord_accept_for_all(int, void *, void *, int) __asm__("accept4");
__attribute__((weak, visibility("default"))) int coord_accept_for_all(
    int listener, void *address, void *length, int flags) {
    return coord_guarded_accept(listener, address, length, flags);
}
__attribute__((weak, visibility("default"))) long coord_recv_for_all(int, void *, unsigned long, int) __asm__("recv");
__attribute__((weak, visibility("default"))) long coord_recv_for_all(
    int connection, void *buffer, unsigned long size, int flags) {
    return coord_guarded_recv(connection, buffer, size, flags);
}

/// Keeps them in the program, where nothing else calls them.
static inline void coord_interpose(void) {
    __asm__ volatile("" : : "r"(coord_accept_for_all), "r"(coord_recv_for_all));
}

/// ZMQ_ZAP_ENFORCE_DOMAIN and ZMQ_ZERO_COPY_RECV: in every build since 4.3.0, and in the header only of builds with drafts.
enum { COORD_ZMQ_ZAP_ENFORCE_DOMAIN = 93, COORD_ZMQ_ZERO_COPY_RECV = 10 };

static inline int coord_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
