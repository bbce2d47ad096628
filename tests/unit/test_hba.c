/* Who may log in: the rules of a pg_hba.conf, and what is refused in one. */
#include "check.h"

#include <string.h>

#include "config/address.h"
#include "config/hba.h"

static struct hba *parse(const char *text, struct error *err)
{
    return hba_parse(text, strlen(text), "hba", err);
}

static const char rules[] =
    "# who comes from where\n"
    "local   all,\"all\"  postgres          peer map=m\n"
    "local   sameuser     all               scram-sha-256\n"
    "hostssl shop         ann, bob  10.0.0.0/8            cert\n"
    "hostssl shop         /^app_[0-9]+$ 10.0.0.0 255.0.0.0 md5 clientcert=verify-ca\n"
    "hostnossl \"all\"    all       all                   reject\n"
    "host    /^test       all       ::ffff:192.168.1.0/120 trust\n"
    "host    six          \"a\"\"b\" 2001:db8::/32         \\\n"
    "        password\n"
    "host    replication  all       all                   trust\n";

static void the_first_rule_that_fits_decides(void **)
{
    static const struct {
        const char *address; /* NULL: a Unix socket */
        bool has_tls;
        const char *database, *user;
        unsigned line;
        enum hba_method method;
        enum hba_client_certificate certificate;
    } cases[] = {
        {NULL, false, "shop", "postgres", 2, HBA_PEER, HBA_CERTIFICATE_ANY},
        {NULL, false, "ann", "ann", 3, HBA_SCRAM, HBA_CERTIFICATE_ANY},
        {NULL, false, "shop", "ann", 0, HBA_REJECT, HBA_CERTIFICATE_ANY},
        {"10.1.2.3", true, "shop", "ann", 4, HBA_CERT, HBA_CERTIFICATE_FULL},
        {"10.1.2.3", true, "shop", "bob", 4, HBA_CERT, HBA_CERTIFICATE_FULL},
        {"::ffff:10.1.2.3", true, "shop", "bob", 4, HBA_CERT, HBA_CERTIFICATE_FULL},
        {"11.1.2.3", true, "shop", "bob", 0, HBA_REJECT, HBA_CERTIFICATE_ANY},
        {"10.1.2.3", false, "shop", "ann", 0, HBA_REJECT, HBA_CERTIFICATE_ANY},
        {"10.1.2.3", true, "shop", "app_7", 5, HBA_MD5, HBA_CERTIFICATE_CA},
        {"10.1.2.3", true, "shop", "app_7x", 0, HBA_REJECT, HBA_CERTIFICATE_ANY},
        {"9.9.9.9", false, "all", "zoe", 6, HBA_REJECT, HBA_CERTIFICATE_ANY},
        {"9.9.9.9", true, "all", "zoe", 0, HBA_REJECT, HBA_CERTIFICATE_ANY},
        {"192.168.1.77", false, "test2", "zoe", 7, HBA_TRUST, HBA_CERTIFICATE_ANY},
        {"192.168.2.77", false, "test2", "zoe", 0, HBA_REJECT, HBA_CERTIFICATE_ANY},
        {"2001:db8:1::9", false, "six", "a\"b", 8, HBA_PASSWORD, HBA_CERTIFICATE_ANY},
        {"2001:db9:1::9", false, "six", "a\"b", 0, HBA_REJECT, HBA_CERTIFICATE_ANY},
        /* "replication" grants nothing, to a database of that name neither. */
        {"9.9.9.9", true, "replication", "zoe", 0, HBA_REJECT, HBA_CERTIFICATE_ANY},
    };
    struct error err = {0};
    struct hba *hba = parse(rules, &err);

    assert_non_null(hba);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hba_address address;
        bool is_socket = cases[i].address == NULL;
        assert_true(is_socket || address_parse(cases[i].address, &address));
        struct hba_result result = hba_find(hba, is_socket ? NULL : &address, cases[i].has_tls,
                                            cases[i].database, cases[i].user);
        assert_int_equal(result.line, cases[i].line);
        assert_int_equal(result.method, cases[i].method);
        assert_int_equal(result.certificate, cases[i].certificate);
    }
    assert_string_equal(hba_find(hba, NULL, false, "x", "postgres").map, "m");
    assert_null(hba_find(hba, NULL, false, "ann", "ann").map);
    hba_destroy(hba);
}

static void a_mapped_address_is_ipv4_as_the_kernel_gives_it(void **)
{
    static const struct hba_address mapped = {
        16, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3}};
    struct error err = {0};
    struct hba *hba = parse("host all all 10.0.0.0/8 trust\n", &err);

    assert_int_equal(hba_find(hba, &mapped, false, "a", "b").method, HBA_TRUST);
    hba_destroy(hba);
    hba = parse("host all all ::/0 trust\n", &err);
    assert_int_equal(hba_find(hba, &mapped, false, "a", "b").method, HBA_REJECT);
    hba_destroy(hba);
}

