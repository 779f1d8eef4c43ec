/* A program on a cryptographic device, with nothing but its header and library: tries each function, and says what
 * others can check, one line a fact. The access code of index 3 is the first argument. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "softsdf.h"

static void expect(const char *what, int code, int answer) {
    if (answer != code) {
        fprintf(stderr, "%s: answered %#x, expected %#x\n", what, (unsigned)answer, (unsigned)code);
        exit(1);
    }
}
#define OK(call) expect(#call, SDR_OK, call)
#define REFUSED(code, call) expect(#call, code, call)

static void check(const char *what, int holds) {
    if (!holds) {
        fprintf(stderr, "%s: is not so\n", what);
        exit(1);
    }
}
#define HOLDS(fact) check(#fact, fact)

static void show(const char *name, const unsigned char *octets, unsigned int length) {
    printf("%s=", name);
    for (unsigned int i = 0; i < length; i++) printf("%02x", octets[i]);
    printf("\n");
}

/* A structure that ends in C, with room for a key. */
typedef union {
    ECCCipher cipher;
    unsigned char room[sizeof(ECCCipher) + 64];
} Envelope;

static void signs(void *session, const char *code) {
    static const unsigned char id[] = "1234567812345678", message[] = "message digest";
    ECCrefPublicKey key, none;
    unsigned char e[32];
    unsigned int length = 0;
    OK(SDF_ExportSignPublicKey_ECC(session, 3, &key));
    HOLDS(key.bits == 256);
    REFUSED(SDR_KEYNOTEXIST, SDF_ExportSignPublicKey_ECC(session, 99, &none));
    REFUSED(SDR_KEYNOTEXIST, SDF_ExportEncPublicKey_ECC(session, 3, &none));

    REFUSED(SDR_STEPERR, SDF_HashUpdate(session, message, 1));
    OK(SDF_HashInit(session, SGD_SM3, &key, id, 16));
    OK(SDF_HashUpdate(session, message, 7));
    OK(SDF_HashUpdate(session, message + 7, 7));
    OK(SDF_HashFinal(session, e, &length));
    HOLDS(length == 32);
    REFUSED(SDR_STEPERR, SDF_HashFinal(session, e, &length));

    ECCSignature signature;
    REFUSED(SDR_PARDENY, SDF_InternalSign_ECC(session, 3, e, 32, &signature));
    REFUSED(SDR_PRKRERR, SDF_GetPrivateKeyAccessRight(session, 3, (const unsigned char *)"wrong", 5));
    OK(SDF_GetPrivateKeyAccessRight(session, 3, (const unsigned char *)code, (unsigned)strlen(code)));
    REFUSED(SDR_INARGERR, SDF_InternalSign_ECC(session, 3, e, 31, &signature));
    OK(SDF_InternalSign_ECC(session, 3, e, 32, &signature));
    OK(SDF_InternalVerify_ECC(session, 3, e, 32, &signature));
    OK(SDF_ExternalVerify_ECC(session, SGD_SM2_1, &key, e, 32, &signature));
    OK(SDF_ExternalVerify_ECC(session, SGD_SM3_SM2, &key, e, 32, &signature));
    OK(SDF_ExternalVerify_ECC(session, SGD_SM3_SM2_OLD, &key, e, 32, &signature));
    REFUSED(SDR_ALGNOTSUPPORT, SDF_ExternalVerify_ECC(session, SGD_SM2_3, &key, e, 32, &signature));
    show("x", key.x + 32, 32);
    show("y", key.y + 32, 32);
    show("e", e, 32);
    show("r", signature.r + 32, 32);
    show("s", signature.s + 32, 32);
    signature.s[63] ^= 1;
    REFUSED(SDR_VERIFYERR, SDF_InternalVerify_ECC(session, 3, e, 32, &signature));
    memset(&none, 0, sizeof none);
    REFUSED(SDR_KEYERR, SDF_ExternalVerify_ECC(session, SGD_SM2_1, &none, e, 32, &signature));
    OK(SDF_ReleasePrivateKeyAccessRight(session, 3));
    REFUSED(SDR_PARDENY, SDF_InternalSign_ECC(session, 3, e, 32, &signature));
    /* One that asks for no code, and one without a signing pair. */
    OK(SDF_InternalSign_ECC(session, 4, e, 32, &signature));
    REFUSED(SDR_KEYNOTEXIST, SDF_InternalSign_ECC(session, 5, e, 32, &signature));
}

