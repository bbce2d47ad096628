/* net/keepalive: when a TCP connection whose other side is silent is given up.
 *
 * 0 anywhere: the kernel's default.  A listening socket hands these to what it
 * accepts.  Unix sockets have none: nothing is done.
 */
#pragma once

struct keepalive {
    int idle_s;          /* silence before the first probe */
    int interval_s;      /* between probes */
    int probe_count;     /* unanswered ones until it's given up */
    int user_timeout_ms; /* sent but not acknowledged for so long */
};

/* Puts the kernel's defaults in the place of zeros, to undo what a socket was told before. */
void keepalive_resolve(struct keepalive *keepalive);

/* Also TCP_NODELAY.  What the kernel refuses stays at its default. */
void keepalive_set(int fd, const struct keepalive *keepalive);
