/* Any bytes from a server at a login.  Between them, on request, the answers of a server that knows
 * the password, or else no input would get past SCRAM.  Whatever comes, the login ends when the
 * server does, says why, keeps little, gives the password to nobody who may not have it, and
 * believes no server that has not proved itself. */
#include <stdlib.h>

#include "../unit/login_peer.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The first byte of an input, and bytes with a meaning in the rest of it. */
enum {
    KIND_MASK = 3,
    MODE_SHIFT = 2,
    MODE_MASK = 3,
    IS_LOCAL = 16,
    WANTS_3_2 = 32,
    PIECE_BYTE_BY_BYTE = 64,
    DO_CONTINUE = 0xf1, /* a server's AuthenticationSASLContinue, well-formed */
    DO_FINAL = 0xf2,    /* and its AuthenticationSASLFinal */
};

static const char password[] = "correct horse";

/* Made once: slow. */
static struct credential credentials[4]; /* by enum credential_kind */
static struct scram_secret secret;
static struct tls_context *tls;

int LLVMFuzzerInitialize(int *, char ***)
{
    const struct tls_files files = {"", "", "", "", "TLSv1.2", ""};
    struct error err = {0};

    tls = tls_client(&files, TLS_PREFER, &err);
    bool is_made = scram_secret_make(password, (const unsigned char *)"salt", 4, 1, &secret);
    credentials[CREDENTIAL_PLAIN].kind = CREDENTIAL_PLAIN;
    memcpy(credentials[CREDENTIAL_PLAIN].text, password, sizeof password);
    credentials[CREDENTIAL_MD5].kind = CREDENTIAL_MD5;
    memcpy(credentials[CREDENTIAL_MD5].text, "md5a3556571e93b0d20722ba62be61e8c2d", 36);
    credentials[CREDENTIAL_SCRAM].kind = CREDENTIAL_SCRAM;
    credentials[CREDENTIAL_SCRAM].scram = secret;
    return tls == NULL || !is_made;
}

struct fuzz {
    struct peer peer;
    struct login_plan plan;
    struct scram_server server;
    bool asked_for_proof, has_proved;
    bool server_knows; /* the password is in the input: the server's errors may hold it */
};

