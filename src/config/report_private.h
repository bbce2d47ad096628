/* config/report_private: which part of a source line may be shown, for report.c alone.
 *
 * A password's value is hidden wherever it may stand: behind its key, on the lines that continue
 * it, and when the file is so broken that no parser knows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct source_line {
    const char *bytes; /* borrowed from the text; without its line break */
    size_t size;
    size_t shown;   /* bytes from its start that hold no secret */
    bool is_secret; /* what follows `shown` may be one */
};

/* False when the text has no line `number` (from 1). */
[[nodiscard]] bool source_line_find(const char *text, size_t size, unsigned number,
                                    struct source_line *line);
