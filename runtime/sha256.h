/* SHA-256 of bytes, files and folders, as 64 hexadecimal digits. */
#ifndef RT_SHA256_H
#define RT_SHA256_H

#include "runtime/runtime.h"
#include <nettle/sha2.h>

typedef struct sha256_ctx RtSha256;

enum { RT_SHA256_TEXT = 2 * SHA256_DIGEST_SIZE + 1 };

void rt_sha256_begin(RtSha256 *h);
void rt_sha256_add(RtSha256 *h, const void *data, size_t size);
/** Adds the text and its end, so that neighbours do not run together. */
void rt_sha256_add_text(RtSha256 *h, const char *text);
void rt_sha256_end(RtSha256 *h, char text[RT_SHA256_TEXT]);

/** Of a file's bytes; of a folder, of the names and bytes of all files in it and in its folders, in order. */
bool rt_sha256_path(const char *path, char text[RT_SHA256_TEXT], RtError *e);

/* Paths that are hashed by a thread of their own. */
typedef struct RtHashing RtHashing;

/** Begins; the paths must stay. NULL where there is no thread to be had. */
RtHashing *rt_hashing_start(const char *const *paths, size_t n);

/** Waits until all are done, copies the hash of path i to texts[i], "" where it cannot be read, and gives the thread
 * back. `h` may be NULL: then nothing happens; `texts` may be NULL: then nothing is copied. */
void rt_hashing_end(RtHashing *h, char (*texts)[RT_SHA256_TEXT]);

#endif
