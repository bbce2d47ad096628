/* config/import_ini: the lines of a pgbouncer.ini, and the pairs of its connection strings.
 *
 * As PgBouncer cuts them: sections, "key = value" to the end of the line,
 * comments with ; or # at its beginning, "quoted" names with "" inside, and
 * 'quoted' values with '' inside in connection strings.  %include is refused,
 * as nothing here reads files.
 */
#pragma once

#include "base/text.h"
#include "config/report.h"

enum ini_section { INI_NONE, INI_PGBOUNCER, INI_DATABASES, INI_USERS, INI_PEERS };
enum ini_kind { INI_EMPTY, INI_COMMENT, INI_SECTION, INI_PAIR };

/* Texts are kept until the next line. */
struct ini_line {
    enum ini_kind kind;
    enum ini_section section; /* where the line stands; of INI_SECTION: which one begins */
    struct text key, value;   /* of INI_COMMENT: the comment is the value */
    struct report_place key_place, value_place;
};

struct ini_reader {
    struct report *report; /* borrowed; its text is read */
    size_t at;
    unsigned line;
    enum ini_section section;
};

/* False at the end.  Malformed lines are reported and left out.  ini_line_done() at last. */
[[nodiscard]] bool ini_next(struct ini_reader *reader, struct ini_line *line);
void ini_line_done(struct ini_line *line); /* wipes: a value may hold a password */

struct ini_pair {
    struct text key, value; /* kept until the next pair */
    struct report_place place;
};

/* `*at` starts at 0.  False at the end, or when it was reported. */
[[nodiscard]] bool ini_next_pair(const struct ini_line *line, size_t *at, struct ini_pair *pair,
                                 struct report *report);
void ini_pair_done(struct ini_pair *pair); /* wipes */
