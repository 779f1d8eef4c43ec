/* libhealthcard_token: access tokens (访问令牌) checked offline, by whoever is asked for data.
 *
 * Made from the library's table of functions: cargo run -p token-interface --example header
 *
 * Functions that answer int, hct_asks_for_keys apart, answer HCT_OK, else one of the codes below. Numbers and reasons
 * stay; others are added: whoever meets one that they do not know refuses the request.
 *
 * A verifier is a number in the clothes of a pointer, never given twice; several threads may use it at once. Texts
 * (const char *) are UTF-8, end with NUL, and have at most 2048 octets before it, addresses (uri) 16384. Octets
 * (const unsigned char *) have the length that is said with them; of more than can be good none is looked at. Times are seconds since 1970; the library
 * reads no clock, file or network, and keeps no pointer. */
#ifndef HEALTHCARD_TOKEN_H
#define HEALTHCARD_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HCT_OK 0
#define HCT_ARGUMENT 1 /* a parameter is wrong */
#define HCT_VERIFIER_CLOSED 2 /* there is no such verifier */
#define HCT_NO_ROOM 3 /* there is no room for the claims */
#define HCT_VERIFIERS_TOO_MANY 4 /* too many verifiers are open */
#define HCT_FAULT 5 /* a fault of the library's own */
#define HCT_KEYS_TOO_LARGE 16 /* the key set is too large */
#define HCT_KEYS_MALFORMED 17 /* the key set is malformed */
#define HCT_KEYS_SAME_NAME 18 /* two keys of the set have one name */
#define HCT_KEYS_SECRET 19 /* the key set gives a secret away */
#define HCT_KEYS_NONE_FOR_TOKENS 20 /* the key set has no key for tokens */
#define HCT_TOKEN_TOO_LONG 32 /* the access token is too long */
#define HCT_TOKEN_MALFORMED 33 /* the access token is malformed */
#define HCT_TOKEN_ALGORITHM 34 /* the access token names another algorithm or type */
#define HCT_TOKEN_KEY_UNKNOWN 35 /* the access token was signed with a key that is not known here */
#define HCT_TOKEN_KEY_OTHER 36 /* the access token names a key that is for something else */
#define HCT_TOKEN_SIGNATURE 37 /* the signature of the access token does not verify */
#define HCT_TOKEN_OTHER_ISSUER 38 /* the access token was issued by another service */
#define HCT_TOKEN_OTHER_AUDIENCE 39 /* the access token is for another system */
#define HCT_TOKEN_NOT_YET_VALID 40 /* the access token is not valid yet */
#define HCT_TOKEN_EXPIRED 41 /* the access token has expired */
#define HCT_TOKEN_ENDED 42 /* the access token was ended before its time */
#define HCT_TOKEN_NOT_COVERED 43 /* the snapshot does not cover the access token: ask the service */
#define HCT_SNAPSHOT_MISSING 44 /* there is no revocation snapshot yet */
#define HCT_SNAPSHOT_TOO_OLD 45 /* the revocation snapshot is too old */
#define HCT_SNAPSHOT_MALFORMED 46 /* the revocation snapshot is malformed */
#define HCT_SNAPSHOT_KEY_UNKNOWN 47 /* the revocation snapshot was signed with a key that is not known here */
#define HCT_SNAPSHOT_SIGNATURE 48 /* the signature of the revocation snapshot does not verify */
#define HCT_SNAPSHOT_OTHER_ISSUER 49 /* the revocation snapshot was issued by another service */
#define HCT_SNAPSHOT_NOT_YET_VALID 50 /* the revocation snapshot is from the future */
#define HCT_SNAPSHOT_OLDER 51 /* a later revocation snapshot is here */
#define HCT_PROOF_MISSING 52 /* the proof of possession is missing */
#define HCT_PROOF_MALFORMED 53 /* the proof of possession is malformed */
#define HCT_PROOF_ALGORITHM 54 /* the proof of possession names another algorithm, type or signer's identifier */
#define HCT_PROOF_OTHER_KEY 55 /* the proof of possession was made with another key than the token is bound to */
#define HCT_PROOF_SIGNATURE 56 /* the signature of the proof of possession does not verify */
#define HCT_PROOF_OTHER_REQUEST 57 /* the proof of possession is for another request */
#define HCT_PROOF_OTHER_TOKEN 58 /* the proof of possession is for another token */
#define HCT_PROOF_STALE 59 /* the proof of possession was not made just now */
#define HCT_PROOF_REPLAYED 60 /* the proof of possession was used before */
#define HCT_PROOFS_TOO_MANY 61 /* too many proofs of possession at a time: try again later */
#define HCT_TOKEN_MISSING 62 /* no access token is shown as DPoP */

#define HCT_CLAIMS_ROOM 4096
#define HCT_NO_SNAPSHOT (-1)

/* Opens a verifier of tokens of issuer for audience, with a key set as the service publishes it at /jwks.json. It takes no token without a revocation snapshot that is at most oldest_snapshot seconds old; with HCT_NO_SNAPSHOT none is demanded. It remembers at most most_proofs proofs at a time: up to 10000000, 0 for 100000. */
int hct_open(const char *issuer, const char *audience, const unsigned char *keys, size_t keys_length, int64_t oldest_snapshot, size_t most_proofs, void **verifier);

/* Closes a verifier. Checks of other threads that are under way end as they would have. */
int hct_close(void *verifier);

/* Takes the keys that are published now, for those of before; a set that is refused leaves those of before. */
int hct_take_keys(void *verifier, const unsigned char *keys, size_t keys_length);

/* Takes a revocation snapshot, as the service answers at /token-revocations, for the one of before; one that is refused leaves the one of before. next_update receives when to ask for the next; it may be NULL. */
int hct_take_snapshot(void *verifier, const unsigned char *snapshot, size_t snapshot_length, int64_t now, int64_t *next_update);

/* Whether a request by method to uri, its full address as the client has it, may be answered that came with a token and a proof of possession; without a proof, proof is NULL and proof_length 0. If so, claims receives what the token says, as JSON in UTF-8 without a NUL, and as its member clinician whose token it is: sub is the clinician, but of a token that was exchanged the resident, for whom the clinician acts (act); and claims_length its octets; claims_room is at least HCT_CLAIMS_ROOM. snapshot_age receives how many seconds ago the snapshot was made by which the token has not ended, or HCT_NO_SNAPSHOT. The proof is then used up. Of what is refused nothing is written, and the proof is not used up. */
int hct_check(void *verifier, const unsigned char *token, size_t token_length, const unsigned char *proof, size_t proof_length, const char *method, const char *uri, int64_t now, unsigned char *claims, size_t claims_room, size_t *claims_length, int64_t *snapshot_age);

/* The stable reason of a code, for programs, as in TOKEN_EXPIRED. Never NULL; it stays valid, and nobody frees it. HCT_OK has none: an empty text. So for the two functions that follow. */
const char *hct_reason(int code);

/* What a code says, in Chinese (UTF-8). */
const char *hct_text_zh(int code);

/* What a code says, in English. */
const char *hct_text_en(int code);

/* 1 when the same may be good under the keys that are published now: fetch them, hand them to hct_take_keys, and check again. Else 0. */
int hct_asks_for_keys(int code);

#ifdef __cplusplus
}
#endif

#endif
