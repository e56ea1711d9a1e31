/* Helpers for the C test programs. */

#ifndef PAYTEND_TESTS_CHECK_H
#define PAYTEND_TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static inline void fail(const char *file, int line, const char *what) {
  fprintf(stderr, "%s:%d: %s\n", file, line, what);
  exit(1);
}

#define CHECK(condition) ((condition) ? (void)0 : fail(__FILE__, __LINE__, #condition))

static inline PaytendSlice borrowed(PaytendBuffer buffer) { return (PaytendSlice){buffer.data, buffer.len}; }

/* Returns whether a slice contains a string. */
static inline bool holds(PaytendSlice slice, const char *text) {
  size_t len = strlen(text);
  for (size_t at = 0; at + len <= slice.len; at++) {
    if (memcmp(slice.data + at, text, len) == 0) return true;
  }
  return false;
}

/* Creates a temporary directory and returns its path, which the caller must free. */
static inline char *new_folder(void) {
  char *folder = strdup("/tmp/paytend-c-XXXXXX");
  CHECK(folder && mkdtemp(folder));
  return folder;
}

/* Writes a file with the given mode and returns its path, which the caller must free. */
static inline char *write_file(const char *folder, const char *name, PaytendBuffer content, mode_t mode) {
  char *path = malloc(strlen(folder) + strlen(name) + 2);
  CHECK(path && sprintf(path, "%s/%s", folder, name) > 0);
  FILE *file = fopen(path, "wb");
  CHECK(file && fwrite(content.data, 1, content.len, file) == content.len && fclose(file) == 0);
  CHECK(chmod(path, mode) == 0);
  return path;
}

#endif