static void bad_lines_are_refused_with_their_place(void **)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"hosts all all all trust", "hba:1:1: \"hosts\" is no type that we have"},
        {"\"host\" all all all trust", "hba:1:1: \"host\" is no type that we have"},
        {"include other.conf", "hba:1:1: include is not supported"},
        {"host", "hba:1:5: the line ends before its databases"},
        {"host all", "hba:1:9: the line ends before its users"},
        {"host all all # none", "hba:1:14: the line ends before its address"},
        {"host all all all", "hba:1:17: the line ends before its method"},
        {"host all all 10.0.0.1", "hba:1:22: the line ends before its mask"},
        {"host all all 10.0.0.1 trust", "hba:1:23: is no mask of the address before it"},
        {"host all all 10.0.0.1 ffff:: trust", "hba:1:23: is no mask of the address before it"},
        {"host all all 10.0.0.1/33 trust", "hba:1:14: \"10.0.0.1/33\" is no address or network"},
        {"host all all 10.0.0/8 trust", "hba:1:14: \"10.0.0/8\" is no address or network"},
        {"host all all 10.0.0.256/8 trust", "hba:1:14: \"10.0.0.256/8\" is no address or network"},
        {"host all all example.com trust", "hba:1:14: \"example.com\" is no address or network"},
        {"host all all samenet trust", "hba:1:14: samenet is not supported"},
        {"host all all samehost trust", "hba:1:14: samehost is not supported"},
        {"host all all all,all trust", "hba:1:18: more than one address"},
        {"host all all all ident", "hba:1:18: \"ident\" is no method that we have"},
        {"host all all all peer", "hba:1:18: peer works only on local lines"},
        {"host all all all cert", "hba:1:18: cert works only on hostssl lines"},
        {"host all all all trust clientcert=verify-ca",
         "hba:1:24: clientcert works only on hostssl lines"},
        {"hostssl all all all trust clientcert=1", "hba:1:27: clientcert can't be \"1\""},
        {"hostssl all all all cert clientcert=verify-ca",
         "hba:1:26: clientcert=verify-ca is less than cert asks for"},
        {"host all all all md5 map=m", "hba:1:22: map works only with peer and cert"},
        {"local all all peer map=", "hba:1:20: the map has no name"},
        {"local all all peer mop=x", "hba:1:20: \"mop=x\" is no option that we have"},
        {"host @dbs all all trust", "hba:1:6: names from another file (@) are not supported"},
        {"host samerole all all trust",
         "hba:1:6: samerole is not supported: roles are the servers'"},
        {"host all +admins all trust",
         "hba:1:10: members of a role (+) are not supported: roles are the servers'"},
        {"host all \"ann all trust", "hba:1:10: the quote is not closed on its line"},
        {"host all ,ann all trust", "hba:1:10: an item is missing"},
        {"host all ann, #\n", "hba:1:15: an item is missing"},
        {"host all / all trust", "hba:1:10: an empty regular expression"},
        {"host all /a( all trust", "hba:1:10: is no regular expression: Unmatched ( or \\("},
        {"host all /(a)\\1 all trust",
         "hba:1:10: a backslash may stand only before a special character"},
        {"host all /\\d all trust",
         "hba:1:10: a backslash may stand only before a special character"},
        {"host all /[\\d] all trust",
         "hba:1:10: a backslash in [] means another thing here than in PostgreSQL"},
        {"host all /(?:a) all trust", "hba:1:10: (?…) is not supported"},
        {"host all /a{9} all trust", "hba:1:10: {…} is not supported"},
        {"host all /a.*? all trust",
         "hba:1:10: a repetition of a repetition (*?, ++, …) is not supported"},
        {"host all /a++ all trust",
         "hba:1:10: a repetition of a repetition (*?, ++, …) is not supported"},
        {"host all /(((((a+)+)+)+)+) all trust", "hba:1:10: more than four + are not supported"},
        {"\n\nlocal all all trust\nlocal all all\n", "hba:4:14: the line ends before its method"},
        {"host all all all trust 1 2 3 4 5 6 7 8 9 10 11 12", "hba:1:48: too many fields"},
        {"host all a\x01 all trust", "hba:1:11: control character 0x01"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        assert_null(parse(cases[i].text, &err));
        assert_string_equal(err.sqlstate, "F0000");
        assert_string_equal(err.message, cases[i].message);
    }
}

static void all_bad_lines_are_reported_in_one_run(void **)
{
    static const char text[] =
        "hots all all all trust\nlocal all all trust\nhost all all x trust\n";
    struct error err = {0};
    struct report report;
    struct text out = {0};

    report_init(&report, "hba", text, sizeof text - 1);
    assert_null(hba_parse_reported(&report, &err));
    report_print(&report, &out);
    assert_string_equal(text_cstr(&out), "hba:1:1: error: \"hots\" is no type that we have\n"
                                         "    1 | hots all all all trust\n"
                                         "      | ^~~~\n"
                                         "      hint: local, host, hostssl or hostnossl\n"
                                         "hba:3:14: error: \"x\" is no address or network\n"
                                         "    3 | host all all x trust\n"
                                         "      |              ^\n"
                                         "      hint: host names are not looked up\n");
    text_done(&out);
    report_done(&report);
}

