/* Records what a process writes to database files, and makes writes fail. Preloaded into the process under test.
 *
 * PAYTEND_DISK_LOG names the log. Each record has the operation (w: write, t: truncate, s: sync), the file (m: main, l:
 * write-ahead log), the offset or size, the length, and the data. A sync is recorded when it has succeeded, and any
 * other operation before it is carried out. PAYTEND_DISK_FAULT names a file: while it exists and begins with "s", syncs
 * fail with EIO; with "w", writes fail with ENOSPC. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Returns the kind of file, or 0 if it is not a database file. */
static char kind(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    const char *dot = strrchr(path, '.');
    if (!dot) return 0;
    return strcmp(dot, ".db") == 0 ? 'm' : strcmp(dot, ".db-wal") == 0 ? 'l' : 0;
}

static int fails(char wanted) {
    const char *name = getenv("PAYTEND_DISK_FAULT");
    if (!name) return 0;
    int fd = open(name, O_RDONLY);
    if (fd < 0) return 0;
    char found = 0;
    ssize_t count = read(fd, &found, 1);
    close(fd);
    return count == 1 && found == wanted;
}

static void record(char operation, char file, uint64_t offset, const void *data, uint64_t length) {
    if (log_fd < 0) {
        const char *name = getenv("PAYTEND_DISK_LOG");
        if (!name) return;
        log_fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log_fd < 0) abort();
    }
    static char buffer[1 << 20];
    if (length > sizeof buffer - 18) abort();
    buffer[0] = operation;
    buffer[1] = file;
    memcpy(buffer + 2, &offset, 8);
    memcpy(buffer + 10, &length, 8);
    if (length) memcpy(buffer + 18, data, length);
    /* A single call ensures that a kill signal can truncate only the last record in the log. */
    if (REAL(write)(log_fd, buffer, 18 + length) != (ssize_t)(18 + length)) abort();
}

static ssize_t write_at(int fd, const void *data, size_t length, off_t offset, int seek) {
    char file = kind(fd);
    if (!file) return seek ? REAL(write)(fd, data, length) : REAL(pwrite)(fd, data, length, offset);
    if (fails('w')) {
        errno = ENOSPC;
        return -1;
    }
    pthread_mutex_lock(&lock);
    if (seek) offset = lseek(fd, 0, SEEK_CUR);
    record('w', file, offset, data, length);
    ssize_t result = seek ? REAL(write)(fd, data, length) : REAL(pwrite)(fd, data, length, offset);
    pthread_mutex_unlock(&lock);
    return result;
}

ssize_t write(int fd, const void *data, size_t length) { return write_at(fd, data, length, 0, 1); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return write_at(fd, data, length, offset, 0); }
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) { return write_at(fd, data, length, offset, 0); }

static int truncate_to(int fd, off_t size) {
    char file = kind(fd);
    pthread_mutex_lock(&lock);
    if (file) record('t', file, size, NULL, 0);
    int result = REAL(ftruncate)(fd, size);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int fd, off_t size) { return truncate_to(fd, size); }
int ftruncate64(int fd, off64_t size) { return truncate_to(fd, size); }

static int sync_fd(int fd, int data_only) {
    char file = kind(fd);
    if (file && fails('s')) {
        errno = EIO;
        return -1;
    }
    /* The lock is held, so that no write is recorded before the sync that does not include it. */
    pthread_mutex_lock(&lock);
    int result = data_only ? REAL(fdatasync)(fd) : REAL(fsync)(fd);
    if (file && result == 0) record('s', file, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int fd) { return sync_fd(fd, 0); }
int fdatasync(int fd) { return sync_fd(fd, 1); }
