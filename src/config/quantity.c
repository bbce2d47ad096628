#include "config/quantity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Ascending, each a multiple of those before it; as PostgreSQL names them. */
static const struct unit time_units[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"min", 60LL * 1000000000},
    {"h", 3600LL * 1000000000},
    {"d", 24LL * 3600 * 1000000000},
    {NULL, 0},
};
static const struct unit size_units[] = {
    {"B", 1}, {"kB", 1LL << 10}, {"MB", 1LL << 20}, {"GB", 1LL << 30}, {NULL, 0},
};

static const struct unit *units_of(enum quantity_kind kind)
{
    return kind == QUANTITY_TIME ? time_units : size_units;
}

int64_t quantity_factor(enum quantity_kind kind, const char *unit)
{
    for (const struct unit *at = units_of(kind); at->name != NULL; at++) {
        if (strcmp(at->name, unit) == 0) {
            return at->factor;
        }
    }
    return 0;
}

/* What follows the point, times `factor`: "25" of "s" is 250000000.  Digits beyond the precision
 * are an error, so that nothing is rounded unseen. */
static bool read_fraction(const char *digits, size_t count, int64_t factor, int64_t *number)
{
    int64_t numerator = 0, denominator = 1;

    while (count > 0 && digits[count - 1] == '0') {
        count--;
    }
    for (size_t i = 0; i < count; i++) {
        if (__builtin_mul_overflow(denominator, 10, &denominator)) {
            return false;
        }
        numerator = numerator * 10 + (digits[i] - '0');
    }
    if (__builtin_mul_overflow(numerator, factor, &numerator) || numerator % denominator != 0) {
        return false;
    }
    *number = numerator / denominator;
    return true;
}

bool quantity_read(const char *text, enum quantity_kind kind, const char *unit, int64_t *number)
{
    size_t digits = strspn(text, "0123456789"), decimals = 0;
    const char *suffix = text + digits, *fraction = suffix + 1;
    int64_t whole = 0, part = 0;

    if (digits == 0) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, text[i] - '0', &whole)) {
            return false;
        }
    }
    if (*suffix == '.') {
        decimals = strspn(fraction, "0123456789");
        suffix = fraction + decimals;
        if (decimals == 0) {
            return false;
        }
    }
    suffix += strspn(suffix, " ");
    int64_t factor = quantity_factor(kind, *suffix != '\0' ? suffix : unit);
    return factor != 0 && !__builtin_mul_overflow(whole, factor, &whole) &&
           read_fraction(fraction, decimals, factor, &part) &&
           !__builtin_add_overflow(whole, part, number);
}

void quantity_show(int64_t number, enum quantity_kind kind, char *text, size_t size)
{
    const struct unit *units = units_of(kind), *best = units;

    for (; units->name != NULL; units++) {
        if (number % units->factor == 0) {
            best = units;
        }
    }
    if (number == 0) {
        snprintf(text, size, "0");
        return;
    }
    snprintf(text, size, "%" PRId64 "%s", number / best->factor, best->name);
}
