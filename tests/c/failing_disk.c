/*
 * A disk that fails: preloaded into a process, it stands between that and the system calls that change files.
 * Only files whose name begins with FAILING_DISK_DATABASE are meant, and the folder that they are in. What is to fail
 * stands in the file FAILING_DISK_CONTROL, which is shared memory: a test changes it while the process runs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* As in tests/src/failing_disk.rs. */
struct control {
    uint64_t armed;  /* 0: nothing is counted or failed */
    uint64_t files;  /* a bit for each kind of file */
    uint64_t calls;  /* a bit for each kind of call */
    uint64_t from;   /* the number of the call that fails first, from 1; 0 for none */
    uint64_t how;    /* what befalls it */
    uint64_t error;  /* errno */
    uint64_t seen;   /* calls that were meant */
    uint64_t failed; /* those that something befell */
    uint64_t kind;   /* what the first of these was */
};

enum { FILE_DATABASE = 1, FILE_WAL = 2, FILE_SHM = 4, FILE_BESIDE = 8, FILE_FOLDER = 16 };
enum { CALL_WRITE = 1, CALL_FLUSH = 2, CALL_CUT = 4, CALL_NAME = 8, CALL_OPEN = 16 };
enum { HOW_ONCE = 1, HOW_ON = 2, HOW_SHORT = 3, HOW_KILLED = 4, HOW_STUCK = 5 };

/* What is to be done with a call. */
enum verdict { PASS, FAIL, HALF, HALF_THEN_KILL };

static volatile struct control *control;
static const char *database;
static size_t database_length;

static void *real(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL) {
        fprintf(stderr, "failing_disk: no %s\n", name);
        abort();
    }
    return function;
}

__attribute__((constructor)) static void begin(void)
{
    const char *file = getenv("FAILING_DISK_CONTROL");
    database = getenv("FAILING_DISK_DATABASE");
    if (file == NULL || database == NULL) {
        return;
    }
    database_length = strlen(database);
    int fd = open(file, O_RDWR | O_CLOEXEC);
    void *memory = fd < 0 ? MAP_FAILED
                          : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "failing_disk: no control file\n");
        abort();
    }
    close(fd);
    control = memory;
}

/* Which of the files it is, by its path; 0 for none. */
static uint64_t kind_of_path(const char *path)
{
    if (strncmp(path, database, database_length) == 0) {
        const char *rest = path + database_length;
        /* The index of residents follows the log in a time of its own, and is made again from it. */
        if (strncmp(rest, ".index", 6) == 0)
            return 0;
        if (*rest == '\0') {
            return FILE_DATABASE;
        }
        if (strcmp(rest, "-wal") == 0) {
            return FILE_WAL;
        }
        if (strcmp(rest, "-shm") == 0) {
            return FILE_SHM;
        }
        return *rest == '.' ? FILE_BESIDE : 0;
    }
    size_t length = strlen(path);
    const char *name = strrchr(database, '/');
    return name != NULL && length == (size_t)(name - database) && strncmp(path, database, length) == 0
               ? FILE_FOLDER
               : 0;
}

static uint64_t kind_of(int fd)
{
    char link[32], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) {
        return 0;
    }
    path[length] = '\0';
    return kind_of_path(path);
}

static enum verdict judge(uint64_t call, uint64_t file)
{
    if ((control->files & file) == 0 || (control->calls & call) == 0) {
        return PASS;
    }
    uint64_t number = __sync_add_and_fetch(&control->seen, 1);
    uint64_t from = control->from;
    if (from == 0 || number < from) {
        return PASS;
    }
    if (number == from) {
        control->kind = call;
    } else if (control->how == HOW_ONCE) {
        return PASS;
    }
    __sync_add_and_fetch(&control->failed, 1);
    switch (control->how) {
    case HOW_ONCE:
    case HOW_ON:
        return FAIL;
    case HOW_SHORT:
        return number == from && call == CALL_WRITE ? HALF : FAIL;
    case HOW_KILLED:
        return HALF_THEN_KILL;
    case HOW_STUCK:
        while (control->armed != 0) {
            struct timespec moment = {0, 1000000};
            nanosleep(&moment, NULL);
        }
        return PASS;
    default:
        return PASS;
    }
}

