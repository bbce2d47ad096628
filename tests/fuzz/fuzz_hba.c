/* Rules and identity maps of any bytes: parsed or refused, then asked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/hba.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hba_address address = {4, {10, 1, 2, 3}};
    const char *text = (const char *)data;
    const char *split = memchr(text, '\f', size); /* a form feed: the map begins */
    size_t rules_size = split != NULL ? (size_t)(split - text) : size;
    struct error err = {0};
    struct hba *hba = hba_parse(text, rules_size, "h", &err);

    if (hba == NULL) {
        if (!error_is_set(&err)) {
            abort();
        }
        return 0;
    }
    if (split != NULL && !hba_parse_map(hba, split + 1, size - rules_size - 1, "m", &err) &&
        !error_is_set(&err)) {
        abort();
    }
    struct hba_result result = hba_find(hba, &address, true, "shop", "ann");
    if (result.line == 0 && result.method != HBA_REJECT) {
        abort();
    }
    result = hba_find(hba, NULL, false, "shop", "ann@example.com");
    if (result.map != NULL && hba_maps(hba, result.map, "ann@example.com", "ann") &&
        result.method == HBA_REJECT) {
        abort();
    }
    hba_destroy(hba);
    return 0;
}
