/* Any bytes: what lsn_parse() accepts is what lsn_print() writes, but for case and leading zeros.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cluster/lsn.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char *without_zeros(const char *half, size_t *size)
{
    while (*size > 1 && *half == '0') {
        half++;
        (*size)--;
    }
    return half;
}

static void expect_half(const char *given, size_t given_size, const char *printed, size_t size)
{
    given = without_zeros(given, &given_size);
    if (given_size != size || strncasecmp(given, printed, size) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *text = (const char *)bytes;
    char printed[LSN_TEXT_SIZE];
    uint64_t lsn;

    if (!lsn_parse(text, size, &lsn)) {
        return 0;
    }
    lsn_print(printed, lsn);
    const char *slash = memchr(text, '/', size), *printed_slash = strchr(printed, '/');
    if (slash == NULL || printed_slash == NULL) {
        abort();
    }
    size_t left = (size_t)(slash - text), printed_left = (size_t)(printed_slash - printed);
    expect_half(text, left, printed, printed_left);
    expect_half(slash + 1, size - left - 1, printed_slash + 1, strlen(printed_slash + 1));
    return 0;
}
