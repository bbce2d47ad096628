/* Any bytes as a connection's first packet and as its options: what is accepted has its texts
 * inside the packet, and is read again from what we write. */
#include <stdlib.h>
#include <string.h>

#include "wire/startup.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_text(const char *text, const char *packet, size_t size)
{
    if (text != NULL) {
        check(text >= packet && text < packet + size);
        check(memchr(text, '\0', size - (size_t)(text - packet)) != NULL);
    }
}

static void check_options(const char *options)
{
    struct startup_parameter parameters[8];
    struct buffer storage = {0};
    struct error err = {0};
    size_t count = 0;

    if (startup_options(options, &storage, parameters, &count, 8, &err)) {
        check(count <= 8);
        for (size_t i = 0; i < count; i++) {
            check(parameters[i].name[0] != '\0');
            check_text(parameters[i].name, buffer_bytes(&storage), buffer_size(&storage));
            check_text(parameters[i].value, buffer_bytes(&storage), buffer_size(&storage));
        }
    } else {
        check(error_is_set(&err));
    }
    buffer_done(&storage);
}

/* The same login, from what we write. */
static void check_written(const struct startup *startup)
{
    struct startup_parameter parameters[STARTUP_PARAMETER_MAX + 4] = {
        {"user", startup->user}, {"database", startup->database}};
    size_t count = 2;
    struct buffer out = {0};
    struct startup again;
    struct error err = {0};
    size_t consumed;

    for (size_t i = 0; i < startup->parameter_count; i++) {
        parameters[count++] = startup->parameters[i];
    }
    check(startup_write_login(&out, startup->version, parameters, count));
    if (startup_read(buffer_bytes(&out), buffer_size(&out), &again, &consumed, &err) !=
        STARTUP_OK) { /* the user's name twice can make it too long */
        check(buffer_size(&out) > STARTUP_PACKET_MAX);
        buffer_done(&out);
        return;
    }
    check(consumed == buffer_size(&out));
    check(again.version == startup->version);
    check(strcmp(again.user, startup->user) == 0);
    check(strcmp(again.database, startup->database) == 0);
    check(again.parameter_count == startup->parameter_count);
    for (size_t i = 0; i < again.parameter_count; i++) {
        check(strcmp(again.parameters[i].name, startup->parameters[i].name) == 0);
        check(strcmp(again.parameters[i].value, startup->parameters[i].value) == 0);
    }
    check(startup_write_negotiate(&out, STARTUP_VERSION_3_2, startup));
    buffer_done(&out);
}

static void check_login(const struct startup *startup, const char *packet, size_t size)
{
    check(startup->user[0] != '\0' && startup->database[0] != '\0');
    check(startup->parameter_count <= STARTUP_PARAMETER_MAX);
    check(startup->protocol_option_count <= STARTUP_PARAMETER_MAX);
    check_text(startup->user, packet, size);
    check_text(startup->database, packet, size);
    check_text(startup->options, packet, size);
    check_text(startup->replication, packet, size);
    for (size_t i = 0; i < startup->parameter_count; i++) {
        check_text(startup->parameters[i].name, packet, size);
        check_text(startup->parameters[i].value, packet, size);
    }
    for (size_t i = 0; i < startup->protocol_option_count; i++) {
        check_text(startup->protocol_options[i], packet, size);
    }
    if (startup->options != NULL) {
        check_options(startup->options);
    }
    check_written(startup);
}

static void check_packet(const char *packet, size_t size)
{
    struct startup startup;
    struct error err = {0};
    size_t consumed = 0;

    switch (startup_read(packet, size, &startup, &consumed, &err)) {
    case STARTUP_NEED_MORE: check(!error_is_set(&err)); return;
    case STARTUP_BAD: check(error_is_set(&err)); return;
    case STARTUP_OK: break;
    }
    check(consumed >= 8 && consumed <= size && consumed <= STARTUP_PACKET_MAX + 4);
    check(!error_is_set(&err));
    if (startup.kind == STARTUP_LOGIN) {
        check_login(&startup, packet, consumed);
    }
    if (startup.kind == STARTUP_CANCEL) {
        check(startup.cancel_key_size >= 4 && startup.cancel_key_size <= STARTUP_KEY_MAX);
        check((const char *)startup.cancel_key + startup.cancel_key_size == packet + consumed);
    }
    for (size_t prefix = 0; prefix < consumed; prefix += prefix < 16 ? 1 : 37) {
        check(startup_read(packet, prefix, &startup, &consumed, &err) == STARTUP_NEED_MORE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *copy = malloc(size + 1); /* as it is, and as a text that ends with a zero */
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    check_packet((const char *)bytes, size);
    check_options(copy);
    free(copy);
    return 0;
}
