/* A resource server's part in C: opens a verifier with a key set, loads a snapshot, and checks a request. Told on the
 * command line: issuer, audience, method, address, time, and files with the key set, the snapshot, the token, a proof, and
 * a token that has ended. Says what others can check, one line a fact. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "healthcard_token.h"

static void expect(const char *what, int code, int answer) {
    if (answer != code) {
        fprintf(stderr, "%s: answered %d %s, expected %d %s\n", what, answer, hct_reason(answer), code, hct_reason(code));
        exit(1);
    }
}
#define OK(call) expect(#call, HCT_OK, call)
#define REFUSED(code, call) expect(#call, code, call)

static void check(const char *what, int holds) {
    if (!holds) {
        fprintf(stderr, "%s: is not so\n", what);
        exit(1);
    }
}
#define HOLDS(fact) check(#fact, fact)

typedef struct {
    unsigned char *octets;
    size_t length;
} File;

static File read_file(const char *path) {
    static const size_t room = 2 * 1024 * 1024;
    FILE *file = fopen(path, "rb");
    File read = {malloc(room), 0};
    if (!file || !read.octets) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    read.length = fread(read.octets, 1, room, file);
    fclose(file);
    return read;
}

int main(int count, char **given) {
    HOLDS(count == 11);
    const char *issuer = given[1], *audience = given[2], *method = given[3], *uri = given[4];
    int64_t now = strtoll(given[5], NULL, 10);
    File keys = read_file(given[6]), snapshot = read_file(given[7]), token = read_file(given[8]);
    File proof = read_file(given[9]), ended = read_file(given[10]);
    unsigned char claims[HCT_CLAIMS_ROOM];
    size_t length = 77;
    int64_t age = 77, next = 77;
    void *verifier = NULL, *other = NULL, *strict = NULL;

    /* What is missing or beyond measure is refused before anything is looked at. */
    REFUSED(HCT_ARGUMENT, hct_open(issuer, audience, keys.octets, keys.length, 60, 0, NULL));
    REFUSED(HCT_ARGUMENT, hct_open(NULL, audience, keys.octets, keys.length, 60, 0, &verifier));
    REFUSED(HCT_ARGUMENT, hct_open(issuer, NULL, keys.octets, keys.length, 60, 0, &verifier));
    REFUSED(HCT_ARGUMENT, hct_open("\xff", audience, keys.octets, keys.length, 60, 0, &verifier));
    REFUSED(HCT_ARGUMENT, hct_open(issuer, audience, NULL, keys.length, 60, 0, &verifier));
    REFUSED(HCT_ARGUMENT, hct_open(issuer, audience, keys.octets, keys.length, -2, 0, &verifier));
    REFUSED(HCT_ARGUMENT, hct_open(issuer, audience, keys.octets, keys.length, 60, (size_t)-1, &verifier));
    REFUSED(HCT_KEYS_TOO_LARGE, hct_open(issuer, audience, keys.octets, (size_t)-1, 60, 0, &verifier));
    REFUSED(HCT_KEYS_MALFORMED, hct_open(issuer, audience, keys.octets, keys.length - 1, 60, 0, &verifier));
    REFUSED(HCT_KEYS_MALFORMED, hct_open(issuer, audience, keys.octets, 0, 60, 0, &verifier));
    char *endless = malloc(5000);
    HOLDS(endless != NULL);
    memset(endless, 'a', 4999);
    endless[4999] = 0;
    REFUSED(HCT_ARGUMENT, hct_open(endless, audience, keys.octets, keys.length, 60, 0, &verifier));
    HOLDS(verifier == NULL);

    OK(hct_open(issuer, audience, keys.octets, keys.length, 3600, 1000, &verifier));
    OK(hct_open(issuer, "another.example", keys.octets, keys.length, HCT_NO_SNAPSHOT, 0, &other));
    HOLDS(verifier != NULL && other != NULL && verifier != other);
