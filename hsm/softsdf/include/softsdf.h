/* libsoftsdf: a cryptographic device in software (密码设备应用接口规范, GM/T 0018-2012).
 *
 * Made from the library's table of functions: cargo run -p softsdf --example header
 *
 * Every function answers SDR_OK, else one of the codes below. SOFTSDF_CONFIG in the environment names the settings,
 * else they are softsdf.toml beside the library. Handles are numbers in the clothes of pointers, never given twice.
 * A buffer for a result has the room that is named; a structure that ends in C is followed by as many octets.
 * Functions that are not supported say so with SDR_NOTSUPPORT. */
#ifndef SOFTSDF_H
#define SOFTSDF_H

#ifdef __cplusplus
extern "C" {
#endif

#define SDR_OK 0x0
#define SDR_UNKNOWERR 0x01000001 /* an unknown error */
#define SDR_NOTSUPPORT 0x01000002 /* the function is not supported */
#define SDR_COMMFAIL 0x01000003 /* the device cannot be reached */
#define SDR_HARDFAIL 0x01000004 /* the hardware does not respond */
#define SDR_OPENDEVICE 0x01000005 /* the device could not be opened */
#define SDR_OPENSESSION 0x01000006 /* the session could not be opened */
#define SDR_PARDENY 0x01000007 /* there is no right to use the private key */
#define SDR_KEYNOTEXIST 0x01000008 /* there is no such key */
#define SDR_ALGNOTSUPPORT 0x01000009 /* the algorithm is not supported */
#define SDR_ALGMODNOTSUPPORT 0x0100000a /* the mode of the algorithm is not supported */
#define SDR_PKOPERR 0x0100000b /* the operation with the public key failed */
#define SDR_SKOPERR 0x0100000c /* the operation with the private key failed */
#define SDR_SIGNERR 0x0100000d /* signing failed */
#define SDR_VERIFYERR 0x0100000e /* the signature does not verify */
#define SDR_SYMOPERR 0x0100000f /* the operation with the symmetric key failed */
#define SDR_STEPERR 0x01000010 /* a step before this one is missing */
#define SDR_FILESIZEERR 0x01000011 /* the size of the file is wrong */
#define SDR_FILENOEXIST 0x01000012 /* there is no such file */
#define SDR_FILEOFSERR 0x01000013 /* the place in the file is wrong */
#define SDR_KEYTYPEERR 0x01000014 /* the key is of another type */
#define SDR_KEYERR 0x01000015 /* the key is wrong */
#define SDR_ENCDATAERR 0x01000016 /* the ciphertext is wrong */
#define SDR_RANDERR 0x01000017 /* there is no randomness */
#define SDR_PRKRERR 0x01000018 /* the right to use the private key was not granted */
#define SDR_MACERR 0x01000019 /* computing the MAC failed */
#define SDR_FILEEXISTS 0x0100001a /* there is such a file already */
#define SDR_FILEWERR 0x0100001b /* the file could not be written */
#define SDR_NOBUFFER 0x0100001c /* there is no room */
#define SDR_INARGERR 0x0100001d /* an argument is wrong */
#define SDR_OUTARGERR 0x0100001e /* an argument for a result is wrong */

#define SGD_SM4_ECB 0x00000401
#define SGD_SM4_CBC 0x00000402
#define SGD_SM4_MAC 0x00000410
#define SGD_SM3 0x00000001
#define SGD_SM2 0x00020100
#define SGD_SM2_1 0x00020200
#define SGD_SM2_3 0x00020800
#define SGD_SM3_SM2 0x00020201
#define SGD_SM3_SM2_OLD 0x00020101

/* 512 in the standard. A library with ecc_bits = 256 in its settings goes with 256. */
#ifndef ECCref_MAX_BITS
#define ECCref_MAX_BITS 512
#endif
#define ECCref_MAX_LEN ((ECCref_MAX_BITS + 7) / 8)
#define RSAref_MAX_BITS 2048
#define RSAref_MAX_LEN ((RSAref_MAX_BITS + 7) / 8)
#define RSAref_MAX_PLEN ((RSAref_MAX_LEN + 1) / 2)

#pragma pack(push, 1)
typedef struct {
    unsigned char IssuerName[40], DeviceName[16], DeviceSerial[16];
    unsigned int DeviceVersion, StandardVersion, AsymAlgAbility[2], SymAlgAbility, HashAlgAbility, BufferSize;
} DEVICEINFO;

/* Numbers are big-endian, at the right of their field. */
typedef struct {
    unsigned int bits;
    unsigned char x[ECCref_MAX_LEN], y[ECCref_MAX_LEN];
} ECCrefPublicKey;

typedef struct {
    unsigned int bits;
    unsigned char K[ECCref_MAX_LEN];
} ECCrefPrivateKey;

/* M is C3, and C is C2, of L octets. */
typedef struct {
    unsigned char x[ECCref_MAX_LEN], y[ECCref_MAX_LEN], M[32];
    unsigned int L;
    unsigned char C[1];
} ECCCipher;

typedef struct {
    unsigned char r[ECCref_MAX_LEN], s[ECCref_MAX_LEN];
} ECCSignature;

typedef struct {
    unsigned int bits;
    unsigned char m[RSAref_MAX_LEN], e[RSAref_MAX_LEN];
} RSArefPublicKey;

typedef struct {
    unsigned int bits;
    unsigned char m[RSAref_MAX_LEN], e[RSAref_MAX_LEN], d[RSAref_MAX_LEN];
    unsigned char prime[2][RSAref_MAX_PLEN], pexp[2][RSAref_MAX_PLEN], coef[RSAref_MAX_PLEN];
} RSArefPrivateKey;
#pragma pack(pop)

/* Opens the device; why there is none is said on standard error. */
int SDF_OpenDevice(void **phDeviceHandle);

/* Closes a device and its sessions. */
int SDF_CloseDevice(void *hDeviceHandle);

/* Opens a session. */
int SDF_OpenSession(void *hDeviceHandle, void **phSessionHandle);

/* Closes a session: its keys are wiped, its rights are gone. */
int SDF_CloseSession(void *hSessionHandle);

/* Says what the device is and can do. */
int SDF_GetDeviceInfo(void *hSessionHandle, DEVICEINFO *pstDeviceInfo);

/* Gives uiLength random octets, at most 65536. */
int SDF_GenerateRandom(void *hSessionHandle, unsigned int uiLength, unsigned char *pucRandom);

/* Takes the right to use the private keys of an index, with its access code; for as long as the session is open. */
int SDF_GetPrivateKeyAccessRight(void *hSessionHandle, unsigned int uiKeyIndex, const unsigned char *pucPassword, unsigned int uiPwdLength);

/* Gives that right up. */
int SDF_ReleasePrivateKeyAccessRight(void *hSessionHandle, unsigned int uiKeyIndex);

/* Gives the public key of an index's signing pair. */
int SDF_ExportSignPublicKey_ECC(void *hSessionHandle, unsigned int uiKeyIndex, ECCrefPublicKey *pucPublicKey);

/* Gives the public key of an index's encryption pair. */
int SDF_ExportEncPublicKey_ECC(void *hSessionHandle, unsigned int uiKeyIndex, ECCrefPublicKey *pucPublicKey);

/* Makes a session key of 128 bits and gives it encrypted for an index's encryption pair; C has room for 16 octets. */
int SDF_GenerateKeyWithIPK_ECC(void *hSessionHandle, unsigned int uiIPKIndex, unsigned int uiKeyBits, ECCCipher *pucKey, void **phKeyHandle);

/* Makes a session key of 128 bits and gives it encrypted for a public key; C has room for 16 octets. */
int SDF_GenerateKeyWithEPK_ECC(void *hSessionHandle, unsigned int uiKeyBits, unsigned int uiAlgID, const ECCrefPublicKey *pucPublicKey, ECCCipher *pucKey, void **phKeyHandle);

/* Takes a session key over that was encrypted for an index's encryption pair. */
int SDF_ImportKeyWithISK_ECC(void *hSessionHandle, unsigned int uiISKIndex, const ECCCipher *pucKey, void **phKeyHandle);

/* Encrypts for a public key what was encrypted for an index's encryption pair; C of the result has room for as much. */
int SDF_ExchangeDigitEnvelopeBaseOnECC(void *hSessionHandle, unsigned int uiKeyIndex, unsigned int uiAlgID, const ECCrefPublicKey *pucPublicKey, const ECCCipher *pucEncDataIn, ECCCipher *pucEncDataOut);

/* Wipes a session key. */
int SDF_DestroyKey(void *hSessionHandle, void *hKeyHandle);

/* Verifies a signature over e, the 32 octets SM3(Z || M). */
int SDF_ExternalVerify_ECC(void *hSessionHandle, unsigned int uiAlgID, const ECCrefPublicKey *pucPublicKey, const unsigned char *pucDataInput, unsigned int uiInputLength, const ECCSignature *pucSignature);

/* Signs e, the 32 octets SM3(Z || M), with an index's signing pair. */
int SDF_InternalSign_ECC(void *hSessionHandle, unsigned int uiISKIndex, const unsigned char *pucData, unsigned int uiDataLength, ECCSignature *pucSignature);

/* Verifies a signature over e with an index's signing pair. */
int SDF_InternalVerify_ECC(void *hSessionHandle, unsigned int uiIPKIndex, const unsigned char *pucData, unsigned int uiDataLength, const ECCSignature *pucSignature);

/* Encrypts 1 to 4096 octets for a public key; C has room for as many. */
int SDF_ExternalEncrypt_ECC(void *hSessionHandle, unsigned int uiAlgID, const ECCrefPublicKey *pucPublicKey, const unsigned char *pucData, unsigned int uiDataLength, ECCCipher *pucEncData);

/* Encrypts 1 to 4096 octets for an index's encryption pair; C has room for as many. */
int SDF_InternalEncrypt_ECC(void *hSessionHandle, unsigned int uiIPKIndex, unsigned int uiAlgID, const unsigned char *pucData, unsigned int uiDataLength, ECCCipher *pucEncData);

/* Decrypts with an index's encryption pair; pucData has room for as many octets as C has, puiDataLength receives their number. */
int SDF_InternalDecrypt_ECC(void *hSessionHandle, unsigned int uiISKIndex, unsigned int uiAlgID, const ECCCipher *pucEncData, unsigned char *pucData, unsigned int *puiDataLength);

/* Encrypts whole blocks with SGD_SM4_ECB or SGD_SM4_CBC; the result has the same length. With CBC pucIV has 16 octets, and receives what the next piece goes on from. */
int SDF_Encrypt(void *hSessionHandle, void *hKeyHandle, unsigned int uiAlgID, unsigned char *pucIV, const unsigned char *pucData, unsigned int uiDataLength, unsigned char *pucEncData, unsigned int *puiEncDataLength);

/* Decrypts as SDF_Encrypt encrypts. */
int SDF_Decrypt(void *hSessionHandle, void *hKeyHandle, unsigned int uiAlgID, unsigned char *pucIV, const unsigned char *pucEncData, unsigned int uiEncDataLength, unsigned char *pucData, unsigned int *puiDataLength);

/* Computes SGD_SM4_MAC over whole blocks: 16 octets. pucIV has 16 octets, and receives what the next piece goes on from. */
int SDF_CalculateMAC(void *hSessionHandle, void *hKeyHandle, unsigned int uiAlgID, unsigned char *pucIV, const unsigned char *pucData, unsigned int uiDataLength, unsigned char *pucMAC, unsigned int *puiMACLength);

/* Begins an SM3 digest. With an identifier (uiIDLength is not 0), it begins with Z of the public key under it. */
int SDF_HashInit(void *hSessionHandle, unsigned int uiAlgID, const ECCrefPublicKey *pucPublicKey, const unsigned char *pucID, unsigned int uiIDLength);

/* Goes on with the digest: at most 65536 octets. */
int SDF_HashUpdate(void *hSessionHandle, const unsigned char *pucData, unsigned int uiDataLength);

/* Ends the digest: 32 octets. */
int SDF_HashFinal(void *hSessionHandle, unsigned char *pucHash, unsigned int *puiHashLength);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_ExportSignPublicKey_RSA(void *hSessionHandle, unsigned int uiKeyIndex, RSArefPublicKey *pucPublicKey);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_ExportEncPublicKey_RSA(void *hSessionHandle, unsigned int uiKeyIndex, RSArefPublicKey *pucPublicKey);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_GenerateKeyPair_RSA(void *hSessionHandle, unsigned int uiKeyBits, RSArefPublicKey *pucPublicKey, RSArefPrivateKey *pucPrivateKey);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_GenerateKeyWithIPK_RSA(void *hSessionHandle, unsigned int uiIPKIndex, unsigned int uiKeyBits, unsigned char *pucKey, unsigned int *puiKeyLength, void **phKeyHandle);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_GenerateKeyWithEPK_RSA(void *hSessionHandle, unsigned int uiKeyBits, const RSArefPublicKey *pucPublicKey, unsigned char *pucKey, unsigned int *puiKeyLength, void **phKeyHandle);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_ImportKeyWithISK_RSA(void *hSessionHandle, unsigned int uiISKIndex, const unsigned char *pucKey, unsigned int uiKeyLength, void **phKeyHandle);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_ExchangeDigitEnvelopeBaseOnRSA(void *hSessionHandle, unsigned int uiKeyIndex, const RSArefPublicKey *pucPublicKey, const unsigned char *pucDEInput, unsigned int uiDELength, unsigned char *pucDEOutput, unsigned int *puiDELength);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_ExternalPublicKeyOperation_RSA(void *hSessionHandle, const RSArefPublicKey *pucPublicKey, const unsigned char *pucDataInput, unsigned int uiInputLength, unsigned char *pucDataOutput, unsigned int *puiOutputLength);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_InternalPublicKeyOperation_RSA(void *hSessionHandle, unsigned int uiKeyIndex, const unsigned char *pucDataInput, unsigned int uiInputLength, unsigned char *pucDataOutput, unsigned int *puiOutputLength);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_InternalPrivateKeyOperation_RSA(void *hSessionHandle, unsigned int uiKeyIndex, const unsigned char *pucDataInput, unsigned int uiInputLength, unsigned char *pucDataOutput, unsigned int *puiOutputLength);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_GenerateKeyPair_ECC(void *hSessionHandle, unsigned int uiAlgID, unsigned int uiKeyBits, ECCrefPublicKey *pucPublicKey, ECCrefPrivateKey *pucPrivateKey);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_GenerateAgreementDataWithECC(void *hSessionHandle, unsigned int uiISKIndex, unsigned int uiKeyBits, const unsigned char *pucSponsorID, unsigned int uiSponsorIDLength, ECCrefPublicKey *pucSponsorPublicKey, ECCrefPublicKey *pucSponsorTmpPublicKey, void **phAgreementHandle);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_GenerateKeyWithECC(void *hSessionHandle, const unsigned char *pucResponseID, unsigned int uiResponseIDLength, const ECCrefPublicKey *pucResponsePublicKey, const ECCrefPublicKey *pucResponseTmpPublicKey, void *hAgreementHandle, void **phKeyHandle);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_GenerateAgreementDataAndKeyWithECC(void *hSessionHandle, unsigned int uiISKIndex, unsigned int uiKeyBits, const unsigned char *pucResponseID, unsigned int uiResponseIDLength, const unsigned char *pucSponsorID, unsigned int uiSponsorIDLength, const ECCrefPublicKey *pucSponsorPublicKey, const ECCrefPublicKey *pucSponsorTmpPublicKey, ECCrefPublicKey *pucResponsePublicKey, ECCrefPublicKey *pucResponseTmpPublicKey, void **phKeyHandle);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_GenerateKeyWithKEK(void *hSessionHandle, unsigned int uiKeyBits, unsigned int uiAlgID, unsigned int uiKEKIndex, unsigned char *pucKey, unsigned int *puiKeyLength, void **phKeyHandle);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_ImportKeyWithKEK(void *hSessionHandle, unsigned int uiAlgID, unsigned int uiKEKIndex, const unsigned char *pucKey, unsigned int uiKeyLength, void **phKeyHandle);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_CreateFile(void *hSessionHandle, const unsigned char *pucFileName, unsigned int uiNameLen, unsigned int uiFileSize);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_ReadFile(void *hSessionHandle, const unsigned char *pucFileName, unsigned int uiNameLen, unsigned int uiOffset, unsigned int *puiReadLength, unsigned char *pucBuffer);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_WriteFile(void *hSessionHandle, const unsigned char *pucFileName, unsigned int uiNameLen, unsigned int uiOffset, unsigned int uiWriteLength, const unsigned char *pucBuffer);

/* Not supported: SDR_NOTSUPPORT. */
int SDF_DeleteFile(void *hSessionHandle, const unsigned char *pucFileName, unsigned int uiNameLen);

#ifdef __cplusplus
}
#endif

#endif
