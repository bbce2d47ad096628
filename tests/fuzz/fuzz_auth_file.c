/* An auth file of any bytes: refused, or users that are found. */
#include <stdint.h>
#include <stdlib.h>

#include "config/credential.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct auth_file file;
    struct error err = {0};

    if (!auth_file_parse((const char *)data, size, "u.txt", &file, &err)) {
        if (!error_is_set(&err)) {
            abort();
        }
        return 0;
    }
    for (size_t i = 0; i < file.count; i++) {
        if (auth_file_find(&file, file.users[i].name) != &file.users[i]) {
            abort();
        }
    }
    auth_file_done(&file);
    return 0;
}
