#include "load_test/interrupt.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { STATUS_INTERRUPTED = 130 }; /* as a shell reports SIGINT */

static void fill_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

bool interrupt_init(struct interrupt *interrupt, struct error *err)
{
    sigset_t set;

    interrupt->is_asked = false;
    fill_set(&set);
    int code = pthread_sigmask(SIG_BLOCK, &set, NULL);
    interrupt->fd = code == 0 ? signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC) : -1;
    if (interrupt->fd < 0) {
        return error_set(err, "58000", "cannot listen for signals: %s",
                         strerror(code != 0 ? code : errno));
    }
    return true;
}

void interrupt_done(struct interrupt *interrupt)
{
    sigset_t set;

    if (interrupt->fd < 0) {
        return;
    }
    close(interrupt->fd);
    interrupt->fd = -1;
    fill_set(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

bool interrupt_check(struct interrupt *interrupt)
{
    struct signalfd_siginfo info;

    while (interrupt->fd >= 0 && read(interrupt->fd, &info, sizeof info) == sizeof info) {
        if (interrupt->is_asked) {
            _exit(STATUS_INTERRUPTED); /* the person doesn't want to wait for anything */
        }
        interrupt->is_asked = true;
    }
    return interrupt->is_asked;
}
