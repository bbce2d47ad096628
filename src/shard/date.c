#include "shard/date.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* date.h and timestamp.h of PostgreSQL: Julian day 0, and the end of the year
 * 5874897, both counted from 2000-01-01. */
enum { DAYS_MIN = -2451545, DAYS_END = 2147483494 - 2451545, YEAR_MAX = 5874897 };

/* Days from 0000-03-01 to 2000-01-01.  Years begin in March here, so that the
 * leap day is the last of its year. */
enum { EPOCH = 730425, DAYS_400_YEARS = 146097 };

bool date_is_valid(int32_t days)
{
    return days == INT32_MIN || days == INT32_MAX || (days >= DAYS_MIN && days < DAYS_END);
}

static int64_t days_from_civil(int64_t year, int month, int day)
{
    int64_t from_march = month <= 2 ? year - 1 : year;
    int64_t era = (from_march >= 0 ? from_march : from_march - 399) / 400;
    int64_t year_of_era = from_march - era * 400;
    int64_t month_from_march = month <= 2 ? month + 9 : month - 3;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_400_YEARS + day_of_era - EPOCH;
}

static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t shifted = days + EPOCH;
    int64_t era = (shifted >= 0 ? shifted : shifted - (DAYS_400_YEARS - 1)) / DAYS_400_YEARS;
    int64_t day_of_era = shifted - era * DAYS_400_YEARS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;

    *day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static int month_length(int64_t year, int month)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return lengths[month - 1] + (month == 2 && is_leap);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Reads digits_min..digits_max digits at *at and moves *at behind them. */
static bool read_digits(const char **at, const char *end, int digits_min, int digits_max,
                        int64_t *number)
{
    int count = 0;
    int64_t value = 0;
    for (; *at < end && **at >= '0' && **at <= '9' && count < digits_max; ++*at, count++) {
        value = value * 10 + (**at - '0');
    }
    *number = value;
    return count >= digits_min && (*at == end || **at < '0' || **at > '9');
}

static bool is_word(const char *at, const char *end, const char *word)
{
    return (size_t)(end - at) == strlen(word) && strncasecmp(at, word, strlen(word)) == 0;
}

static bool read_infinity(const char *at, const char *end, int32_t *days)
{
    bool is_negative = is_word(at, end, "-infinity");
    if (!is_negative && !is_word(at, end, "infinity")) {
        return false;
    }
    *days = is_negative ? INT32_MIN : INT32_MAX;
    return true;
}

/* "BC" after at least one blank, or nothing. */
static bool read_era(const char *at, const char *end, bool *is_bc)
{
    *is_bc = false;
    if (at == end) {
        return true;
    }
    if (!is_blank(*at)) {
        return false;
    }
    while (at < end && is_blank(*at)) {
        at++;
    }
    *is_bc = is_word(at, end, "BC");
    return *is_bc || is_word(at, end, "AD");
}

bool date_parse(const char *bytes, size_t size, int32_t *days)
{
    const char *at = bytes, *end = bytes + size;
    int64_t year, month, day;
    bool is_bc;

    while (at < end && is_blank(*at)) {
        at++;
    }
    while (end > at && is_blank(end[-1])) {
        end--;
    }
    if (read_infinity(at, end, days)) {
        return true;
    }
    if (!read_digits(&at, end, 4, 7, &year) || at == end || *at++ != '-' ||
        !read_digits(&at, end, 1, 2, &month) || at == end || *at++ != '-' ||
        !read_digits(&at, end, 1, 2, &day) || !read_era(at, end, &is_bc)) {
        return false;
    }
    if (year < 1 || year > YEAR_MAX || month < 1 || month > 12 || day < 1) {
        return false;
    }
    year = is_bc ? 1 - year : year; /* 1 BC is the year 0 */
    if (day > month_length(year, (int)month)) {
        return false;
    }
    int64_t result = days_from_civil(year, (int)month, (int)day);
    if (result < DAYS_MIN || result >= DAYS_END) {
        return false;
    }
    *days = (int32_t)result;
    return true;
}

size_t date_print(char buffer[DATE_TEXT_SIZE], int32_t days)
{
    assert(date_is_valid(days));
    if (days == INT32_MIN || days == INT32_MAX) {
        const char *word = days == INT32_MIN ? "-infinity" : "infinity";
        return (size_t)snprintf(buffer, DATE_TEXT_SIZE, "%s", word);
    }
    int64_t year;
    int month, day;
    civil_from_days(days, &year, &month, &day);
    bool is_bc = year <= 0;
    int size = snprintf(buffer, DATE_TEXT_SIZE, "%04lld-%02d-%02d%s",
                        (long long)(is_bc ? 1 - year : year), month, day, is_bc ? " BC" : "");
    assert(size > 0 && size < DATE_TEXT_SIZE);
    return (size_t)size;
}
