#include "server/notify.h"

#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"

enum { US = 1000 /* ns */ };

void notify_ready(const char *status)
{
    (void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_status(const char *status)
{
    (void)sd_notifyf(0, "STATUS=%s", status);
}

void notify_reloading(const char *status)
{
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=%s",
                     (long long)(clock_now() / US), status);
}

void notify_stopping(const char *status)
{
    (void)sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status);
}

void notify_follow(pid_t pid)
{
    (void)sd_notifyf(1, "MAINPID=%ld", (long)pid);
}

int64_t notify_watchdog_period(void)
{
    uint64_t limit_us = 0;

    if (sd_watchdog_enabled(0, &limit_us) <= 0) {
        return 0;
    }
    return (int64_t)(limit_us / 2) * US;
}

void notify_alive(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

bool notify_take_sockets(struct inheritance *inheritance, struct error *err)
{
    int count = sd_listen_fds(1);

    if (count < 0) {
        return error_set(err, "22023", "LISTEN_FDS: %s", strerror(-count));
    }
    if (count > LISTENER_SOCKET_MAX) {
        return error_set(err, "22023", "LISTEN_FDS: more than %d sockets", LISTENER_SOCKET_MAX);
    }
    for (int i = 0; i < count; i++) {
        inheritance->sockets[i] = SD_LISTEN_FDS_START + i;
    }
    inheritance->socket_count = (size_t)count;
    inheritance->is_activated = count > 0;
    return true;
}
