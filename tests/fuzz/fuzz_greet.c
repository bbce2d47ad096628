/* Any bytes from a client at the door: in clear, with TLS on offer, or inside of TLS.  Nobody gets
 * in without what the method asks for, nothing grows beyond its limit, and whoever is turned away
 * leaves a reason. */
#include <stdlib.h>

#include "../unit/certificates.h"
#include "../unit/greet_guest.h"
#include "session/greet_private.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The first two bytes of an input. */
enum {
    METHOD_MASK = 7,
    HAS_TLS = 8,
    INSIDE_TLS = 16,
    IS_LOCAL = 32,
    WANTS_TLS = 64,
    STORED_MASK = 7,
    PIECE_SHIFT = 3,
    HEADER_SIZE = 2,
    BUFFERED_MAX = 2 * STARTUP_PACKET_MAX
};

/* Made once: a handshake is slow enough. */
static struct tls_context *server_tls, *client_tls;
static struct credential stored[4]; /* by enum credential_kind */

int LLVMFuzzerInitialize(int *, char ***)
{
    struct certificates certificates;
    char paths[2][CERTIFICATE_PATH_SIZE];
    struct tls_files files = {"", "", "", "", "TLSv1.2", ""};
    struct error err = {0};

    certificates_make(&certificates);
    client_tls = tls_client(&files, TLS_REQUIRE, &err);
    files.certificate = certificate_path(&certificates, "server.crt", paths[0]);
    files.key = certificate_path(&certificates, "server.key", paths[1]);
    server_tls = tls_server(&files, &err);
    certificates_remove(&certificates);
    stored[CREDENTIAL_PLAIN].kind = CREDENTIAL_PLAIN;
    memcpy(stored[CREDENTIAL_PLAIN].text, "secret", sizeof "secret");
    stored[CREDENTIAL_MD5].kind = CREDENTIAL_MD5;
    md5_stored("secret", "u", stored[CREDENTIAL_MD5].text);
    stored[CREDENTIAL_SCRAM].kind = CREDENTIAL_SCRAM;
    scram_secret_mock("u", guest_seed, &stored[CREDENTIAL_SCRAM].scram);
    return server_tls == NULL || client_tls == NULL ||
           !credential_scram(&stored[CREDENTIAL_PLAIN], "u", guest_seed, &err);
}

/* In pieces, but not so many that nothing else is tried. */
static void feed(struct guest *guest, const uint8_t *bytes, size_t size, size_t piece)
{
    enum { PIECES_MAX = 64 };

    if (size / piece > PIECES_MAX) {
        piece = size / PIECES_MAX;
    }
    for (size_t at = 0; at < size && guest->status == GREET_MORE; at += piece) {
        size_t count = size - at < piece ? size - at : piece;
        if (!stream_write(&guest->client, bytes + at, count)) {
            return;
        }
        stream_flush(&guest->client);
        guest_settle(guest);
        if (buffer_size(&guest->greet->in) > BUFFERED_MAX) {
            abort();
        }
    }
}

/* Whether bytes that nobody computed can be enough. */
static bool may_get_in(const struct guest_rules *rules)
{
    bool has_text = rules->credential != NULL && (rules->credential->kind == CREDENTIAL_PLAIN ||
                                                  rules->credential->kind == CREDENTIAL_MD5);
    return rules->auth_type == HBA_TRUST || (rules->auth_type == HBA_PASSWORD && has_text) ||
           (rules->auth_type == HBA_PEER && rules->is_local);
}

static void check(const struct guest *guest)
{
    switch (guest->status) {
    case GREET_MORE:
    case GREET_CANCEL:
        if (guest->greet->state == GREET_CANCELLING && greet_startup(guest->greet) == NULL) {
            abort();
        }
        return;
    case GREET_ACCEPTED:
        if (!may_get_in(&guest->rules)) {
            abort();
        }
        return;
    case GREET_CLOSED:
        if (!error_is_set(&guest->err)) {
            abort();
        }
        return;
    case GREET_NEEDS_CREDENTIAL: abort(); /* the guest answers it at once */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct guest guest;

    if (size < HEADER_SIZE) {
        return 0;
    }
    bool has_tls = (bytes[0] & (HAS_TLS | INSIDE_TLS)) != 0 && (bytes[0] & IS_LOCAL) == 0;
    unsigned kind = bytes[1] & STORED_MASK;
    struct guest_rules rules = {.auth_type = (bytes[0] & METHOD_MASK) % (HBA_PEER + 1),
                                .tls_mode = (bytes[0] & WANTS_TLS) != 0 ? TLS_REQUIRE : TLS_PREFER,
                                .tls = has_tls ? server_tls : NULL,
                                .is_local = (bytes[0] & IS_LOCAL) != 0,
                                .credential = kind < 4 ? &stored[kind] : NULL};
    guest_open(&guest, &rules);
    if (has_tls && (bytes[0] & INSIDE_TLS) != 0) {
        guest_start_tls(&guest, client_tls);
    }
    feed(&guest, bytes + HEADER_SIZE, size - HEADER_SIZE, (bytes[1] >> PIECE_SHIFT) * 17U + 1);
    check(&guest);
    guest_hang_up(&guest);
    if (guest.status == GREET_MORE) {
        abort(); /* silence must end it */
    }
    check(&guest);
    guest_close(&guest);
    return 0;
}
