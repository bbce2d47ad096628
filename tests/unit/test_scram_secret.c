/* SCRAM secrets: those of PostgreSQL and of Python's hashlib, and texts that are none. */
#include <string.h>

#include "check.h"
#include "wire/scram.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct golden {
    const char *password, *secret;
};

static void expect_made(const struct golden *golden)
{
    struct scram_secret secret, made;
    struct error err = {0};

    assert_true(scram_secret_parse(golden->secret, &secret, &err));
    assert_false(secret.has_client_key);
    assert_true(scram_secret_make(golden->password, secret.salt, secret.salt_size,
                                  secret.iterations, &made));
    assert_true(made.has_client_key);
    assert_int_equal(made.iterations, secret.iterations);
    assert_int_equal(made.salt_size, secret.salt_size);
    assert_memory_equal(made.salt, secret.salt, secret.salt_size);
    assert_memory_equal(made.stored_key, secret.stored_key, SCRAM_KEY_SIZE);
    assert_memory_equal(made.server_key, secret.server_key, SCRAM_KEY_SIZE);
}

/* CREATE ROLE in a database whose encoding is SQL_ASCII, so that any bytes can be a password. */
static void secrets_are_those_of_postgresql(void **)
{
    static const struct golden cases[] = {
        {"secret", "SCRAM-SHA-256$4096:vLdR7ybZN7q6jdAUzU0ObQ==$udU/"
                   "lADWKj0fBdVkMpHlksCIzfclcwIik0Hi3UV1mF4=:"
                   "dk4LRZZHbrmMfVYbxsK8eeAnVODca8MWqSBJIiBdtJY="}, /* ASCII */
        {"\x01\x02 tab\t\x7f",
         "SCRAM-SHA-256$4096:LsCbuCrsDjUM4IG/0Mey7w==$2S1+pI1QlzcWIgqEpwMUtTN6jCdg/"
         "BDhnIpCunojuGM=:+LMUBPWq4Yfy+EAjaIzbOoY/j7H1ApdUFFkaNu/bEO0="}, /* ASCII with control
                                                                             characters: as it is */
        {"p\xc3\xa4ssword",
         "SCRAM-SHA-256$4096:brlVOi5LqKOhkkxzlHc+HQ==$xBuKi9Pb47FivdFDaEcwbIcPp3kKMbOp9QjXPaAhr7c=:"
         "IaG4G5SIw2x+mfmsYKleEUKeN/izb2L7h0T5aKZVnmI="}, /* composed already */
        {"pa\xcc\x88ssword",
         "SCRAM-SHA-256$4096:4H/TkAQFcCC6UuHjHaAPLA==$i4MB8SB81oY0N/"
         "GcahIeAejAd4AeWvWMDhnThgw6G5Y=:z9sRaUmOWIyCz91OARNvE1oYRt1HwNx55hV1966fD6c="}, /* composed
                                                                                            by NFKC
                                                                                          */
        {"\xe2\x85\xa8",
         "SCRAM-SHA-256$4096:MiO7UCsWZLgjRhL0CusUsA==$qOBmGm1WtnA1m8kVxx7HpW4WgWRD0NIpI1jdqyzKNag=:"
         "KV++ikxAd5qmegGqZZe/ZLsEHwfcxqEeQ43TKoZKcFc="}, /* "IX", RFC 4013 */
        {"I\xc2\xadX",
         "SCRAM-SHA-256$4096:D/GR5p/"
         "6QzoAK2dk5FGYNg==$UY3u3+L9U3wiLLxAOKkrqvlvidjY9KAJ6nP3ZnJy0zE=:gkD0drCWAt5miiRGco0q+"
         "MjemlWEmurZRAFK6PLedTo="}, /* a soft hyphen is mapped to nothing */
        {"\xc2\xaa",
         "SCRAM-SHA-256$4096:t0hXO5l65S8fepuZFigD8w==$eL8lfF2rxo1jlA8ISIqo75sPUpUQEaOCcInAP7Hyars=:"
         "4iQVrjXlh9GS3Vl9l4ZaFqIMcN0WHt7+C78/U/PcKiU="}, /* "a" */
        {"a\xc2\xa0\xe3\x80\x80"
         "b",
         "SCRAM-SHA-256$4096:igdHM0ssHrfrKjB1zoLXKw==$GU8zyKiu+CROeMIbBBaqx2epLj3s0hy98ZsyPrVpxe4=:"
         "U5IRrc30acExRe/kr1XzYGsO19o72TpI28w+rpE2jDU="}, /* spaces become one kind */
        {"\xe2\x80\x8b\xe2\x80\x8bx", "SCRAM-SHA-256$4096:IWbj01AjuXxGj7Vqm6IdDQ==$UF63Qnt/"
                                      "bHy4Bt0qhSnedQMU1kE+dhKqghCfNQ6oLJM=:zyKXF9BOGGR2w/"
                                      "GoKBnh34C52uu8ls+iXGXUu/jGCZU="}, /* zero width space: a
                                                                            space here */
        {"\xc3\xa9\x07", "SCRAM-SHA-256$4096:vFE08LNFB1nOpD8B4mRDDw==$f/Z8/"
                         "newzoY0VEcECYhTNQCfCAVOaKU6DyK1eVPcXFQ=:"
                         "tbI4tNI5CBMFiCziuuj360GLx3z1SAV0yJ2uLhGj84M="}, /* prohibited: control
                                                                             character */
        {"\xd8\xa7"
         "1",
         "SCRAM-SHA-256$4096:AVXVqIybmvWfg0RkKHBFPg==$ZrRRppihV2Zmgxh6AEwrPHWm86HRGHzVzjrsbbyhwFc=:"
         "w28h5yboxBThiMMky6xaoPtrMr/SbByjpf1Q6UgbkVU="}, /* bidi: prohibited */
        {"\xd8\xa7"
         "1\xd8\xa8",
         "SCRAM-SHA-256$4096:56v0jgKCv5d3TSxug4nlpA==$Sm4KW1OwhOJPkTVzknH4qR+YoV+JJkYPTSAKnATdzDE=:"
         "cAmahSxy4OZWpqcDjsK3SNQ5HGKUE9Qsy2ke/WKbOXc="}, /* bidi: fine */
        {"\xd8\xa7"
         "a\xd8\xa8",
         "SCRAM-SHA-256$4096:FrKz1YqKi/"
         "wA9qdiwjcMWw==$mwYVqecdCtwP7oujWy7EdWrEKS9M0VBEVEkghtu2QQc=:xzxCX+7PSETpZc2fs6JXv/H5ww4i/"
         "q+fmf2vUhW50r4="}, /* both directions: prohibited */
        {"\xcd\x80x",
         "SCRAM-SHA-256$4096:NJ8QaCRx/"
         "i3+Jq13cJ86zg==$KeVaW+p89gS4nXIGahR09lhkliTND4x1kZHjRI6wLM0=:qyj2NhceP4T3G49nryKbEtuOPRZ/"
         "oAPWovM6g25B688="}, /* prohibited before normalization */
        {"\xf0\x9f\x98\x80",
         "SCRAM-SHA-256$4096:B024T8EbV+dmTgkxCwIHhA==$77Nnvb+h9vYsVxY3LtfTYhqi1T3k+SNiw/"
         "cZSZmTc+Y=:uz3ayKQ2LsEg/xwlV1FNppe8WrM/VkIQOOua1nj/joQ="}, /* not in Unicode 3.2 */
        {"\xc2\xad",
         "SCRAM-SHA-256$4096:22HMyrOQKybH6okHsLfWMQ==$wPxbvMrFIVU61No0fKGLUL7WwruIrdE0taUHU+5UWks=:"
         "PL4LO/tr7/IYEJqzkz10PBz1Z+tvSbdyCqi2uLiO5Cw="}, /* would be empty */
        {"\xf0\xaf\xa1\xa8",
         "SCRAM-SHA-256$4096:2JWSfJMnVaY6E55cVJkOOQ==$RwYKXuAKhLLTg931ie2G0DqRGkPeHb9UQdT8HMluMJM=:"
         "V6lG6VUuYy5t9sZaIdzM3AfNQ+m3F2BjLAWNMvod+Vc="}, /* Corrigendum 4 */
        {"\xff\xfe",
         "SCRAM-SHA-256$4096:WuGuJnKMN8EZiXmmiItG5g==$9FmlyQc9OXQYiJT7EYAGsoEnIlifmy0DkDaMtB2ZMBc=:"
         "oaLDVBDxrbzy+Txb7QamOa9UHp534I/dQjEyRlVhI2o="}, /* not UTF-8 */
        {"\xc3\xa9\xc0\xaf", "SCRAM-SHA-256$4096:hJQMMAxq7GizGXc/"
                             "1kbm7g==$5NvnAmAjJnchQsVDm9DXKanuHNDLiOw7nAGoL0wmS2M=:"
                             "EHqEzGFx4sVnMNWgNBFJoVhZY71We86/pH5DjRQfScA="}, /* overlong */
        {"\xed\xa0\x80\xc2\xaa",
         "SCRAM-SHA-256$4096:5jqfHTXUUE62dExUNcZqUw==$fbz5tbzP5FWNOVGbt0841lFjNWeqK1KzePwuT/"
         "0ka2U=:uuDAIFU0TVt8tKdWm2opAWWeCIv4nGjVB2PPvAxRVLs="}, /* surrogate */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect_made(&cases[i]);
    }
}

