/* Reading a file front to back, decompressing where its content is gzip. */
#ifndef RT_STREAM_H
#define RT_STREAM_H

#include "runtime/runtime.h"

typedef struct RtStream RtStream;

/** Opens a regular file. Where `may_be_gzip`, its first two bytes decide whether it is. */
RtStream *rt_stream_open(const char *path, bool may_be_gzip, RtError *e);
void rt_stream_close(RtStream *s);

/** Reads exactly `n` bytes; fails where the file ends before, or is damaged. */
bool rt_stream_read(RtStream *s, void *into, size_t n, RtError *e);
/** Reads up to `n` bytes, fewer only at the end of the file. */
bool rt_stream_read_some(RtStream *s, void *into, size_t n, size_t *got, RtError *e);
/** Whether the file ends here, with nothing left over; for gzip, with its checksums right. */
bool rt_stream_expect_end(RtStream *s, RtError *e);
/** No more bytes than these can still come: a bound for what a header may claim before memory is taken for it. */
uint64_t rt_stream_room(const RtStream *s);

#endif
