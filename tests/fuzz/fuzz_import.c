/* A pgbouncer.ini of any bytes: refused, or YAML whose syntax is right. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "config/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text yaml = {0};
    struct error err = {0};
    struct report report;
    struct yaml tree;

    if (!config_import((const char *)data, size, "p.ini", &yaml, &err)) {
        if (!error_is_set(&err)) {
            abort();
        }
        text_done(&yaml);
        return 0;
    }
    report_init(&report, "r.yaml", text_cstr(&yaml), yaml.size);
    bool is_ok = yaml_parse(&tree, text_cstr(&yaml), yaml.size, &report);
    for (size_t i = 0; !is_ok && i < report.count; i++) {
        if (tree.is_broken) { /* two databases of one name are the operator's */
            fprintf(stderr, "%s\n%s\n", report.problems[i].message, text_cstr(&yaml));
            abort();
        }
    }
    yaml_done(&tree);
    report_done(&report);
    text_done(&yaml);
    return 0;
}