/* hashlib.pbkdf2_hmac() and hmac: other salts and iterations than PostgreSQL's. */
static void secrets_are_those_of_hashlib(void **)
{
    static const struct golden cases[] = {
        {"pencil",
         "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
         "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="},
        {"secret",
         "SCRAM-SHA-256$1:MTIzNDU2Nzg5MDEyMzQ1Ng==$tNk/"
         "wwZBZSF2UxH32QYO2vsakXgaNdH3dz+9iQGjBnA=:9YsDhnPDZVW0Jd7IFszKTX1gh3dJa/nuPegNHsG6sb4="},
        {"", "SCRAM-SHA-256$2:c2FsdA==$qEZiTPzHutrLDifX8Dqn4SVHvqN72wsB08tLoTz8Khs=:sq+"
             "j2AZXMTeLaswgFdwraY2SQjtaJzVL8whQ43DWrJE="},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxxxxxxxxxxxxx",
         "SCRAM-SHA-256$4096:"
         "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==$"
         "wcjVZEpIBCf4GWXE8/D8Coiq/"
         "atWE752MJoxKVOj8+Q=:u7+MQM96flfl9V7ZpThRWisKmf46bk0H2bpBlcWBR90="},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect_made(&cases[i]);
    }
}

#define KEY "tNk/wwZBZSF2UxH32QYO2vsakXgaNdH3dz+9iQGjBnA="
#define SALT "MTIzNDU2Nzg5MDEyMzQ1Ng=="

