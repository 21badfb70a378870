/* Makes one call of the C library fail, or the process die at it: of the calls named FAULT_CALL on
   what lies below FAULT_UNDER the FAULT_AT-th, and with FAULT_ON all after it. FAULT_ERROR is the
   errno; 0 kills. That it happened is noted as a file named FAULT_NOTE. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long count;

static int below(const char *path) {
    const char *under = getenv("FAULT_UNDER");
    return under && path && strncmp(path, under, strlen(under)) == 0;
}

static int file_below(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

/* Whether this call is to fail; errno says how. */
static int fails(const char *call, int is_below) {
    const char *wanted = getenv("FAULT_CALL");
    if (!is_below || !wanted || strcmp(wanted, call) != 0) return 0;
    long at = atol(getenv("FAULT_AT")), now = atomic_fetch_add(&count, 1) + 1;
    if (now < at || (now > at && !getenv("FAULT_ON"))) return 0;
    long note = syscall(SYS_openat, AT_FDCWD, getenv("FAULT_NOTE"), O_CREAT | O_WRONLY, 0600);
    syscall(SYS_close, note);
    int error = atoi(getenv("FAULT_ERROR"));
    if (error == 0) {
        syscall(SYS_kill, getpid(), SIGKILL);
        for (;;) pause();
    }
    errno = error;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t length) {
    if (fails("write", file_below(fd))) return -1;
    return syscall(SYS_write, fd, bytes, length);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    if (fails("write", file_below(fd))) return -1;
    return syscall(SYS_pwrite64, fd, bytes, length, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    return pwrite(fd, bytes, length, at);
}
int ftruncate(int fd, off_t length) {
    if (fails("write", file_below(fd))) return -1;
    return syscall(SYS_ftruncate, fd, length);
}
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }
int fsync(int fd) {
    if (fails("fsync", file_below(fd))) return -1;
    return syscall(SYS_fsync, fd);
}
int fdatasync(int fd) {
    if (fails("fsync", file_below(fd))) return -1;
    return syscall(SYS_fdatasync, fd);
}
int flock(int fd, int operation) {
    if (fails("flock", file_below(fd))) return -1;
    return syscall(SYS_flock, fd, operation);
}
int rename(const char *from, const char *to) {
    if (fails("rename", below(to))) return -1;
    return REAL(rename)(from, to);
}
int mkdir(const char *path, mode_t mode) {
    if (fails("mkdir", below(path))) return -1;
    return REAL(mkdir)(path, mode);
}
int unlink(const char *path) {
    if (fails("unlink", below(path))) return -1;
    return REAL(unlink)(path);
}
int rmdir(const char *path) {
    if (fails("unlink", below(path))) return -1;
    return REAL(rmdir)(path);
}
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t at) {
    if (fd >= 0 && fails("mmap", file_below(fd))) return MAP_FAILED;
    return (void *)syscall(SYS_mmap, address, length, protection, flags, fd, at);
}
void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t at) {
    return mmap(address, length, protection, flags, fd, at);
}
int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = va_arg(more, mode_t);
    va_end(more);
    if (fails("open", below(path))) return -1;
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = va_arg(more, mode_t);
    va_end(more);
    return open(path, flags, mode);
}