static void encrypts(void *session, const char *code) {
    ECCrefPublicKey key;
    Envelope envelope, exchanged;
    unsigned char text[64], opened[64];
    unsigned int length = 0;
    OK(SDF_GenerateRandom(session, sizeof text, text));
    OK(SDF_ExportEncPublicKey_ECC(session, 5, &key));
    OK(SDF_ExternalEncrypt_ECC(session, SGD_SM2_3, &key, text, 48, &envelope.cipher));
    REFUSED(SDR_PARDENY, SDF_InternalDecrypt_ECC(session, 5, SGD_SM2_3, &envelope.cipher, opened, &length));
    OK(SDF_GetPrivateKeyAccessRight(session, 5, (const unsigned char *)code, (unsigned)strlen(code)));
    OK(SDF_InternalDecrypt_ECC(session, 5, SGD_SM2_3, &envelope.cipher, opened, &length));
    HOLDS(length == 48 && memcmp(opened, text, 48) == 0);
    OK(SDF_InternalEncrypt_ECC(session, 5, SGD_SM2_3, text, 16, &envelope.cipher));
    OK(SDF_ExchangeDigitEnvelopeBaseOnECC(session, 5, SGD_SM2_3, &key, &envelope.cipher, &exchanged.cipher));
    HOLDS(memcmp(&envelope, &exchanged, 164) != 0);
    OK(SDF_InternalDecrypt_ECC(session, 5, SGD_SM2_3, &exchanged.cipher, opened, &length));
    HOLDS(length == 16 && memcmp(opened, text, 16) == 0);
    exchanged.cipher.M[0] ^= 1;
    REFUSED(SDR_ENCDATAERR, SDF_InternalDecrypt_ECC(session, 5, SGD_SM2_3, &exchanged.cipher, opened, &length));
    exchanged.cipher.L = 0xFFFFFFFF;
    REFUSED(SDR_ENCDATAERR, SDF_InternalDecrypt_ECC(session, 5, SGD_SM2_3, &exchanged.cipher, opened, &length));

    /* A session key, made here and taken over from its envelope, enciphers alike. */
    void *made = NULL, *taken = NULL, *other = NULL;
    OK(SDF_GenerateKeyWithIPK_ECC(session, 5, 128, &envelope.cipher, &made));
    OK(SDF_ImportKeyWithISK_ECC(session, 5, &envelope.cipher, &taken));
    OK(SDF_GenerateKeyWithEPK_ECC(session, 128, SGD_SM2_3, &key, &envelope.cipher, &other));
    REFUSED(SDR_KEYTYPEERR, SDF_GenerateKeyWithIPK_ECC(session, 5, 256, &envelope.cipher, &other));
    HOLDS(made != taken && made != other && made != session);
    unsigned char iv[16] = {0}, again[16] = {0}, cipher[64], mac[16], mac2[16];
    OK(SDF_Encrypt(session, made, SGD_SM4_CBC, iv, text, 64, cipher, &length));
    HOLDS(length == 64 && memcmp(iv, cipher + 48, 16) == 0);
    OK(SDF_Decrypt(session, taken, SGD_SM4_CBC, again, cipher, 64, opened, &length));
    HOLDS(memcmp(opened, text, 64) == 0);
    OK(SDF_Encrypt(session, made, SGD_SM4_ECB, NULL, text, 32, cipher, &length));
    OK(SDF_Decrypt(session, taken, SGD_SM4_ECB, NULL, cipher, 32, opened, &length));
    HOLDS(length == 32 && memcmp(opened, text, 32) == 0);
    /* With ECB nobody looks where pucIV points. */
    unsigned char *nowhere = (unsigned char *)1;
    OK(SDF_Encrypt(session, made, SGD_SM4_ECB, nowhere, text, 32, cipher, &length));
    OK(SDF_Decrypt(session, taken, SGD_SM4_ECB, nowhere, cipher, 32, opened, &length));
    HOLDS(length == 32 && memcmp(opened, text, 32) == 0);
    memset(iv, 0, 16), memset(again, 0, 16);
    OK(SDF_CalculateMAC(session, made, SGD_SM4_MAC, iv, text, 64, mac, &length));
    OK(SDF_CalculateMAC(session, taken, SGD_SM4_MAC, again, text, 64, mac2, &length));
    HOLDS(length == 16 && memcmp(mac, mac2, 16) == 0);
    OK(SDF_CalculateMAC(session, other, SGD_SM4_MAC, again, text, 64, mac2, &length));
    HOLDS(memcmp(mac, mac2, 16) != 0);
    REFUSED(SDR_INARGERR, SDF_Encrypt(session, made, SGD_SM4_ECB, NULL, text, 15, cipher, &length));
    REFUSED(SDR_INARGERR, SDF_Encrypt(session, made, SGD_SM4_CBC, NULL, text, 16, cipher, &length));
    REFUSED(SDR_ALGMODNOTSUPPORT, SDF_Encrypt(session, made, 0x408, iv, text, 16, cipher, &length));
    OK(SDF_DestroyKey(session, made));
    REFUSED(SDR_KEYNOTEXIST, SDF_Encrypt(session, made, SGD_SM4_ECB, NULL, text, 16, cipher, &length));
    REFUSED(SDR_KEYNOTEXIST, SDF_DestroyKey(session, made));
}

