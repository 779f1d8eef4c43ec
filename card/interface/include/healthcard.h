/* libhealthcard: the application interface of the resident health card (居民健康卡应用接口).
 *
 * Made from the library's table of functions: cargo run -p card-interface --example header
 *
 * Every function answers 0 when it succeeded, else one of the codes below. Text ends with NUL and is in
 * characters of GBK. A field has, in its buffer: an and ans fields their length, cn fields two digits a byte,
 * b fields two hex digits a byte, and a NUL. Styles: NO 0x00 bytes, AN 0x01 text, CN 0x0F digits, B 0xFF hex.
 * What is given may have 8192 bytes; longer text or data is refused with IRV_PARA_ERR. */
#ifndef HEALTHCARD_H
#define HEALTHCARD_H

#ifdef __cplusplus
extern "C" {
#endif

#ifdef _WIN32
#define HEALTHCARD_CALL __stdcall
#else
#define HEALTHCARD_CALL
#endif

typedef void *HANDLE;

#define IRV_OK 0
#define IRV_PARA_ERR 101 /* a parameter is not acceptable */
#define IRV_NO_FILE 102 /* the card has no such file */
#define IRV_RD_RCDERR 103 /* a record could not be read */
#define IRV_CARD_ERR 104 /* the card did not answer, or not as it must */
#define IRV_PSAM_ERR 105 /* the SAM did not answer, or not as it must */
#define IRV_IRK_VERR 106 /* the card or this desk failed to prove itself */
#define IRV_RD_BINERR 107 /* a file could not be read */
#define IRV_WR_RCDERR 108 /* a record could not be written */
#define IRV_WR_BINERR 109 /* a file could not be written */
#define IRV_W_DF03EF05ERR 110 /* an index entry could not be set valid */
#define IRV_ER_DF03EF05ERR 111 /* an index entry could not be set invalid */
#define IRV_RCINVALID 112 /* the record is marked as invalid */
#define IRV_DDF1EF07_DATAERR 113 /* the photo is damaged */

/* Opens the readers of this desk: HEALTHCARD_READER for the user card and HEALTHCARD_SAM_READER for the SAM in
 * the environment, else the first and the second reader. NULL when there is none.
 *
 * With HEALTHCARD_AGENT in the environment it opens the desk agent at that socket instead (healthcard desk
 * --interface PATH). That takes no SAM: the service holds the keys of the card, and permits or refuses. A visit
 * is named by HEALTHCARD_VISIT, and why its data are read by HEALTHCARD_PURPOSE (treatment, patient-request);
 * both are looked at in every call. Without a visit there are issuer data and holder data, and contact data can
 * be written. HEALTHCARD_READER is a part of the reader's name. Codes through the agent:
 * IRV_CARD_ERR no card, two cards, or not the card that was powered on: call PowerOn again;
 * IRV_PSAM_ERR the agent or the service cannot be reached;
 * IRV_IRK_VERR the card did not prove itself, or the service does not permit it: role, visit, purpose. */
HANDLE HEALTHCARD_CALL iDOpenPort(void);
/* Closes a connection. */
int HEALTHCARD_CALL iDClosePort(HANDLE hDev);

/* Reads: issuer data (DDF1\EF05). */
int HEALTHCARD_CALL iR_DDF1EF05Info(HANDLE hDev, char *KLB, char *GFBB, char *FKJGMC, char *FKJGDM, char *FKJGZS, char *FKSJ, char *KH, char *AQM, char *XPXLH, char *YYCSDM);

/* Reads: holder data (DDF1\EF06). */
int HEALTHCARD_CALL iR_DDF1EF06Info(HANDLE hDev, char *XM, char *XB, char *MZ, char *CSRQ, char *SFZH);

/* Reads: validity, phones, payment (DDF1\EF08). */
int HEALTHCARD_CALL iR_DDF1EF08Info(HANDLE hDev, char *KYXQ, char *BRDH1, char *BRDH2, char *YLFYZFFS1, char *YLFYZFFS2, char *YLFYZFFS3);

/* Writes: validity, phones, payment (DDF1\EF08). Empty or null fields stay as they are. */
int HEALTHCARD_CALL iW_DDF1EF08Info(HANDLE hDev, const char *KYXQ, const char *BRDH1, const char *BRDH2, const char *YLFYZFFS1, const char *YLFYZFFS2, const char *YLFYZFFS3);

/* Reads: addresses (DF01\EF05). */
int HEALTHCARD_CALL iR_DF01EF05Info(HANDLE hDev, char *DZLB1, char *DZ1, char *DZLB2, char *DZ2);

/* Writes: addresses (DF01\EF05). Empty or null fields stay as they are. */
int HEALTHCARD_CALL iW_DF01EF05Info(HANDLE hDev, const char *DZLB1, const char *DZ1, const char *DZLB2, const char *DZ2);

/* Reads: contacts (DF01\EF06). */
int HEALTHCARD_CALL iR_DF01EF06Info(HANDLE hDev, char *LXRXM1, char *LXRGX1, char *LXRDH1, char *LXRXM2, char *LXRGX2, char *LXRDH2, char *LXRXM3, char *LXRGX3, char *LXRDH3);

/* Writes: contacts (DF01\EF06). Empty or null fields stay as they are. */
int HEALTHCARD_CALL iW_DF01EF06Info(HANDLE hDev, const char *LXRXM1, const char *LXRGX1, const char *LXRDH1, const char *LXRXM2, const char *LXRGX2, const char *LXRDH2, const char *LXRXM3, const char *LXRGX3, const char *LXRDH3);

/* Reads: education, marriage, occupation (DF01\EF07). */
int HEALTHCARD_CALL iR_DF01EF07Info(HANDLE hDev, char *WHCD, char *HYZK, char *ZY);

/* Writes: education, marriage, occupation (DF01\EF07). Empty or null fields stay as they are. */
int HEALTHCARD_CALL iW_DF01EF07Info(HANDLE hDev, const char *WHCD, const char *HYZK, const char *ZY);

/* Reads: documents (DF01\EF08). */
int HEALTHCARD_CALL iR_DF01EF08Info(HANDLE hDev, char *ZJLB, char *ZJHM, char *JKDAH, char *XNHZH);

/* Writes: documents (DF01\EF08). Empty or null fields stay as they are. */
int HEALTHCARD_CALL iW_DF01EF08Info(HANDLE hDev, const char *ZJLB, const char *ZJHM, const char *JKDAH, const char *XNHZH);

/* Reads: clinical basics (DF02\EF05). */
int HEALTHCARD_CALL iR_DF02EF05Info(HANDLE hDev, char *ABOXX, char *RHXX, char *XCBZ, char *XZBBZ, char *XNXGBBZ, char *DXBBZ, char *NXWLBZ, char *TNBBZ, char *QGYBZ, char *TXBZ, char *QGYZBZ, char *QGQSBZ, char *KZXYZBZ, char *XZQBQBZ, char *QTYXJSMC);

/* Writes: clinical basics (DF02\EF05). Empty or null fields stay as they are. */
int HEALTHCARD_CALL iW_DF02EF05Info(HANDLE hDev, const char *ABOXX, const char *RHXX, const char *XCBZ, const char *XZBBZ, const char *XNXGBBZ, const char *DXBBZ, const char *NXWLBZ, const char *TNBBZ, const char *QGYBZ, const char *TXBZ, const char *QGYZBZ, const char *QGQSBZ, const char *KZXYZBZ, const char *XZQBQBZ, const char *QTYXJSMC);

/* Reads: special information (DF02\EF06). */
int HEALTHCARD_CALL iR_DF02EF06Info(HANDLE hDev, char *JSBBZ);

/* Writes: special information (DF02\EF06). Empty or null fields stay as they are. */
int HEALTHCARD_CALL iW_DF02EF06Info(HANDLE hDev, const char *JSBBZ);

/* Powers a slot (0x01 user card, 0x11 SAM) and gives its answer to reset in hex (67 characters). Through the agent only the user card, else IRV_PSAM_ERR. */
int HEALTHCARD_CALL PowerOn(HANDLE hDev, int slot, char *ATR);

/* Sends one command of byLen bytes to a slot; pbyR_Command has room for 258 bytes, pnRes receives their number. Not through the agent: IRV_CARD_ERR, and IRV_PSAM_ERR for the SAM. */
int HEALTHCARD_CALL SendAPDU(HANDLE hDev, unsigned char bySlot, const unsigned char *pbyC_Command, unsigned long byLen, unsigned char *pbyR_Command, int *pnRes);

/* Verifies the PIN of the SAM: 4 to 12 digits. Not through the agent: IRV_PSAM_ERR. */
int HEALTHCARD_CALL iVerifyPIN(HANDLE hDev, const char *PIN);

/* Changes the PIN of the SAM. Not through the agent: IRV_PSAM_ERR. */
int HEALTHCARD_CALL iChange_Pin(HANDLE hDev, const char *oldPin, const char *newPin);

/* Reads the SAM's public information (MF\0015) in hex: 28 characters. Not through the agent: IRV_PSAM_ERR. */
int HEALTHCARD_CALL iReader_SAM_Public(HANDLE hDev, char *info);

/* Reads the SAM's terminal information (MF\0016) in hex: 12 characters. Not through the agent: IRV_PSAM_ERR. */
int HEALTHCARD_CALL iReader_SAM_Terminal(HANDLE hDev, char *info);

/* Reads the SAM's application information (DF01\001A) in hex: 50 characters. Not through the agent: IRV_PSAM_ERR. */
int HEALTHCARD_CALL iReader_SAM_PublicApp(HANDLE hDev, char *info);

/* Reads the issuer certificate in the SAM (DF01\001B) in hex: 360 characters. Not through the agent: IRV_PSAM_ERR. */
int HEALTHCARD_CALL iReader_SAM_OrgCertificate(HANDLE hDev, char *info);

/* Reads the SAM's own certificate (DF01\001C) in hex: 380 characters. Not through the agent: IRV_PSAM_ERR. */
int HEALTHCARD_CALL iReader_SAM_Certificate(HANDLE hDev, char *info);

/* Reads the photo (DDF1\EF07): up to 3072 bytes of JPEG, and their number. */
int HEALTHCARD_CALL iR_DDF1EF07Info(HANDLE hDev, unsigned char *ZHAOPIAN, int *pnLen);

/* Reads an allergy (DF02\EF07), record 1 to 3, the newest first. */
int HEALTHCARD_CALL iR_DF02EF07Info(HANDLE hDev, int nRecorderNo, char *GMWZMC, char *GMWZFY);

/* Adds an allergy (DF02\EF07); the oldest of three gives way. */
int HEALTHCARD_CALL iW_DF02EF07Info(HANDLE hDev, const char *GMWZMC, const char *GMWZFY);

/* Reads an immunisation (DF02\EF08), record 1 to 10, the newest first. */
int HEALTHCARD_CALL iR_DF02EF08Info(HANDLE hDev, int nRecorderNo, char *MYJZMC, char *MYJZSJ);

/* Adds an immunisation (DF02\EF08); the oldest of ten gives way. */
int HEALTHCARD_CALL iW_DF02EF08Info(HANDLE hDev, const char *MYJZMC, const char *MYJZSJ);

/* Reads the inpatient index (DF03\EF05): 00 valid, FF invalid. */
int HEALTHCARD_CALL iR_DF03EF05Info(HANDLE hDev, char *ZYJLBS1, char *ZYJLBS2, char *ZYJLBS3);

/* Sets an inpatient record, 1 to 3, valid. Through the agent the service marks a record valid itself, once it is written; here only the one whose turn it is, or that is valid, is accepted, else IRV_W_DF03EF05ERR. */
int HEALTHCARD_CALL iW_DF03EF05Info(HANDLE hDev, int nRecorderNo);

/* Sets an inpatient record, 1 to 3, invalid. Not through the agent, unless it is: IRV_ER_DF03EF05ERR. */
int HEALTHCARD_CALL iErase_DF03EF05Info(HANDLE hDev, int nRecorderNo);

/* Reads the outpatient index (DF03\EF06): 00 valid, FF invalid. */
int HEALTHCARD_CALL iR_DF03EF06Info(HANDLE hDev, char *MZJLBS1, char *MZJLBS2, char *MZJLBS3, char *MZJLBS4, char *MZJLBS5);

/* Sets an outpatient record, 1 to 5, valid. Through the agent the service marks a record valid itself, once it is written; here only the one whose turn it is, or that is valid, is accepted, else IRV_W_DF03EF05ERR. */
int HEALTHCARD_CALL iW_DF03EF06Info(HANDLE hDev, int nRecorderNo);

/* Sets an outpatient record, 1 to 5, invalid. Not through the agent, unless it is: IRV_ER_DF03EF05ERR. */
int HEALTHCARD_CALL iErase_DF03EF06Info(HANDLE hDev, int nRecorderNo);

/* Reads nLen bytes at nPos of an inpatient record (DF03\EE01 to EE03), in the form nStyle. */
int HEALTHCARD_CALL iR_DF03EEInfo(HANDLE hDev, int nRecorderNo, char *szData, int nPos, int nLen, int nStyle);

/* Writes nLen bytes at nPos of a valid inpatient record, given in the form nStyle; 1639 bytes in all. The record is signed anew when the PIN was verified, else it loses its signature. Not through the agent: IRV_WR_BINERR. */
int HEALTHCARD_CALL iW_DF03EEInfo(HANDLE hDev, int nRecorderNo, const char *szData, int nPos, int nLen, int nStyle);

/* Reads an outpatient record (DF03\ED01 to ED05) as above. */
int HEALTHCARD_CALL iR_DF03EDInfo(HANDLE hDev, int nRecorderNo, char *szData, int nPos, int nLen, int nStyle);

/* Writes a valid outpatient record as above; 3013 bytes in all. */
int HEALTHCARD_CALL iW_DF03EDInfo(HANDLE hDev, int nRecorderNo, const char *szData, int nPos, int nLen, int nStyle);

/* Reads all items of an inpatient record, joined by |: up to 4096 characters. An item that has a | itself is refused with IRV_RD_BINERR. */
int HEALTHCARD_CALL iR_DF03EE_ALLInfo(HANDLE hDev, int nRecorderNo, char *szData);

/* Writes all items of an inpatient record but the last two, joined by |; an empty one is written as empty. Through the agent the service signs it, and it must be the record whose turn it is: the first that is invalid, else the oldest; another one is refused with IRV_WR_BINERR. */
int HEALTHCARD_CALL iW_DF03EE_ALLInfo(HANDLE hDev, int nRecorderNo, const char *szData);

/* Reads all items of an outpatient record, joined by |: up to 6144 characters. An item that has a | itself is refused with IRV_RD_BINERR. */
int HEALTHCARD_CALL iR_DF03ED_ALLInfo(HANDLE hDev, int nRecorderNo, char *szData);

/* Writes all items of an outpatient record but the last two, joined by |; an empty one is written as empty. Through the agent the service signs it, and it must be the record whose turn it is: the first that is invalid, else the oldest; another one is refused with IRV_WR_BINERR. */
int HEALTHCARD_CALL iW_DF03ED_ALLInfo(HANDLE hDev, int nRecorderNo, const char *szData);

/* Computes SM3 of nDataLen bytes, at most 8192; pbHash has room for 32 bytes, pbHashLen receives 32. */
int HEALTHCARD_CALL SM3Digest(HANDLE hDev, const unsigned char *pbData, int nDataLen, unsigned char *pbHash, int *pbHashLen);

/* Verifies the PIN of the SAM before signing; pdwRetry receives the tries that are left. Not through the agent: IRV_PSAM_ERR. */
int HEALTHCARD_CALL VerifyPin(HANDLE hDev, const char *szPin, unsigned long *pdwRetry);

/* Signs a digest of 32 bytes with the SAM's SM2 key; pbSignedData has room for 64 bytes, pbLength receives 64. Not through the agent: IRV_PSAM_ERR. */
int HEALTHCARD_CALL SM2SignHash(HANDLE hDev, const unsigned char *pbData, unsigned char bLen, unsigned char *pbSignedData, int *pbLength);

#ifdef __cplusplus
}
#endif

#endif
