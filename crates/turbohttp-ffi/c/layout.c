/* The sizes of the structures where pointers have 64 bits, and on x86 with 32: those of the sources in Rust. */
#include "turbohttp.h"

#define SIZE(type, on_64, on_32) _Static_assert(sizeof(type) == (sizeof(void *) == 8 ? on_64 : on_32), #type)

SIZE(ThText, 16, 12);
SIZE(ThField, 16, 16);
SIZE(ThFields, 24, 16);
SIZE(ThClientConfig, 384, 316);
SIZE(ThRequest, 144, 116);
SIZE(ThEvent, 40, 40);
SIZE(ThHead, 48, 40);
SIZE(ThTimeline, 120, 120);
SIZE(ThTimelineEvent, 24, 24);
SIZE(ThStats, 64, 64);
SIZE(ThCloseReport, 56, 56);
SIZE(ThProgress, 40, 40);
