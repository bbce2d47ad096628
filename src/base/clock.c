#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

int64_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}

int64_t clock_utc(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

bool clock_sleep_until(int64_t deadline)
{
    struct timespec until = {.tv_sec = deadline / CLOCK_SECOND, .tv_nsec = deadline % CLOCK_SECOND};
    return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != EINTR;
}

int clock_poll_timeout(int64_t deadline, int64_t now)
{
    const int64_t hour_ms = 3600000;
    if (deadline <= now) {
        return 0;
    }
    int64_t ms = (deadline - now - 1) / CLOCK_MS + 1;
    return (int)(ms < hour_ms ? ms : hour_ms);
}

const char *clock_iso(char buffer[CLOCK_TEXT_SIZE], int64_t utc)
{
    time_t seconds = (time_t)(utc / 1000000);
    struct tm parts;
    char date[24];

    gmtime_r(&seconds, &parts);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(buffer, CLOCK_TEXT_SIZE, "%s.%03dZ", date, (int)(utc / 1000 % 1000));
    return buffer;
}