static void other_texts_are_refused(void **)
{
    static const char *texts[] = {
        "",
        "secret",
        "md59d792a3a8853c2411afb9163d088c036",
        "SCRAM-SHA-256",
        "SCRAM-SHA-256$",
        "SCRAM-SHA-256$4096",
        "SCRAM-SHA-256$4096:" SALT,
        "SCRAM-SHA-256$4096:" SALT "$" KEY,
        "SCRAM-SHA-256$4096:" SALT "$" KEY ":",
        "SCRAM-SHA-256$4096:" SALT "$" KEY "$" KEY,
        "SCRAM-SHA-256$4096:" SALT "$" KEY ":" KEY ":",
        "SCRAM-SHA-256$4096:" SALT "$" KEY ":" KEY " ",
        "SCRAM-SHA-256$4096:" SALT "$" KEY ":" KEY "AAAA",
        "SCRAM-SHA-256$4096:" SALT "$AAAA:" KEY,
        "SCRAM-SHA-256$4096:" SALT "$" KEY ":AAAA",
        "SCRAM-SHA-256$4096:$" KEY ":" KEY,
        "SCRAM-SHA-256$4096:MTIzNDU2Nzg5MDEyMzQ1Ng=$" KEY ":" KEY,
        "SCRAM-SHA-256$4096:MTIzNDU2Nzg5MDEyMzQ1Ng$" KEY ":" KEY,
        "SCRAM-SHA-256$4096:MTIzNDU2Nzg5MDEyMzQ1Nh==$" KEY ":" KEY, /* stray bits */
        "SCRAM-SHA-256$4096:MTIz NDU2Nzg5MDEyMzQ1Ng==$" KEY ":" KEY,
        "SCRAM-SHA-256$4096:*$" KEY ":" KEY,
        "SCRAM-SHA-256$0:" SALT "$" KEY ":" KEY,
        "SCRAM-SHA-256$:" SALT "$" KEY ":" KEY,
        "SCRAM-SHA-256$-1:" SALT "$" KEY ":" KEY,
        "SCRAM-SHA-256$+1:" SALT "$" KEY ":" KEY,
        "SCRAM-SHA-256$1x:" SALT "$" KEY ":" KEY,
        "SCRAM-SHA-256$2147483648:" SALT "$" KEY ":" KEY,
        "SCRAM-SHA-256$99999999999999999999:" SALT "$" KEY ":" KEY,
        "scram-sha-256$4096:" SALT "$" KEY ":" KEY,
        /* 66 bytes of salt */
        "SCRAM-SHA-256$4096:"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "$" KEY ":" KEY,
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct scram_secret secret = {.iterations = 77};
        struct error err = {0};
        assert_false(scram_secret_parse(texts[i], &secret, &err));
        assert_string_equal(err.sqlstate, "22023");
        assert_null(strstr(err.message, KEY)); /* secrets stay out of messages */
        assert_int_equal(secret.iterations, 77);
    }
}

static void every_prefix_of_a_secret_is_refused(void **)
{
    static const char whole[] = "SCRAM-SHA-256$2147483647:" SALT "$" KEY ":" KEY;
    struct scram_secret secret;
    struct error err = {0};
    char text[sizeof whole];

    assert_true(scram_secret_parse(whole, &secret, &err));
    assert_int_equal(secret.iterations, 2147483647);
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        memcpy(text, whole, size);
        text[size] = '\0';
        err = (struct error){0};
        assert_false(scram_secret_parse(text, &secret, &err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_those_of_postgresql),
        cmocka_unit_test(secrets_are_those_of_hashlib),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(every_prefix_of_a_secret_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
