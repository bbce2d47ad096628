/* Certificates made for one test program: two authorities and who they vouch for.
 *
 *   ca.crt, stranger_ca.crt          authorities
 *   server    db.test, *.wild.test and 127.0.0.1 as alternative names
 *   address   127.0.0.1 as its common name only
 *   client    CN=alice,O=Reparto
 *   expired   a server for db.test until yesterday
 *   revoked   a server for db.test that ca.crl revokes
 *   stranger  a client, CN=alice too, of stranger_ca
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

enum { CERTIFICATE_PATH_SIZE = 128, CERTIFICATE_DAY = 86400 };

struct certificates {
    char directory[64];
};

struct certificate_maker {
    X509 *certificate;
    EVP_PKEY *key;
};

/* `path` of a file of `certificates`; returns it. */
static const char *certificate_path(const struct certificates *certificates, const char *name,
                                    char path[CERTIFICATE_PATH_SIZE])
{
    int length = snprintf(path, CERTIFICATE_PATH_SIZE, "%s/%s", certificates->directory, name);
    assert_in_range(length, 1, CERTIFICATE_PATH_SIZE - 1);
    return path;
}

static FILE *certificate_file(const struct certificates *certificates, const char *name,
                              const char *suffix)
{
    char file[64], path[CERTIFICATE_PATH_SIZE];

    assert_in_range(snprintf(file, sizeof file, "%s%s", name, suffix), 1, sizeof file - 1);
    FILE *out = fopen(certificate_path(certificates, file, path), "w");
    assert_non_null(out);
    assert_int_equal(chmod(path, 0600), 0);
    return out;
}

static void certificate_extend(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* Writes NAME.crt and NAME.key; the caller frees the result.  `issuer` NULL: an authority. */
static struct certificate_maker certificate_make(const struct certificates *certificates,
                                                 const char *name, long serial,
                                                 const char *common_name,
                                                 const char *alternative_names, long days,
                                                 const struct certificate_maker *issuer)
{
    struct certificate_maker made = {X509_new(), EVP_EC_gen("P-256")};
    assert_non_null(made.certificate);
    assert_non_null(made.key);
    X509 *parent = issuer == NULL ? made.certificate : issuer->certificate;
    X509_NAME *subject = X509_get_subject_name(made.certificate);

    X509_set_version(made.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), -2L * CERTIFICATE_DAY);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), days * CERTIFICATE_DAY);
    X509_set_pubkey(made.certificate, made.key);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"Reparto", -1, -1,
                               0);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1,
                               -1, 0);
    X509_set_issuer_name(made.certificate, X509_get_subject_name(parent));
    certificate_extend(made.certificate, parent, NID_basic_constraints,
                       issuer == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    if (alternative_names != NULL) {
        certificate_extend(made.certificate, parent, NID_subject_alt_name, alternative_names);
    }
    assert_true(X509_sign(made.certificate, issuer == NULL ? made.key : issuer->key, EVP_sha256()) >
                0);
    FILE *out = certificate_file(certificates, name, ".crt");
    assert_int_equal(PEM_write_X509(out, made.certificate), 1);
    assert_int_equal(fclose(out), 0);
    out = certificate_file(certificates, name, ".key");
    assert_int_equal(PEM_write_PrivateKey(out, made.key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(out), 0);
    return made;
}

static void certificate_free(struct certificate_maker made)
{
    X509_free(made.certificate);
    EVP_PKEY_free(made.key);
}

/* Writes ca.crl, which revokes what has `serial`. */
static void certificate_revoke(const struct certificates *certificates, long serial,
                               const struct certificate_maker *issuer)
{
    X509_CRL *list = X509_CRL_new();
    X509_REVOKED *revoked = X509_REVOKED_new();
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -60), *next = X509_gmtime_adj(NULL, CERTIFICATE_DAY);

    ASN1_INTEGER_set(number, serial);
    assert_int_equal(X509_REVOKED_set_serialNumber(revoked, number), 1);
    assert_int_equal(X509_REVOKED_set_revocationDate(revoked, now), 1);
    X509_CRL_set_version(list, 1);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer->certificate));
    X509_CRL_set1_lastUpdate(list, now);
    X509_CRL_set1_nextUpdate(list, next);
    assert_int_equal(X509_CRL_add0_revoked(list, revoked), 1);
    assert_true(X509_CRL_sign(list, issuer->key, EVP_sha256()) > 0);
    FILE *out = certificate_file(certificates, "ca", ".crl");
    assert_int_equal(PEM_write_X509_CRL(out, list), 1);
    assert_int_equal(fclose(out), 0);
    X509_CRL_free(list);
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(now);
    ASN1_TIME_free(next);
}

static void certificates_make(struct certificates *certificates)
{
    enum { REVOKED = 7 };
    const char *names = "DNS:db.test,DNS:*.wild.test,IP:127.0.0.1";

    *certificates = (struct certificates){.directory = "/tmp/reparto_certificates_XXXXXX"};
    assert_non_null(mkdtemp(certificates->directory));
    struct certificate_maker ca = certificate_make(certificates, "ca", 1, "ca", NULL, 2, NULL);
    struct certificate_maker stranger_ca =
        certificate_make(certificates, "stranger_ca", 2, "stranger", NULL, 2, NULL);
    certificate_free(certificate_make(certificates, "server", 3, "db.test", names, 2, &ca));
    certificate_free(certificate_make(certificates, "address", 4, "127.0.0.1", NULL, 2, &ca));
    certificate_free(certificate_make(certificates, "client", 5, "alice", NULL, 2, &ca));
    certificate_free(certificate_make(certificates, "expired", 6, "db.test", names, -1, &ca));
    certificate_free(certificate_make(certificates, "revoked", REVOKED, "db.test", names, 2, &ca));
    certificate_free(certificate_make(certificates, "stranger", 8, "alice", NULL, 2, &stranger_ca));
    certificate_revoke(certificates, REVOKED, &ca);
    certificate_free(ca);
    certificate_free(stranger_ca);
}

static void certificates_remove(const struct certificates *certificates)
{
    static const char *const names[] = {"ca",     "stranger_ca", "server",  "address",
                                        "client", "expired",     "revoked", "stranger"};
    static const char *const suffixes[] = {".crt", ".key", ".crl"};
    char file[64], path[CERTIFICATE_PATH_SIZE];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (size_t j = 0; j < sizeof suffixes / sizeof suffixes[0]; j++) {
            (void)snprintf(file, sizeof file, "%s%s", names[i], suffixes[j]);
            (void)unlink(certificate_path(certificates, file, path));
        }
    }
    assert_int_equal(rmdir(certificates->directory), 0);
}
