#include "session/admission.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>

#include "config/address.h"

enum { NAME_SIZE = 256, SUBJECT_SIZE = 4096, USER_ENTRY_SIZE = 16384 };

bool admission_has_tls(const struct greet_plan *plan, const struct stream *stream)
{
    return plan->tls != NULL && plan->address != NULL && !stream_has_tls(stream) &&
           plan->config->settings.client_tls_sslmode != TLS_DISABLE;
}

static struct hba_address address_of(const struct sockaddr *address)
{
    struct hba_address result = {.size = 4};

    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        memcpy(result.bytes, &in->sin_addr, result.size);
        return result;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
    result.size = sizeof result.bytes;
    memcpy(result.bytes, &in6->sin6_addr, result.size);
    return address_unmapped(&result);
}

/* "host "10.0.0.7", user "u", database "d", SSL encryption" */
static const char *describe(const struct admission *admission, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "[local]";

    if (admission->plan->address != NULL) {
        struct hba_address address = address_of(admission->plan->address);
        inet_ntop(address.size == 4 ? AF_INET : AF_INET6, address.bytes, host, sizeof host);
    }
    snprintf(text, size, "host \"%s\", user \"%s\", database \"%s\", %s", host,
             admission->startup->user, admission->startup->database,
             stream_has_tls(admission->stream) ? "SSL encryption" : "no encryption");
    return text;
}

static struct hba_result find_rule(const struct admission *admission)
{
    const struct greet_plan *plan = admission->plan;

    if (plan->hba == NULL) {
        return (struct hba_result){
            .method = (enum hba_method)plan->config->settings.auth_type,
        };
    }
    struct hba_address address;
    if (plan->address != NULL) {
        address = address_of(plan->address);
    }
    return hba_find(plan->hba, plan->address != NULL ? &address : NULL,
                    stream_has_tls(admission->stream), admission->startup->database,
                    admission->startup->user);
}

/* The listener's own wish, which no rule can soften; Unix sockets never have TLS. */
static bool check_tls(const struct admission *admission, struct error *err)
{
    bool needs_tls = admission->plan->config->settings.client_tls_sslmode >= TLS_REQUIRE;

    if (needs_tls && admission->plan->address != NULL && !stream_has_tls(admission->stream)) {
        error_set(err, "28000", "connection requires TLS");
        return error_hint(err, "connect with sslmode=require or higher");
    }
    return true;
}

static bool needs_certificate(const struct admission *admission)
{
    return admission->rule.method == HBA_CERT ||
           admission->rule.certificate != HBA_CERTIFICATE_ANY ||
           (admission->plan->config->settings.client_tls_sslmode >= TLS_VERIFY_CA &&
            admission->plan->address != NULL);
}

/* One that TLS could not verify has ended the handshake: what is there is good. */
static bool check_certificate(const struct admission *admission, struct error *err)
{
    char subject[SUBJECT_SIZE];

    if (!needs_certificate(admission) ||
        stream_peer_name(admission->stream, true, subject, sizeof subject)) {
        return true;
    }
    return error_set(err, "28000", "connection requires a valid client certificate");
}

static bool check_rule(const struct admission *admission, struct error *err)
{
    char who[sizeof err->message];

    if (admission->rule.method == HBA_PEER && admission->plan->address != NULL) {
        return error_set(err, "28000", "peer authentication is only supported on local sockets");
    }
    if (admission->rule.method != HBA_REJECT) {
        return true;
    }
    describe(admission, who, sizeof who);
    if (admission->plan->hba != NULL && admission->rule.line == 0) {
        return error_set(err, "28000", "no auth_hba_file entry for %s", who);
    }
    return error_set(err, "28000", "%s rejects connection for %s",
                     admission->plan->hba != NULL ? "auth_hba_file" : "auth_type", who);
}

bool admission_find(struct admission *admission, struct error *err)
{
    if (!check_tls(admission, err)) {
        return false;
    }
    admission->rule = find_rule(admission);
    return check_rule(admission, err) && check_certificate(admission, err);
}

static bool is_allowed(const struct admission *admission, const char *system_name)
{
    if (admission->plan->hba == NULL) {
        return strcmp(system_name, admission->startup->user) == 0;
    }
    return hba_maps(admission->plan->hba, admission->rule.map, system_name,
                    admission->startup->user);
}

static bool get_unix_user(const struct stream *stream, char *name, size_t size, struct error *err)
{
    char entry[USER_ENTRY_SIZE];
    struct passwd user, *found = NULL;
    struct ucred peer;
    socklen_t peer_size = sizeof peer;

    if (getsockopt(stream->source.fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) != 0) {
        return error_set(err, "28000", "could not get peer credentials: %s", strerror(errno));
    }
    int error = getpwuid_r(peer.uid, &user, entry, sizeof entry, &found);
    if (found == NULL) {
        return error_set(err, "28000", "could not look up local user ID %u: %s", peer.uid,
                         error != 0 ? strerror(error) : "user does not exist");
    }
    if (strlen(user.pw_name) >= size) {
        return error_set(err, "28000", "the name of local user ID %u is too long", peer.uid);
    }
    snprintf(name, size, "%s", user.pw_name);
    return true;
}

bool admission_peer(const struct admission *admission, struct error *err)
{
    char name[NAME_SIZE];

    if (!get_unix_user(admission->stream, name, sizeof name, err)) {
        return false;
    }
    if (is_allowed(admission, name)) {
        return true;
    }
    return error_set(err, "28000", "Peer authentication failed for user \"%s\"",
                     admission->startup->user);
}

bool admission_name(const struct admission *admission, struct error *err)
{
    char name[NAME_SIZE];
    const char *user = admission->startup->user;

    if (admission->rule.method != HBA_CERT && admission->rule.certificate != HBA_CERTIFICATE_FULL) {
        return true;
    }
    if (stream_peer_name(admission->stream, false, name, sizeof name) &&
        is_allowed(admission, name)) {
        return true;
    }
    switch (admission->rule.method) {
    case HBA_CERT:
        return error_set(err, "28000", "certificate authentication failed for user \"%s\"", user);
    case HBA_TRUST:
        return error_set(err, "28000", "\"trust\" authentication failed for user \"%s\"", user);
    case HBA_PEER:
        return error_set(err, "28000", "Peer authentication failed for user \"%s\"", user);
    case HBA_REJECT:
    case HBA_SCRAM:
    case HBA_MD5:
    case HBA_PASSWORD: break;
    }
    error_set(err, "28P01", "password authentication failed for user \"%s\"", user);
    return error_hint(err, "the certificate's name is not the user's");
}
