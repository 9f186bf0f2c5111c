#pragma once
#include <dlfcn.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>

static inline int coord_pq_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

/// Bytes that OpenSSL has taken from the socket and libpq has not asked for yet: a record may hold more than libpq takes
/// at once, and poll(2) knows nothing of the rest. -1 where they cannot be told. libpq brings libssl with it, so it is
/// found among what is loaded, and need not be linked.
static inline int coord_pq_ssl_pending(PGconn *connection) {
    static int (*pending)(const void *);
    void *ssl = PQsslStruct(connection, "OpenSSL");
    if (!ssl) return -1;
    if (!pending) pending = (int (*)(const void *))dlsym((void *)0, "SSL_pending");
    return pending ? pending(ssl) : -1;
}
