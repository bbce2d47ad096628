/* Before anybody has said who they are: the first byte, requests for encryption, startup packets.
 */
#include "check.h"

#include "greet_guest.h"
#include "session/greet_private.h"
#include "wire/startup.h"

/* What a client may send before its login, by letter.  One in capitals has a startup packet behind
 * it in the same send. */
struct packet {
    char letter;
    uint32_t version; /* or a request's code */
    const char *body;
    size_t body_size;
    uint32_t claims; /* length that it claims; 0: its own */
};

enum { CANCEL = 0x04d2162e, TLS = 0x04d2162f, GSS = 0x04d21630, V3 = 3 << 16 };
#define BODY(text) (text), sizeof(text) - 1

static const char key_256[STARTUP_KEY_MAX + 4 + 1];
static const char padding[STARTUP_PACKET_MAX];

static const struct packet packets[] = {
    {'s', TLS, NULL, 0, 0},
    {'S', TLS, NULL, 0, 0},
    {'g', GSS, NULL, 0, 0},
    {'G', GSS, NULL, 0, 0},
    {'e', TLS, BODY("\1\2\3\4"), 0},
    {'c', CANCEL, BODY("\0\0\1\2\xde\xad\xbe\xef"), 0},
    {'d', CANCEL, key_256, 4 + STARTUP_KEY_MAX, 0},
    {'j', CANCEL, BODY("\0\0\1\2\xde\xad\xbe"), 0},     /* a key of 3 bytes */
    {'k', CANCEL, key_256, 4 + STARTUP_KEY_MAX + 1, 0}, /* of 257 */
    {'0', V3, BODY("user\0u\0database\0d\0\0"), 0},
    {'1', V3 + 1, BODY("user\0u\0\0"), 0},
    {'2', V3 + 2, BODY("user\0u\0\0"), 0},
    {'9', V3 + 9999, BODY("user\0u\0_pq_.x\0y\0_pq_.z\0\0\0"), 0},
    {'8', V3 + 3, BODY("user\0u\0\0"), 0},
    {'q', V3, BODY("user\0u\0_pq_.x\0y\0\0"), 0},
    {'A', 2 << 16, BODY("user\0u\0\0"), 0},
    {'B', 4 << 16, BODY("user\0u\0\0"), 0},
    {'u', V3, BODY("user\0u"), 0},   /* no string ends */
    {'v', V3, BODY("user\0u\0"), 0}, /* no list ends */
    {'x', V3, BODY("user\0u\0\0rest"), 0},
    {'n', V3, BODY("\0"), 0},
    {'m', V3, BODY("database\0d\0\0"), 0},
    {'w', 0x20485454, BODY("P/1.1\r\nHost: db\r\n\r\n"), 0x47455420}, /* "GET  HTTP/1.1" */
    {'h', 0x01020001, BODY("\0\1\xfc\3\3"), 0x16030102}, /* a ClientHello's first bytes */
    {'z', V3, NULL, 0, UINT32_MAX},                      /* as if it were 0 */
    {'y', V3, NULL, 0, 7},
    {'b', V3, padding, STARTUP_PACKET_MAX - 4, 0},     /* as long as can be; no list ends */
    {'o', V3, padding, STARTUP_PACKET_MAX - 4, 10005}, /* says one byte more */
};

static const struct packet *packet_of(char letter)
{
    for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
        if (packets[i].letter == letter) {
            return &packets[i];
        }
    }
    fail_msg("no packet '%c'", letter);
    return NULL;
}

static void packet_write(char letter, struct buffer *out)
{
    const struct packet *packet = packet_of(letter);
    struct message_writer writer = message_begin(out, 0);

    message_put_u32(&writer, packet->version);
    message_put_bytes(&writer, packet->body, packet->body_size);
    assert_true(message_end(&writer));
    if (packet->claims != 0) {
        message_set_u32(buffer_bytes(out), packet->claims == UINT32_MAX ? 0 : packet->claims);
    }
    if (letter == 'S' || letter == 'G') {
        packet_write('0', out);
    }
}

