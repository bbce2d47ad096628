/* session/literal: a value as an SQL string constant.
 *
 * 'value', or E'value' where it has backslashes, so that it means the same with
 * standard_conforming_strings on and off; right in every encoding whose bytes of a character
 * never look like a quote or a backslash (sql/lexer's lexer_can_read()).
 */
#pragma once

#include "base/text.h"

void literal_append(struct text *text, const char *value);
