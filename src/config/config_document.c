/* docs/settings.md: the file, its settings, the fields of databases and users. */
#include <string.h>

#include "config/config.h"
#include "config/member.h"
#include "config/settings_private.h"

static void document_limits(const struct member *member, FILE *out)
{
    char limits[SETTING_TEXT_SIZE];

    if (member->setting == NULL) {
        fprintf(out, "at most %zu bytes", member->size_max);
        return;
    }
    setting_limits(setting_find(member->setting), limits);
    fputs(limits, out);
}

static void document_members(const struct member_table *table, FILE *out)
{
    fputs("| Field | Default | Limits | Meaning |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < table->count; i++) {
        const struct member *member = &table->rows[i];
        const char *fallback = member->fallback;
        fprintf(out, "| `%s` | ", member->name);
        if (fallback == NULL) {
            fputs("not set", out);
        } else {
            fprintf(out, fallback[0] != '\0' ? "`%s`" : "empty%s", fallback);
        }
        fputs(" | ", out);
        document_limits(member, out);
        fprintf(out, " | %s |\n", member->help);
    }
}

void config_document(FILE *out)
{
    fputs(
        "# Settings\n\n"
        "One YAML file holds them: [an example](reparto.yaml). `reparto check-config FILE` tells\n"
        "what is wrong with one, `reparto import-config pgbouncer.ini` makes one from "
        "PgBouncer's.\n"
        "This page is made from the tables in `src/config` by `./dev docs`.\n\n"
        "A time is a number with a unit (`us`, `ms`, `s`, `min`, `h`, `d`), a size one with `B`,\n"
        "`kB`, `MB` or `GB`; a number alone is in the unit that stands with its type. *Reload*: "
        "HUP\n"
        "or RELOAD takes the new value. *Restart*: the reload tells that the value waits for the\n"
        "next start. Names and meanings are PgBouncer's where it has them; the defaults of\n"
        "`pool_mode`, `max_client_conn`, `listen_addr`, `unix_socket_dir`, `listen_backlog`,\n"
        "`auth_type` and `server_login_retry` are not.\n",
        out);
    settings_document(out);
    fputs("\n## Databases\n\n"
          "Below `databases`, by the name that clients ask for; `\"*\"` stands for every other "
          "name.\n"
          "`reparto` and `pgbouncer` are the console. All of this changes at a reload.\n\n",
          out);
    document_members(&database_members, out);
    fputs("\n## Users\n\n"
          "Below `users`, by name. Passwords are not here but in `auth_file` or behind "
          "`auth_query`.\n\n",
          out);
    document_members(&user_members, out);
}