/* Whether a call that is no write goes on. */
static int passes(uint64_t call, uint64_t file)
{
    switch (judge(call, file)) {
    case PASS:
        return 1;
    case HALF_THEN_KILL:
        kill(getpid(), SIGKILL);
        return 0;
    default:
        errno = (int)control->error;
        return 0;
    }
}

static int active(void)
{
    return control != NULL && control->armed != 0;
}

/* How many octets of a write go to the disk; less than 0 for none. */
static ssize_t admitted(int fd, size_t count)
{
    switch (judge(CALL_WRITE, kind_of(fd))) {
    case PASS:
        return (ssize_t)count;
    case HALF:
        return (ssize_t)(count / 2);
    case HALF_THEN_KILL:
        return -2;
    default:
        errno = (int)control->error;
        return -1;
    }
}

ssize_t write(int fd, const void *octets, size_t count)
{
    static ssize_t (*next)(int, const void *, size_t);
    if (next == NULL) {
        next = real("write");
    }
    if (!active()) {
        return next(fd, octets, count);
    }
    ssize_t most = admitted(fd, count);
    if (most == -2) {
        next(fd, octets, count / 2);
        kill(getpid(), SIGKILL);
    }
    return most < 0 ? -1 : next(fd, octets, (size_t)most);
}

ssize_t pwrite64(int fd, const void *octets, size_t count, off64_t at)
{
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    if (next == NULL) {
        next = real("pwrite64");
    }
    if (!active()) {
        return next(fd, octets, count, at);
    }
    ssize_t most = admitted(fd, count);
    if (most == -2) {
        next(fd, octets, count / 2, at);
        kill(getpid(), SIGKILL);
    }
    return most < 0 ? -1 : next(fd, octets, (size_t)most, at);
}

ssize_t pwrite(int fd, const void *octets, size_t count, off_t at)
{
    return pwrite64(fd, octets, count, at);
}

int fsync(int fd)
{
    static int (*next)(int);
    if (next == NULL) {
        next = real("fsync");
    }
    return !active() || passes(CALL_FLUSH, kind_of(fd)) ? next(fd) : -1;
}

int fdatasync(int fd)
{
    static int (*next)(int);
    if (next == NULL) {
        next = real("fdatasync");
    }
    return !active() || passes(CALL_FLUSH, kind_of(fd)) ? next(fd) : -1;
}

int ftruncate64(int fd, off64_t length)
{
    static int (*next)(int, off64_t);
    if (next == NULL) {
        next = real("ftruncate64");
    }
    return !active() || passes(CALL_CUT, kind_of(fd)) ? next(fd, length) : -1;
}

int ftruncate(int fd, off_t length)
{
    return ftruncate64(fd, length);
}

int rename(const char *from, const char *to)
{
    static int (*next)(const char *, const char *);
    if (next == NULL) {
        next = real("rename");
    }
    return !active() || passes(CALL_NAME, kind_of_path(to)) ? next(from, to) : -1;
}

int unlink(const char *path)
{
    static int (*next)(const char *);
    if (next == NULL) {
        next = real("unlink");
    }
    return !active() || passes(CALL_NAME, kind_of_path(path)) ? next(path) : -1;
}

int open64(const char *path, int flags, ...)
{
    static int (*next)(const char *, int, ...);
    mode_t mode = 0;
    if (next == NULL) {
        next = real("open64");
    }
    if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    int reads = (flags & O_ACCMODE) == O_RDONLY && (flags & O_CREAT) == 0;
    return !active() || reads || passes(CALL_OPEN, kind_of_path(path)) ? next(path, flags, mode) : -1;
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    return open64(path, flags, mode);
}
