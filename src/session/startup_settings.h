/* session/startup_settings: what a client's startup packet sets, as its session's settings.
 *
 * In session pooling its server is started with them.  In transaction pooling they
 * are set like any SET, and RESET goes back to them.  What the servers report by themselves is not
 * set again.  The name of a setting is checked, its value quoted: both come from outside.
 */
#pragma once

#include <stdbool.h>

#include "session/session.h"
#include "wire/startup.h"

/* Reads them into session->initial (and settings), or session->startup.  err 42704: a name that no
 * setting can have; 54000: too many. */
[[nodiscard]] bool startup_settings_read(struct session *session, const struct startup *startup,
                                         struct error *err);

/* Whether session->told can be filled in without a server: then it is. */
[[nodiscard]] bool startup_settings_known(struct session *session);

/* The session's server has told: the next client like it can be greeted at once. */
void startup_settings_remember(struct session *session);