/* Sends the packets one after the other, in pieces of `piece` bytes. */
static void send_packets(struct guest *guest, const char *letters, size_t piece)
{
    for (const char *letter = letters; *letter != '\0'; letter++) {
        struct buffer out = {0};
        packet_write(*letter, &out);
        size_t size = buffer_size(&out);
        for (size_t at = 0; at < size && guest->status == GREET_MORE; at += piece) {
            guest_send(guest, buffer_bytes(&out) + at, size - at < piece ? size - at : piece);
        }
        buffer_done(&out);
    }
}

struct script {
    const char *letters;
    const char *told;
    enum greet_status status;
    const char *sqlstate, *message; /* for the log, when closed */
};

#define MITM                                                                                       \
    "This could be either a client-software bug or evidence of an attempted man-in-the-middle "    \
    "attack."
#define VERSION(text) "unsupported frontend protocol " text ": server supports 3.0 to 3.2"
#define LAYOUT "invalid startup packet layout: expected terminator as last byte"
#define NO_USER "no PostgreSQL user name specified in startup packet"

static const struct script scripts[] = {
    {"0", "R0", GREET_ACCEPTED, NULL, NULL},
    {"s0", "N R0", GREET_ACCEPTED, NULL, NULL},
    {"g0", "N R0", GREET_ACCEPTED, NULL, NULL},
    {"sg0", "N N R0", GREET_ACCEPTED, NULL, NULL},
    {"gs0", "N N R0", GREET_ACCEPTED, NULL, NULL},
    {"ss", "N E0A000 " VERSION("1234.5679"), GREET_CLOSED, "0A000", VERSION("1234.5679")},
    {"gg", "N E0A000 " VERSION("1234.5680"), GREET_CLOSED, "0A000", VERSION("1234.5680")},
    {"sgs", "N N E0A000 " VERSION("1234.5679"), GREET_CLOSED, "0A000", VERSION("1234.5679")},
    {"gsg", "N N E0A000 " VERSION("1234.5680"), GREET_CLOSED, "0A000", VERSION("1234.5680")},
    {"e", "E08P01 invalid length of encryption request", GREET_CLOSED, "08P01",
     "invalid length of encryption request"},
    {"c", "", GREET_CANCEL, NULL, NULL},
    {"sc", "N", GREET_CANCEL, NULL, NULL},
    {"gc", "N", GREET_CANCEL, NULL, NULL},
    {"sgd", "N N", GREET_CANCEL, NULL, NULL},
    {"j", "", GREET_CLOSED, "08P01", "invalid length of cancel request: 3 bytes of key"},
    {"k", "", GREET_CLOSED, "08P01", "invalid length of cancel request: 257 bytes of key"},
    {"1", "R0", GREET_ACCEPTED, NULL, NULL}, /* as PostgreSQL 18 */
    {"2", "R0", GREET_ACCEPTED, NULL, NULL},
    {"8", "v3.2 R0", GREET_ACCEPTED, NULL, NULL},
    {"9", "v3.2 _pq_.x _pq_.z R0", GREET_ACCEPTED, NULL, NULL},
    {"q", "v3.0 _pq_.x R0", GREET_ACCEPTED, NULL, NULL},
    {"B", "E0A000 " VERSION("4.0"), GREET_CLOSED, "0A000", VERSION("4.0")},
    {"u", "E08P01 " LAYOUT, GREET_CLOSED, "08P01", LAYOUT},
    {"v", "E08P01 " LAYOUT, GREET_CLOSED, "08P01", LAYOUT},
    {"x", "E08P01 " LAYOUT, GREET_CLOSED, "08P01", LAYOUT},
    {"b", "E08P01 " LAYOUT, GREET_CLOSED, "08P01", LAYOUT},
    {"n", "E28000 " NO_USER, GREET_CLOSED, "28000", NO_USER},
    {"sm", "N E28000 " NO_USER, GREET_CLOSED, "28000", NO_USER},
    {"w", "", GREET_CLOSED, "08P01", "invalid length of startup packet"},
    {"z", "", GREET_CLOSED, "08P01", "invalid length of startup packet"},
    {"y", "", GREET_CLOSED, "08P01", "invalid length of startup packet"},
    {"o", "", GREET_CLOSED, "08P01", "invalid length of startup packet"},
    {"sw", "N", GREET_CLOSED, "08P01", "invalid length of startup packet"},
    {"h", "", GREET_CLOSED, "08P01", "direct TLS is not accepted here"},
};

static const struct guest_rules trusting = {.auth_type = HBA_TRUST};

