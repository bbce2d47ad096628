/* Any bytes: what acks_read() accepts is, written again, the same file, but for what was never
 * sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_test/acks.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect_same(const char *table, const struct write_log *writes, const uint8_t *bytes,
                        size_t size)
{
    char *again = NULL;
    size_t again_size = 0;
    FILE *file = open_memstream(&again, &again_size);

    if (file == NULL) {
        return;
    }
    acks_write(file, table, writes);
    if (fclose(file) != 0 || again_size != size || memcmp(again, bytes, size) != 0) {
        abort();
    }
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct write_log writes = {0};
    struct error err = {0};
    char table[REPORT_VALUE_SIZE];

    if (size == 0) {
        return 0;
    }
    char *copy = malloc(size);
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, bytes, size);
    FILE *file = fmemopen(copy, size, "r");
    if (file != NULL) {
        if (acks_read(file, table, &writes, &err)) {
            expect_same(table, &writes, bytes, size);
        } else if (!error_is_set(&err)) {
            abort();
        }
        fclose(file);
    }
    free(copy);
    write_log_done(&writes);
    return 0;
}
