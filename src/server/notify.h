/* server/notify: what systemd is told (sd_notify(3)), and the sockets that it gives.
 *
 * Without systemd all of it does nothing.  A process that another one has
 * followed is silent: notify_follow() was its last word.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "server/handover.h"

void notify_ready(const char *status);
void notify_status(const char *status);
void notify_reloading(const char *status); /* notify_ready() ends it */
void notify_stopping(const char *status);
void notify_follow(pid_t pid); /* the main process is another from now on */

/* How often systemd wants to hear from us, in ns; 0: it does not. */
[[nodiscard]] int64_t notify_watchdog_period(void);
void notify_alive(void);

/* Socket activation: the listening sockets that systemd has opened, if it has. */
[[nodiscard]] bool notify_take_sockets(struct inheritance *inheritance, struct error *err);