#define CHECK(with, token, proof_octets, proof_length, uri, now) \
    hct_check(with, (token).octets, (token).length, proof_octets, proof_length, method, uri, now, claims, sizeof claims, &length, &age)
    REFUSED(HCT_SNAPSHOT_MISSING, CHECK(verifier, token, proof.octets, proof.length, uri, now));
    REFUSED(HCT_ARGUMENT, hct_take_snapshot(verifier, NULL, 1, now, &next));
    REFUSED(HCT_SNAPSHOT_MALFORMED, hct_take_snapshot(verifier, snapshot.octets, (size_t)-1, now, &next));
    REFUSED(HCT_SNAPSHOT_MALFORMED, hct_take_snapshot(verifier, (const unsigned char *)"\xff\xfe", 2, now, &next));
    REFUSED(HCT_SNAPSHOT_MALFORMED, hct_take_snapshot(verifier, token.octets, token.length, now, &next));
    HOLDS(next == 77);
    OK(hct_take_snapshot(verifier, snapshot.octets, snapshot.length, now, NULL));
    OK(hct_take_snapshot(verifier, snapshot.octets, snapshot.length, now, &next));
    HOLDS(next > now - 60);

    REFUSED(HCT_PROOF_MISSING, CHECK(verifier, token, NULL, 0, uri, now));
    REFUSED(HCT_ARGUMENT, CHECK(verifier, token, NULL, 1, uri, now));
    REFUSED(HCT_ARGUMENT, CHECK(verifier, token, proof.octets, proof.length, NULL, now));
    REFUSED(HCT_PROOF_MALFORMED, CHECK(verifier, token, proof.octets, (size_t)-1, uri, now));
    REFUSED(HCT_PROOF_OTHER_REQUEST, CHECK(verifier, token, proof.octets, proof.length, "https://emr.example/other", now));
    REFUSED(HCT_TOKEN_EXPIRED, CHECK(verifier, token, proof.octets, proof.length, uri, now + 3000));
    OK(hct_open(issuer, audience, keys.octets, keys.length, 0, 0, &strict));
    OK(hct_take_snapshot(strict, snapshot.octets, snapshot.length, now, NULL));
    REFUSED(HCT_SNAPSHOT_TOO_OLD, CHECK(strict, token, proof.octets, proof.length, uri, now + 10));
    OK(hct_close(strict));
    REFUSED(HCT_TOKEN_OTHER_AUDIENCE, CHECK(other, token, proof.octets, proof.length, uri, now));
    REFUSED(HCT_TOKEN_ENDED, CHECK(verifier, ended, proof.octets, proof.length, uri, now));
    File part = {token.octets, token.length - 1}, huge = {token.octets, (size_t)-1}, none = {NULL, 0};
    HOLDS(CHECK(verifier, part, proof.octets, proof.length, uri, now) != HCT_OK);
    REFUSED(HCT_TOKEN_TOO_LONG, CHECK(verifier, huge, proof.octets, proof.length, uri, now));
    REFUSED(HCT_ARGUMENT, CHECK(verifier, none, proof.octets, proof.length, uri, now));
    REFUSED(HCT_ARGUMENT, hct_check(verifier, token.octets, token.length, proof.octets, proof.length, method, uri, now, NULL, sizeof claims, &length, &age));
    REFUSED(HCT_ARGUMENT, hct_check(verifier, token.octets, token.length, proof.octets, proof.length, method, uri, now, claims, sizeof claims, NULL, &age));
    REFUSED(HCT_ARGUMENT, hct_check(verifier, token.octets, token.length, proof.octets, proof.length, method, uri, now, claims, sizeof claims, &length, NULL));
    REFUSED(HCT_NO_ROOM, hct_check(verifier, token.octets, token.length, proof.octets, proof.length, method, uri, now, claims, HCT_CLAIMS_ROOM - 1, &length, &age));
    HOLDS(length == 77 && age == 77);

    /* None of that has used the proof up; this has, with the longest address that there may be. */
    char *far = malloc(16386);
    HOLDS(far != NULL && strlen(uri) < 1000);
    memset(far, 'a', 16385);
    memcpy(far, uri, strlen(uri));
    far[strlen(uri)] = '?';
    far[16385] = 0;
    REFUSED(HCT_ARGUMENT, CHECK(verifier, token, proof.octets, proof.length, far, now));
    far[16384] = 0;
    OK(CHECK(verifier, token, proof.octets, proof.length, far, now));
    HOLDS(length > 100 && length <= HCT_CLAIMS_ROOM && age >= 0 && age < 3600);
    printf("claims=%.*s\n", (int)length, (const char *)claims);
    printf("age=%lld\n", (long long)age);
    REFUSED(HCT_PROOF_REPLAYED, CHECK(verifier, token, proof.octets, proof.length, uri, now));

    /* Keys that are refused leave those of before. */
    REFUSED(HCT_KEYS_MALFORMED, hct_take_keys(verifier, token.octets, token.length));
    OK(hct_take_keys(verifier, keys.octets, keys.length));
    REFUSED(HCT_PROOF_REPLAYED, CHECK(verifier, token, proof.octets, proof.length, uri, now));

    OK(hct_close(other));
    REFUSED(HCT_VERIFIER_CLOSED, hct_close(other));
    REFUSED(HCT_VERIFIER_CLOSED, hct_close(NULL));
    REFUSED(HCT_VERIFIER_CLOSED, hct_take_keys(other, keys.octets, keys.length));
    REFUSED(HCT_VERIFIER_CLOSED, CHECK(other, token, proof.octets, proof.length, uri, now));
    void *many[64];
    for (int at = 0; at < 63; at++) OK(hct_open(issuer, audience, keys.octets, keys.length, 60, 1, &many[at]));
    REFUSED(HCT_VERIFIERS_TOO_MANY, hct_open(issuer, audience, keys.octets, keys.length, 60, 1, &many[63]));
    for (int at = 0; at < 63; at++) OK(hct_close(many[at]));
    OK(hct_close(verifier));

    HOLDS(strcmp(hct_reason(HCT_PROOF_REPLAYED), "PROOF_REPLAYED") == 0);
    HOLDS(strcmp(hct_reason(HCT_OK), "") == 0 && strcmp(hct_text_en(12345), "") == 0);
    HOLDS(hct_asks_for_keys(HCT_TOKEN_KEY_UNKNOWN) == 1 && hct_asks_for_keys(HCT_TOKEN_EXPIRED) == 0);
    printf("text=%s\n", hct_text_zh(HCT_TOKEN_ENDED));
    return 0;
}
