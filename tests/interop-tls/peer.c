/* One end of TLS 1.3 with SM2, SM3 and SM4, on OpenSSL or Tongsuo, whose interfaces are the same but for a name.
 *
 *   peer server SUITE CHAIN KEY ROOT [LIST]    listens, says "port N", serves one connection
 *   peer client SUITE CHAIN KEY ROOT PORT      connects, says something, and connects again with the session it got
 *
 * Both show CHAIN and take only who is certified below ROOT, and with LIST, who is on no revocation list in there.
 * Each connection ends with one line: "done SUITE full|resumed", or "failed" and the reasons. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int failed(void) {
    unsigned long code;
    printf("failed");
    while ((code = ERR_get_error()) != 0) {
        printf(" %s;", ERR_reason_error_string(code));
    }
    printf("\n");
    fflush(stdout);
    return 1;
}

static void done(SSL *ssl) {
    printf("done %s %s\n", SSL_get_cipher_name(ssl), SSL_session_reused(ssl) ? "resumed" : "full");
    fflush(stdout);
}

static SSL_CTX *settings(char **argument, int argument_count, int server) {
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (ctx == NULL || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
        !SSL_CTX_set_ciphersuites(ctx, argument[2]) || !SSL_CTX_set1_groups_list(ctx, GROUP) ||
        !SSL_CTX_set1_sigalgs_list(ctx, "sm2sig_sm3") ||
        SSL_CTX_use_certificate_chain_file(ctx, argument[3]) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, argument[4], SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1 || SSL_CTX_load_verify_locations(ctx, argument[5], NULL) != 1) {
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (server && argument_count > 6) {
        X509_STORE *store = SSL_CTX_get_cert_store(ctx);
        if (X509_STORE_load_locations(store, argument[6], NULL) != 1) {
            return NULL;
        }
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    }
    /* Without it a server that asks for certificates refuses to resume. */
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"peer", 4);
    return ctx;
}

static struct sockaddr_in here(int port) {
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int serve(SSL_CTX *ctx) {
    struct sockaddr_in address = here(0);
    socklen_t length = sizeof address;
    char heard[64];
    int read, connection, listener = socket(AF_INET, SOCK_STREAM, 0);
    SSL *ssl = SSL_new(ctx);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        return failed();
    }
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    connection = accept(listener, NULL, NULL);
    SSL_set_fd(ssl, connection);
    if (SSL_accept(ssl) != 1 || (read = SSL_read(ssl, heard, sizeof heard)) <= 0 || SSL_write(ssl, heard, read) != read) {
        return failed();
    }
    done(ssl);
    SSL_shutdown(ssl);
    close(connection);
    return 0;
}

static int ask(SSL_CTX *ctx, int port, SSL_SESSION **session) {
    struct sockaddr_in address = here(port);
    char heard[64];
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, connection);
    if (*session != NULL) {
        SSL_set_session(ssl, *session);
    }
    if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0 || SSL_connect(ssl) != 1 ||
        SSL_write(ssl, "hello", 5) != 5 || SSL_read(ssl, heard, sizeof heard) != 5 || memcmp(heard, "hello", 5) != 0) {
        return failed();
    }
    done(ssl);
    *session = SSL_get1_session(ssl);
    SSL_shutdown(ssl);
    close(connection);
    return 0;
}

int main(int count, char **argument) {
    SSL_SESSION *session = NULL;
    SSL_CTX *ctx;
    int server = count > 1 && strcmp(argument[1], "server") == 0;
    if (count < (server ? 6 : 7)) {
        return 64;
    }
    /* A peer that leaves is told of by what was being done. */
    signal(SIGPIPE, SIG_IGN);
    alarm(60);
    ctx = settings(argument, count, server);
    if (ctx == NULL) {
        return failed();
    }
    if (server) {
        return serve(ctx);
    }
    return ask(ctx, atoi(argument[6]), &session) || ask(ctx, atoi(argument[6]), &session);
}
