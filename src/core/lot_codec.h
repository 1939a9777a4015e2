/*
 * lot_codec.h - lots and takes as parts of a larger body.
 *
 * Owns:      their forms without a version byte, for owner_codec.c and record.c.
 * Must not:  be used outside src/core.
 */
#ifndef KOP_CORE_LOT_CODEC_H
#define KOP_CORE_LOT_CODEC_H

#include "core/rows.h"

/* A reader that fails leaves the lot or take half filled. */
void lot_put(struct buf *buf, const struct lot *lot);
void lot_get(struct bytes_reader *reader, struct lot *lot);
void take_get(struct bytes_reader *reader, struct take *take);

/* A count and so many takes; NULL when there are none. */
void takes_put(struct buf *buf, const struct take *take, uint32_t count);
struct take *takes_get(struct bytes_reader *reader, struct arena *arena, uint32_t *count);

#endif