int main(int argc, char **argv) {
    if (argc != 2) return 64;
    HOLDS(sizeof(DEVICEINFO) == 100 && sizeof(ECCrefPublicKey) == 132 && sizeof(ECCrefPrivateKey) == 68);
    HOLDS(sizeof(ECCSignature) == 128 && sizeof(ECCCipher) == 165);
    void *device = NULL, *session = NULL, *second = NULL;
    REFUSED(SDR_INARGERR, SDF_OpenSession((void *)99, &session));
    OK(SDF_OpenDevice(&device));
    OK(SDF_OpenSession(device, &session));
    OK(SDF_OpenSession(device, &second));
    DEVICEINFO information;
    OK(SDF_GetDeviceInfo(session, &information));
    printf("device=%.16s\n", (const char *)information.DeviceName);
    printf("serial=%.16s\n", (const char *)information.DeviceSerial);
    HOLDS(information.AsymAlgAbility[1] == 256 && information.HashAlgAbility == SGD_SM3);

    signs(session, argv[1]);
    encrypts(session, argv[1]);

    /* A right is its session's alone. */
    unsigned char octets[64];
    ECCSignature signature;
    OK(SDF_GetPrivateKeyAccessRight(session, 3, (const unsigned char *)argv[1], (unsigned)strlen(argv[1])));
    memset(octets, 1, sizeof octets);
    REFUSED(SDR_PARDENY, SDF_InternalSign_ECC(second, 3, octets, 32, &signature));

    /* Nowhere to read or to write. */
    unsigned int length = 0;
    REFUSED(SDR_OUTARGERR, SDF_OpenDevice(NULL));
    REFUSED(SDR_OUTARGERR, SDF_GenerateRandom(session, 8, NULL));
    REFUSED(SDR_INARGERR, SDF_GenerateRandom(session, 65537, octets));
    REFUSED(SDR_OUTARGERR, SDF_GetDeviceInfo(session, NULL));
    REFUSED(SDR_INARGERR, SDF_InternalSign_ECC(session, 3, NULL, 32, &signature));
    REFUSED(SDR_OUTARGERR, SDF_InternalSign_ECC(session, 3, octets, 32, NULL));
    REFUSED(SDR_INARGERR, SDF_InternalSign_ECC(NULL, 3, octets, 32, &signature));
    REFUSED(SDR_INARGERR, SDF_InternalSign_ECC(device, 3, octets, 32, &signature));
    REFUSED(SDR_INARGERR, SDF_InternalVerify_ECC(session, 3, octets, 32, NULL));

    /* What it does not do, it says. */
    RSArefPublicKey rsa;
    ECCrefPublicKey key;
    ECCrefPrivateKey secret;
    void *handle = NULL;
    REFUSED(SDR_NOTSUPPORT, SDF_ExportSignPublicKey_RSA(session, 1, &rsa));
    REFUSED(SDR_NOTSUPPORT, SDF_InternalPrivateKeyOperation_RSA(session, 1, octets, 64, octets, &length));
    REFUSED(SDR_NOTSUPPORT, SDF_GenerateKeyPair_ECC(session, SGD_SM2_1, 256, &key, &secret));
    REFUSED(SDR_NOTSUPPORT, SDF_GenerateKeyWithKEK(session, 128, SGD_SM4_CBC, 1, octets, &length, &handle));
    REFUSED(SDR_NOTSUPPORT, SDF_CreateFile(session, octets, 8, 64));

    /* A handle that was closed is none, nor is a session of a device that was. */
    OK(SDF_CloseSession(session));
    REFUSED(SDR_INARGERR, SDF_GenerateRandom(session, 8, octets));
    REFUSED(SDR_INARGERR, SDF_CloseSession(session));
    OK(SDF_CloseDevice(device));
    REFUSED(SDR_INARGERR, SDF_GenerateRandom(second, 8, octets));
    REFUSED(SDR_INARGERR, SDF_CloseDevice(device));
    void *reopened = NULL;
    OK(SDF_OpenDevice(&reopened));
    HOLDS(reopened != device);
    OK(SDF_CloseDevice(reopened));
    return 0;
}
