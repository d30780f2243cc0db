/* WAV files: sound as f32 from -1 to 1, channels mixed to one. */
#ifndef RT_WAV_H
#define RT_WAV_H

#include "runtime/runtime.h"

/** What a file holds. `length` counts samples in time, `rate` those of a second. */
typedef struct {
    int64_t length;
    int64_t rate;
} RtWavInfo;

/** Reads the header alone. */
bool rt_wav_header(const char *path, RtWavInfo *info, RtError *e);
/** Reads the first `n` samples, or all that there are and then silence. Integers of 8 to 32 bits and floats of 32 and
 * 64 are known; the mean of the channels is taken. A length of 0xFFFFFFFF, as written by programs that did not know it,
 * means all that follows. */
bool rt_wav_read(const char *path, float *into, int64_t n, RtError *e);

#endif