static void expect(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Reads what the client sent; a SASLInitialResponse starts the server's half of SCRAM. */
static void take(struct fuzz *fuzz)
{
    enum { HEAD = 5 + sizeof "SCRAM-SHA-256" + 4 };

    peer_take(&fuzz->peer);
    if (!fuzz->plan.is_local) {
        expect(memmem(fuzz->peer.sent, fuzz->peer.sent_size, password, sizeof password - 1) ==
               NULL);
    }
    if (fuzz->peer.sent_size > HEAD &&
        memcmp(fuzz->peer.sent + 5, "SCRAM-SHA-256", sizeof "SCRAM-SHA-256") == 0) {
        fuzz->asked_for_proof = true;
    }
}

static void send_some(struct fuzz *fuzz, const void *bytes, size_t size)
{
    if (fuzz->peer.status == LOGIN_MORE) {
        peer_send(&fuzz->peer, bytes, size);
    }
}

/* The message in `sent` is the client's first, or final one, if it's any. */
static void answer_scram(struct fuzz *fuzz, uint8_t what)
{
    enum { HEAD = 5 + sizeof "SCRAM-SHA-256" + 4 };
    static const unsigned char nonce[SCRAM_NONCE_SIZE] = "a nonce of 18 byte";
    struct buffer out = {0};
    char answer[SCRAM_TEXT_MAX];
    struct error err = {0};
    bool is_done = false;

    if (what == DO_CONTINUE && fuzz->asked_for_proof && fuzz->peer.sent_size > HEAD) {
        scram_server_begin(&fuzz->server, &secret, NULL, 0, false);
        is_done =
            scram_server_first(&fuzz->server, fuzz->peer.sent + HEAD, fuzz->peer.sent_size - HEAD,
                               nonce, answer, sizeof answer, &err);
        fuzz->server.secret = is_done ? &secret : NULL;
    }
    if (what == DO_FINAL && fuzz->server.secret != NULL && fuzz->peer.sent_size > 5) {
        is_done = scram_server_final(&fuzz->server, fuzz->peer.sent + 5, fuzz->peer.sent_size - 5,
                                     answer, sizeof answer, &err);
        fuzz->server.secret = NULL;
        fuzz->has_proved = fuzz->has_proved || is_done;
    }
    if (is_done) {
        put_authentication(&out, what == DO_CONTINUE ? 11 : 12, answer, strlen(answer));
        send_some(fuzz, buffer_bytes(&out), buffer_size(&out));
        buffer_done(&out);
        take(fuzz);
    }
}

/* Up to the next byte with a meaning, in pieces, but not so many that nothing else is tried. */
static void feed(struct fuzz *fuzz, const uint8_t *bytes, size_t size, size_t piece)
{
    for (size_t at = 0; at < size && fuzz->peer.status == LOGIN_MORE;) {
        size_t count = 0;
        while (at + count < size && count < piece && bytes[at + count] != DO_CONTINUE &&
               bytes[at + count] != DO_FINAL) {
            count++;
        }
        if (count > 0) {
            send_some(fuzz, bytes + at, count);
            take(fuzz);
            at += count;
            continue;
        }
        answer_scram(fuzz, bytes[at++]);
    }
}

static void expect_sense(const struct fuzz *fuzz)
{
    enum tls_mode other = TLS_VERIFY_FULL;

    if (fuzz->peer.status == LOGIN_READY) {
        const struct login_result *result = login_result(fuzz->peer.login);
        expect(!fuzz->asked_for_proof || fuzz->has_proved);
        expect(result->parameter_count <= STARTUP_PARAMETER_MAX);
        expect(result->key_size == 0 ||
               (result->key_size >= 4 && result->key_size <= STARTUP_KEY_MAX));
        for (size_t i = 0; i < result->parameter_count; i++) {
            expect(result->parameters[i].name[0] != '\0' && result->parameters[i].value != NULL);
        }
        return;
    }
    expect(fuzz->peer.status == LOGIN_FAILED);
    expect(strlen(fuzz->peer.err.sqlstate) == 5);
    expect(strncmp(fuzz->peer.err.message, "login to n1: ", 13) == 0);
    expect(fuzz->server_knows || strstr(fuzz->peer.err.message, password) == NULL);
    if (login_other_mode(fuzz->peer.login, &other)) {
        expect(other == (fuzz->plan.tls_mode == TLS_ALLOW ? TLS_REQUIRE : TLS_DISABLE));
        expect(fuzz->plan.tls_mode == TLS_ALLOW || fuzz->plan.tls_mode == TLS_PREFER);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    enum { PIECES_MAX = 256 };
    struct fuzz fuzz = {.server_knows = memmem(bytes, size, password, sizeof password - 1) != NULL};

    if (size < 1) {
        return 0;
    }
    fuzz.plan = (struct login_plan){.host = "n1",
                                    .user = "ann",
                                    .database = "shop",
                                    .credential = &credentials[bytes[0] & KIND_MASK],
                                    .tls_mode = (bytes[0] >> MODE_SHIFT) & MODE_MASK,
                                    .tls = tls,
                                    .is_local = (bytes[0] & IS_LOCAL) != 0,
                                    .wants_3_2 = (bytes[0] & WANTS_3_2) != 0};
    size_t piece = (bytes[0] & PIECE_BYTE_BY_BYTE) != 0 ? size / PIECES_MAX + 1 : size;
    peer_begin(&fuzz.peer, &fuzz.plan);
    take(&fuzz);
    feed(&fuzz, bytes + 1, size - 1, piece);
    peer_hang_up(&fuzz.peer);
    loop_turn(fuzz.peer.loop, 0); /* the end of a handshake is an event of its own */
    expect_sense(&fuzz);
    scram_server_done(&fuzz.server);
    peer_end(&fuzz.peer);
    return 0;
}