static void expect(struct guest *guest, const struct script *script)
{
    assert_string_equal(guest_told(guest), script->told);
    assert_int_equal(guest->status, script->status);
    assert_string_equal(guest->err.sqlstate, script->sqlstate != NULL ? script->sqlstate : "");
    assert_string_equal(guest->err.message, script->message != NULL ? script->message : "");
}

static void packets_are_answered_as_postgresql_does(void **)
{
    static const size_t pieces[] = {SIZE_MAX / 2, 1, 3, 8};

    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        for (size_t j = 0; j < sizeof pieces / sizeof pieces[0]; j++) {
            struct guest guest;
            print_message("# %s in pieces of %zu\n", scripts[i].letters, pieces[j]);
            guest_open(&guest, &trusting);
            send_packets(&guest, scripts[i].letters, pieces[j]);
            expect(&guest, &scripts[i]);
            guest_close(&guest);
        }
    }
}

static void every_prefix_and_then_silence_closes(void **)
{
    for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
        struct buffer out = {0};
        if (packets[i].letter == 'S' || packets[i].letter == 'G') {
            continue; /* two packets: the first is answered */
        }
        packet_write(packets[i].letter, &out);
        size_t size = buffer_size(&out) < 64 ? buffer_size(&out) : 64;
        for (size_t prefix = 0; prefix < size; prefix++) {
            struct guest guest;
            guest_open(&guest, &trusting);
            guest_send(&guest, buffer_bytes(&out), prefix);
            assert_int_not_equal(guest.status, GREET_ACCEPTED);
            assert_int_not_equal(guest.status, GREET_CANCEL);
            guest_hang_up(&guest);
            assert_int_equal(guest.status, GREET_CLOSED);
            assert_string_equal(guest.err.sqlstate, prefix == 0 ? "08006" : "08P01");
            assert_string_equal(guest_told(&guest), "");
            guest_close(&guest);
        }
        buffer_done(&out);
    }
}

/* CVE-2021-23214 */
static void plaintext_behind_a_request_ends_the_connection(void **)
{
    static const struct script stuffed[] = {
        {"S", "E08P01 received unencrypted data after SSL request (" MITM ")", GREET_CLOSED,
         "08P01", "received unencrypted data after SSL request"},
        {"gS", "N E08P01 received unencrypted data after SSL request (" MITM ")", GREET_CLOSED,
         "08P01", "received unencrypted data after SSL request"},
        {"G", "E08P01 received unencrypted data after GSSAPI encryption request (" MITM ")",
         GREET_CLOSED, "08P01", "received unencrypted data after GSSAPI encryption request"},
    };

    for (size_t i = 0; i < sizeof stuffed / sizeof stuffed[0]; i++) {
        struct guest guest;
        guest_open(&guest, &trusting);
        send_packets(&guest, stuffed[i].letters, SIZE_MAX / 2);
        expect(&guest, &stuffed[i]);
        guest_close(&guest);
    }
}

static void protocol_2_is_refused_in_its_own_words(void **)
{
    static const char expected[] = "EFATAL:  " VERSION("2.0") "\n";
    struct guest guest;

    guest_open(&guest, &trusting);
    send_packets(&guest, "A", SIZE_MAX / 2);
    assert_int_equal(guest.status, GREET_CLOSED);
    assert_string_equal(guest.err.sqlstate, "0A000");
    assert_int_equal(buffer_size(&guest.in), sizeof expected); /* and its zero */
    assert_memory_equal(buffer_bytes(&guest.in), expected, sizeof expected);
    guest_close(&guest);
}

static void a_cancel_request_is_told_whole(void **)
{
    struct guest guest;

    guest_open(&guest, &trusting);
    assert_null(greet_startup(guest.greet));
    send_packets(&guest, "c", 1);
    assert_int_equal(guest.status, GREET_CANCEL);
    const struct startup *startup = greet_startup(guest.greet);
    assert_int_equal(startup->cancel_pid, 0x102);
    assert_int_equal(startup->cancel_key_size, 4);
    assert_memory_equal(startup->cancel_key, "\xde\xad\xbe\xef", 4);
    guest_close(&guest);
    guest_open(&guest, &trusting);
    send_packets(&guest, "d", SIZE_MAX / 2);
    assert_int_equal(greet_startup(guest.greet)->cancel_key_size, STARTUP_KEY_MAX);
    guest_close(&guest);
}

