
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The only user of xxHash: XXH3, 64 bits for streams and 128 bits for keys.
 * If the library can choose by the processor (CONFLICT_HASH_DISPATCH, set by
 * "config"), a large body takes a third of the time.
 */


#include <string.h>

#if (CONFLICT_HASH_DISPATCH)

#define XXH_STATIC_LINKING_ONLY      /* for the size of a state */
#include <xxh_x86dispatch.h>

#else

#define XXH_INLINE_ALL
#include <xxhash.h>

#endif

#include "core/text/conflict_hash.h"


/* pools align to 16 bytes, but the state needs 64 */

#define conflict_hash_state(hash)                                             \
    ((XXH3_state_t *) (((uintptr_t) (hash)->u.opaque + 63) & ~(uintptr_t) 63))


typedef char conflict_hash_fits_t
    [sizeof(XXH3_state_t) + 63 <= sizeof(((conflict_hash_t *) 0)->u.opaque)
     ? 1 : -1];


static void conflict_hash_start(conflict_hash_t *hash);


void
conflict_hash_init(conflict_hash_t *hash, uint64_t seed)
{
    hash->seed = seed;
    hash->len = 0;
    hash->started = 0;
}


/* Few bytes are collected: without a state they take less time. */

void
conflict_hash_update(conflict_hash_t *hash, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }

    if (!hash->started) {

        if (len <= sizeof(hash->u.bytes) - hash->len) {
            memcpy(hash->u.bytes + hash->len, data, len);
            hash->len += len;

            return;
        }

        conflict_hash_start(hash);
    }

    (void) XXH3_64bits_update(conflict_hash_state(hash), data, len);
}


static void
conflict_hash_start(conflict_hash_t *hash)
{
    XXH3_state_t   *state;
    unsigned char   bytes[sizeof(hash->u.bytes)];

    state = conflict_hash_state(hash);

    /* the state replaces them */
    memcpy(bytes, hash->u.bytes, hash->len);

    hash->started = 1;

    /* otherwise uninitialised memory could pass for a seed already set */
    XXH3_INITSTATE(state);

    (void) XXH3_64bits_reset_withSeed(state, hash->seed);
    (void) XXH3_64bits_update(state, bytes, hash->len);
}


void
conflict_hash_field(conflict_hash_t *hash, const void *data, size_t len)
{
    uint64_t        n;
    unsigned char  *p;

    n = len;

    if (hash->started
        || len > sizeof(hash->u.bytes) - sizeof(n)
        || hash->len > sizeof(hash->u.bytes) - sizeof(n) - len)
    {
        conflict_hash_update(hash, &n, sizeof(n));
        conflict_hash_update(hash, data, len);
        return;
    }

    p = hash->u.bytes + hash->len;
    hash->len += sizeof(n) + len;

    memcpy(p, &n, sizeof(n));

    if (len) {
        memcpy(p + sizeof(n), data, len);
    }
}


uint64_t
conflict_hash_final(conflict_hash_t *hash)
{
    uint64_t  h;

    if (!hash->started) {
        return conflict_hash_64(hash->u.bytes, hash->len, hash->seed);
    }

    h = XXH3_64bits_digest(conflict_hash_state(hash));

    return h ? h : 1;
}


uint64_t
conflict_hash_64(const void *data, size_t len, uint64_t seed)
{
    uint64_t  h;

    h = XXH3_64bits_withSeed(data, len, seed);

    return h ? h : 1;
}


uint64_t
conflict_hash_words(uint64_t a, uint64_t b)
{
    uint64_t  words[2];

    words[0] = a;
    words[1] = b;

    return XXH3_64bits(words, sizeof(words));
}


void
conflict_hash_128(uint64_t out[2], const void *data, size_t len, uint64_t seed)
{
    XXH128_hash_t  h;

    h = XXH3_128bits_withSeed(data, len, seed);

    out[0] = h.low64;
    out[1] = h.high64;
}
