/* A configuration of any bytes: refused with a place, or a config that can be shown, shared,
 * compared. */
#include <stdint.h>
#include <stdlib.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text report = {0}, changes = {0};
    struct error err = {0};
    struct config *config = config_parse((const char *)data, size, "r.yaml", &report, &err);

    if ((config == NULL) != error_is_set(&err)) {
        abort();
    }
    if (config != NULL) {
        if (config_diff(config, config, &changes) != 0 ||
            (config->database_count > 0 &&
             config_database(config, config->databases[0].name) != &config->databases[0])) {
            abort();
        }
        config_release(config_share(config));
    }
    config_release(config);
    text_done(&report);
    text_done(&changes);
    return 0;
}