static void the_startup_packet_outlives_its_bytes(void **)
{
    static const struct {
        const char *letter, *database;
        uint32_t version;
    } cases[] = {{"0", "d", V3}, {"1", "u", V3 + 1}, {"2", "u", V3 + 2}, {"9", "u", V3 + 2}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct guest guest;
        guest_open(&guest, &trusting);
        send_packets(&guest, cases[i].letter, SIZE_MAX / 2);
        assert_int_equal(buffer_size(&guest.stream.out), 0);
        assert_string_equal(greet_startup(guest.greet)->user, "u");
        assert_string_equal(greet_startup(guest.greet)->database, cases[i].database);
        assert_int_equal(greet_version(guest.greet), cases[i].version);
        assert_string_equal(greet_method(guest.greet), "trust");
        unsigned char key[SCRAM_KEY_SIZE];
        assert_false(greet_client_key(guest.greet, key));
        guest_close(&guest);
    }
}

static void what_came_behind_the_login_is_left_over(void **)
{
    static const char query[] = "Q\0\0\0\x0dSELECT 1";
    struct buffer out = {0};
    struct guest guest;
    size_t size;

    guest_open(&guest, &trusting);
    packet_write('0', &out);
    assert_true(buffer_append(&out, query, sizeof query));
    guest_send(&guest, buffer_bytes(&out), buffer_size(&out));
    assert_string_equal(guest_told(&guest), "R0");
    const char *left = greet_left_over(guest.greet, &size);
    assert_int_equal(size, sizeof query);
    assert_memory_equal(left, query, sizeof query);
    buffer_done(&out);
    guest_close(&guest);
    guest_open(&guest, &trusting);
    send_packets(&guest, "0", SIZE_MAX / 2);
    (void)greet_left_over(guest.greet, &size);
    assert_int_equal(size, 0);
    guest_close(&guest);
}

/* A flood is not read beyond what the state needs. */
static void no_more_is_read_than_needed(void **)
{
    static const char flood[100000] = {0, 0, 0, 15, 0, 3, 0, 0, 'u', 's', 'e', 'r', 0, 'u', 0};
    struct guest guest;
    size_t size;

    guest_open(&guest, &trusting);
    guest_send(&guest, "\0\0\0\x10\0\3\0\0user\0u\0\0", 16);
    guest_send(&guest, flood, sizeof flood);
    (void)greet_left_over(guest.greet, &size);
    assert_int_equal(size, 0); /* it had come to its end before */
    guest_close(&guest);
    guest_open(&guest, &(struct guest_rules){.auth_type = HBA_SCRAM});
    guest_send(&guest, "\0\0\0\x10\0\3\0\0user\0u\0\0", 16);
    guest_send(&guest, "p\0\0\4\0", 5); /* announces a body of 1020 */
    guest_send(&guest, flood, 900);
    assert_int_equal(guest.status, GREET_MORE);
    guest_send(&guest, flood, sizeof flood);
    assert_int_equal(guest.status, GREET_CLOSED);
    assert_in_range(buffer_size(&guest.greet->in), 0, BUFFER_BLOCK_SIZE);
    guest_close(&guest);
}

static void an_idle_guest_holds_no_buffer(void **)
{
    struct guest guest;

    guest_open(&guest, &trusting);
    assert_null(guest.greet->in.bytes);
    assert_null(guest.stream.out.bytes);
    send_packets(&guest, "s", SIZE_MAX / 2);
    assert_null(guest.greet->in.bytes);
    guest_close(&guest);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_answered_as_postgresql_does),
        cmocka_unit_test(every_prefix_and_then_silence_closes),
        cmocka_unit_test(plaintext_behind_a_request_ends_the_connection),
        cmocka_unit_test(protocol_2_is_refused_in_its_own_words),
        cmocka_unit_test(a_cancel_request_is_told_whole),
        cmocka_unit_test(the_startup_packet_outlives_its_bytes),
        cmocka_unit_test(what_came_behind_the_login_is_left_over),
        cmocka_unit_test(no_more_is_read_than_needed),
        cmocka_unit_test(an_idle_guest_holds_no_buffer),
    };

    if (argc > 1 && strcmp(argv[1], "--draw") == 0) {
        machine_draw(&greet_machine, stdout);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