static void names_are_mapped(void **)
{
    static const char maps[] = "# map system database\n"
                               "m ann  postgres\n"
                               "m root postgres\n"
                               "n /^(.*)@example\\.com$ \\1\n"
                               "n /^boss@ all\n"
                               "n /^([^@]*)@test$ app_\\1_x\n"
                               "q \"/lit\" u\n";
    static const struct {
        const char *map, *system, *user;
        bool is_ok;
    } cases[] = {
        {"m", "ann", "postgres", true},
        {"m", "root", "postgres", true},
        {"m", "ann", "ann", false},
        {"m", "bob", "postgres", false},
        {"n", "ann@example.com", "ann", true},
        {"n", "ann@example.com", "bob", false},
        {"n", "ann@example.org", "ann", false},
        {"n", "boss@x", "anyone", true},
        {"n", "zoe@test", "app_zoe_x", true},
        {"n", "zoe@test", "app_zoe", false},
        {"n", "@example.com", "", true}, /* the empty name is no user; the server will say so */
        {"q", "/lit", "u", true},
        {"none", "ann", "ann", false},
        {NULL, "ann", "ann", true},
        {NULL, "ann", "bob", false},
    };
    struct error err = {0};
    struct hba *hba = parse("", &err);

    assert_non_null(hba);
    assert_true(hba_parse_map(hba, maps, sizeof maps - 1, "ident", &err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(hba_maps(hba, cases[i].map, cases[i].system, cases[i].user),
                         cases[i].is_ok);
    }
    assert_true(hba_maps(NULL, NULL, "ann", "ann"));
    assert_false(hba_maps(NULL, "m", "ann", "ann"));
    hba_destroy(hba);
}

static void bad_maps_are_refused(void **)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"m a", "ident:1:4: a line has three names: map, system user, database user"},
        {"m a b c", "ident:1:7: a line has three names: map, system user, database user"},
        {"m a,x b", "ident:1:5: lists are not supported"},
        {"m a /b", "ident:1:5: \"/b\" is no user that can be mapped to"},
        {"m a +b", "ident:1:5: \"+b\" is no user that can be mapped to"},
        {"m a \\1", "ident:1:5: \\1 needs an expression with (…) before it"},
        {"m /a \\1", "ident:1:6: \\1 needs an expression with (…) before it"},
        {"m /a[ b", "ident:1:3: is no regular expression: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        struct hba *hba = parse("", &err);
        assert_false(hba_parse_map(hba, cases[i].text, strlen(cases[i].text), "ident", &err));
        assert_string_equal(err.sqlstate, "F0000");
        assert_ptr_equal(strstr(err.message, cases[i].message), err.message);
        hba_destroy(hba);
    }
}

static void addresses_are_read(void **)
{
    static const struct {
        const char *text;
        unsigned size;
        unsigned char bytes[16];
    } good[] = {
        {"1.2.3.4", 4, {1, 2, 3, 4}},
        {"0.0.0.0", 4, {0}},
        {"255.255.255.255", 4, {255, 255, 255, 255}},
        {"::", 16, {0}},
        {"::1", 16, {[15] = 1}},
        {"1::", 16, {[1] = 1}},
        {"1:2:3:4:5:6:7:8", 16, {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}},
        {"1::7:8", 16, {[1] = 1, [13] = 7, [15] = 8}},
        {"1:2:3:4:5:6:7::", 16, {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7}},
        {"fe80::ABCD", 16, {0xfe, 0x80, [14] = 0xab, [15] = 0xcd}},
        {"::1.2.3.4", 16, {[12] = 1, [13] = 2, [14] = 3, [15] = 4}},
        {"::ffff:1.2.3.4", 4, {1, 2, 3, 4}},
        {"::ffff:102:304", 4, {1, 2, 3, 4}},
    };
    static const char *const bad[] = {
        "",         "1.2.3",   "1.2.3.4.5", "1.2.3.256",        "01.2.3.4",
        "1.2.3.4 ", ":",       ":::",       "1:2:3:4:5:6:7",    "1:2:3:4:5:6:7:8:9",
        "1::2::3",  "12345::", "g::",       "1:2:3:4::5:6:7:8", ":1::2",
        "::1:",     "::1.2.3", "1.2.3.4::", "::1%eth0",         "::1.2.3.4.5",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct hba_address address;
        assert_true(address_parse(good[i].text, &address));
        assert_int_equal(address.size, good[i].size);
        assert_memory_equal(address.bytes, good[i].bytes, 16);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct hba_address address;
        if (address_parse(bad[i], &address)) {
            print_message("%s\n", bad[i]);
        }
        assert_false(address_parse(bad[i], &address));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_that_fits_decides),
        cmocka_unit_test(a_mapped_address_is_ipv4_as_the_kernel_gives_it),
        cmocka_unit_test(bad_lines_are_refused_with_their_place),
        cmocka_unit_test(all_bad_lines_are_reported_in_one_run),
        cmocka_unit_test(names_are_mapped),
        cmocka_unit_test(bad_maps_are_refused),
        cmocka_unit_test(addresses_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
