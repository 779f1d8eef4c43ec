/* A hospital's old software, as small as it gets: reads the card in the reader by the ministry's functions, writes
 * it, and says what it saw, one line a fact. The SAM's PIN is the first argument. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "healthcard.h"

/* Every call must succeed, or answer the code that is expected. */
static void expect(const char *what, int code, int answer) {
    if (answer != code) {
        fprintf(stderr, "%s: answered %d, expected %d\n", what, answer, code);
        exit(1);
    }
}
#define OK(call) expect(#call, IRV_OK, call)

static void show(const char *name, const char *value) { printf("%s=%s\n", name, value); }

int main(int argc, char **argv) {
    if (argc != 2) return 64;
    /* Before anything is open, and with nonsense for a handle. */
    expect("no handle", IRV_PARA_ERR, iVerifyPIN(NULL, "123456"));
    expect("a stale handle", IRV_PARA_ERR, iDClosePort((HANDLE)99));

    HANDLE desk = iDOpenPort();
    if (desk == NULL) {
        fprintf(stderr, "no reader\n");
        return 1;
    }
    char atr[67];
    OK(PowerOn(desk, 0x01, atr));
    show("atr", atr);
    OK(PowerOn(desk, 0x11, atr));

    unsigned char answer[258];
    int length = 0;
    static const unsigned char challenge[] = {0x00, 0x84, 0x00, 0x00, 0x08};
    OK(SendAPDU(desk, 0x01, challenge, sizeof challenge, answer, &length));
    printf("challenge=%d\n", length);

    char sam[381];
    OK(iReader_SAM_Public(desk, sam));
    OK(iReader_SAM_Terminal(desk, sam));
    show("terminal", sam);
    OK(iReader_SAM_PublicApp(desk, sam));
    OK(iReader_SAM_OrgCertificate(desk, sam));
    OK(iReader_SAM_Certificate(desk, sam));

    /* Who it is. */
    char klb[2], gfbb[5], fkjgmc[31], fkjgdm[23], fkjgzs[361], fksj[9], kh[19], aqm[4], xpxlh[11], yycsdm[7];
    OK(iR_DDF1EF05Info(desk, klb, gfbb, fkjgmc, fkjgdm, fkjgzs, fksj, kh, aqm, xpxlh, yycsdm));
    show("serial", xpxlh);
    show("city", yycsdm);
    char xm[31], xb[3], mz[3], csrq[9], sfzh[19];
    OK(iR_DDF1EF06Info(desk, xm, xb, mz, csrq, sfzh));
    show("name", xm);
    show("sex", xb);
    show("born", csrq);
    show("id", sfzh);
    unsigned char photo[3072];
    OK(iR_DDF1EF07Info(desk, photo, &length));
    printf("photo=%d\n", length);

    /* A phone is changed, the other fields stay. */
    char kyxq[9], brdh1[21], brdh2[21], pay1[3], pay2[3], pay3[3];
    OK(iW_DDF1EF08Info(desk, NULL, "13900139000", "", NULL, NULL, NULL));
    OK(iR_DDF1EF08Info(desk, kyxq, brdh1, brdh2, pay1, pay2, pay3));
    show("phone", brdh1);
    show("valid_until", kyxq);
    expect("a phone that does not fit", IRV_PARA_ERR,
           iW_DDF1EF08Info(desk, NULL, "138001380001380013800", NULL, NULL, NULL, NULL));
    expect("a date that does not exist", IRV_PARA_ERR, iW_DDF1EF08Info(desk, "20300230", NULL, NULL, NULL, NULL, NULL));

    char dzlb1[3], dz1[101], dzlb2[3], dz2[101];
    OK(iW_DF01EF05Info(desk, "02", "\xb1\xb1\xbe\xa9\xca\xd0", NULL, NULL));
    OK(iR_DF01EF05Info(desk, dzlb1, dz1, dzlb2, dz2));
    show("address", dz1);

    char blood[3], rh[3], flag[12][3], other[41];
    OK(iW_DF02EF05Info(desk, "01", "1", "01", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL));
    OK(iR_DF02EF05Info(desk, blood, rh, flag[0], flag[1], flag[2], flag[3], flag[4], flag[5], flag[6], flag[7], flag[8],
                       flag[9], flag[10], flag[11], other));
    show("blood", blood);
    show("asthma", flag[0]);

    /* Allergies: the newest is the first. */
    char allergen[21], reaction[101];
    OK(iW_DF02EF07Info(desk, "penicillin", "rash"));
    OK(iW_DF02EF07Info(desk, "pollen", "sneezing"));
    OK(iR_DF02EF07Info(desk, 1, allergen, reaction));
    show("allergen1", allergen);
    OK(iR_DF02EF07Info(desk, 2, allergen, reaction));
    show("allergen2", allergen);
    expect("a fourth allergy", IRV_PARA_ERR, iR_DF02EF07Info(desk, 4, allergen, reaction));

    /* An outpatient record: the index, then the body, then its signature. */
    static char body[3013];
    memset(body, 0, sizeof body);
    strcpy(body, "County Hospital");
    memcpy(body + 80, "\x20\x26\x11\x26\x09\x30\x00", 7);
    char flags[5][3];
    OK(iR_DF03EF06Info(desk, flags[0], flags[1], flags[2], flags[3], flags[4]));
    show("before", flags[0]);
    unsigned long tries = 99;
    expect("nowhere to tell the tries", IRV_PARA_ERR, VerifyPin(desk, "000000", NULL));
    expect("a wrong PIN", IRV_PSAM_ERR, VerifyPin(desk, "000000", &tries));
    printf("tries=%lu\n", tries);
    OK(VerifyPin(desk, argv[1], &tries));
    expect("an invalid record is not written", IRV_RCINVALID, iW_DF03EDInfo(desk, 1, body, 0, sizeof body, 0x00));
    OK(iW_DF03EF06Info(desk, 1));
    OK(iW_DF03EDInfo(desk, 1, body, 0, sizeof body, 0x00));
    OK(iR_DF03EF06Info(desk, flags[0], flags[1], flags[2], flags[3], flags[4]));
    show("after", flags[0]);
    char institution[71], when[15];
    OK(iR_DF03EDInfo(desk, 1, institution, 0, 70, 0x01));
    show("institution", institution);
    char proof[2 * 254 + 1];
    OK(iR_DF03EDInfo(desk, 1, proof, 3013, 254, 0xFF));
    printf("signed=%d\n", strspn(proof, "0") < 128);
    OK(iR_DF03EDInfo(desk, 1, when, 80, 7, 0x0F));
    show("visited_at", when);
    expect("the signature is not to be written", IRV_PARA_ERR, iW_DF03EDInfo(desk, 1, proof, 3013, 64, 0x00));
    OK(iW_DF03EDInfo(desk, 1, "Cardiology", 105, 50, 0x01));
    static char all[6144];
    OK(iR_DF03ED_ALLInfo(desk, 1, all));
    printf("all=%.44s\n", all);
    OK(iErase_DF03EF06Info(desk, 1));
    expect("an invalid record", IRV_RCINVALID, iR_DF03EDInfo(desk, 1, institution, 0, 70, 0x01));

    /* A digest and its signature by the SAM. */
    unsigned char hash[32], signature[64];
    OK(SM3Digest(desk, (const unsigned char *)"abc", 3, hash, &length));
    printf("sm3=");
    for (int at = 0; at < length; at++) printf("%02X", hash[at]);
    printf("\n");
    OK(SM2SignHash(desk, hash, 32, signature, &length));
    printf("signature=%d\n", length);

    OK(iDClosePort(desk));
    expect("a closed handle", IRV_PARA_ERR, iR_DF02EF06Info(desk, flag[0]));
    return 0;
}
