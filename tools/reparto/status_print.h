/* reparto/status_print: a status document as a page for an operator.
 *
 * 80 columns, the verdict first, readable without colour; what is unknown is
 * "–" or said in words, never 0.  Pure but for the text it appends to.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/text.h"

/* `document` must have been through status_check(). */
void status_print(struct text *out, const json_t *document, bool has_color);
