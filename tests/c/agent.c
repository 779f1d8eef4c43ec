/* A hospital's old software, one call at a time: each line on the standard input names a function in a word and its
 * arguments; the answer is a line with the word, the code, and what was read, in hex since it is in GBK. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "healthcard.h"

static HANDLE desk;
static char buffer[15][6144];
static int length;

/* Says how many buffers were filled, each as hex. */
static void answer(const char *word, int code, int fields) {
    printf("%s %d", word, code);
    for (int field = 0; code == IRV_OK && field < fields; field++) {
        putchar(field ? '|' : ' ');
        for (const char *at = buffer[field]; *at; at++) printf("%02X", (unsigned char)*at);
    }
    putchar('\n');
    fflush(stdout);
}

#define B(n) buffer[n]

static int call(const char *word, char **given, int *fields) {
    int number = given[0] ? atoi(given[0]) : 0;
    unsigned char bytes[3072];
    unsigned long tries;
    if (!strcmp(word, "power")) return *fields = 1, PowerOn(desk, 0x01, B(0));
    if (!strcmp(word, "power-sam")) return PowerOn(desk, 0x11, B(0));
    if (!strcmp(word, "issuer"))
        return *fields = 10, iR_DDF1EF05Info(desk, B(0), B(1), B(2), B(3), B(4), B(5), B(6), B(7), B(8), B(9));
    if (!strcmp(word, "holder")) return *fields = 5, iR_DDF1EF06Info(desk, B(0), B(1), B(2), B(3), B(4));
    if (!strcmp(word, "contact")) return *fields = 6, iR_DDF1EF08Info(desk, B(0), B(1), B(2), B(3), B(4), B(5));
    if (!strcmp(word, "set-contact"))
        return iW_DDF1EF08Info(desk, given[1], given[0], NULL, NULL, NULL, NULL);
    if (!strcmp(word, "photo")) {
        int code = iR_DDF1EF07Info(desk, bytes, &length);
        sprintf(B(0), "%d", length);
        return *fields = 1, code;
    }
    if (!strcmp(word, "basics"))
        return *fields = 15, iR_DF02EF05Info(desk, B(0), B(1), B(2), B(3), B(4), B(5), B(6), B(7), B(8), B(9), B(10),
                                             B(11), B(12), B(13), B(14));
    if (!strcmp(word, "set-basics"))
        return iW_DF02EF05Info(desk, given[0], NULL, given[1], NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                               NULL, NULL, NULL);
    if (!strcmp(word, "allergy")) return *fields = 2, iR_DF02EF07Info(desk, number, B(0), B(1));
    if (!strcmp(word, "add-allergy")) return iW_DF02EF07Info(desk, given[0], given[1]);
    if (!strcmp(word, "index")) return *fields = 5, iR_DF03EF06Info(desk, B(0), B(1), B(2), B(3), B(4));
    if (!strcmp(word, "mark")) return iW_DF03EF06Info(desk, number);
    if (!strcmp(word, "erase")) return iErase_DF03EF06Info(desk, number);
    if (!strcmp(word, "visit")) return *fields = 1, iR_DF03ED_ALLInfo(desk, number, B(0));
    if (!strcmp(word, "part")) return *fields = 1, iR_DF03EDInfo(desk, number, B(0), 0, 70, 0x01);
    if (!strcmp(word, "set-part")) return iW_DF03EDInfo(desk, number, given[1], 0, 70, 0x01);
    if (!strcmp(word, "set-visit")) return iW_DF03ED_ALLInfo(desk, number, given[1]);
    if (!strcmp(word, "pin")) return VerifyPin(desk, "123456", &tries);
    if (!strcmp(word, "change-pin")) return iChange_Pin(desk, "123456", "654321");
    if (!strcmp(word, "terminal")) return iReader_SAM_Terminal(desk, B(0));
    if (!strcmp(word, "send")) return SendAPDU(desk, (unsigned char)number, (const unsigned char *)"\0\x84\0\0\x08", 5, bytes, &length);
    if (!strcmp(word, "digest")) return SM3Digest(desk, (const unsigned char *)"abc", 3, bytes, &length);
    if (!strcmp(word, "sign")) return SM2SignHash(desk, (const unsigned char *)buffer, 32, bytes, &length);
    if (!strcmp(word, "let")) return setenv(given[0], given[1] ? given[1] : "", 1);
    if (!strcmp(word, "open")) return (desk = iDOpenPort()) == NULL;
    if (!strcmp(word, "close")) return iDClosePort(desk);
    return 64;
}

int main(void) {
    static char line[8192];
    while (fgets(line, sizeof line, stdin)) {
        char *given[4] = {NULL};
        line[strcspn(line, "\n")] = 0;
        char *word = strtok(line, " ");
        for (int at = 0; word && at < 3; at++) given[at] = strtok(NULL, " ");
        int fields = 0;
        memset(buffer, 0, sizeof buffer);
        int code = word ? call(word, given, &fields) : 64;
        answer(word ? word : "", code, fields);
    }
    return 0;
}
