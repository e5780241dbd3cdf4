
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: the Conflict-Chain field.
 */


#include <stdlib.h>
#include <string.h>

#include "core/policy/conflict_chain.h"


static int
within(const char *data, size_t len, const char *from, size_t size)
{
    return data >= from && len <= size && (size_t) (data - from) <= size - len;
}


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char              *text, *buf;
    conflict_chain_t   chain;

    text = malloc(size ? size : 1);
    buf = malloc(size ? size : 1);
    memcpy(text, data, size);

    if (conflict_chain_parse(&chain, text, size, buf) == CONFLICT_CHAIN_OK) {

        if (chain.id_len < CONFLICT_CHAIN_ID_MIN
            || chain.id_len > CONFLICT_CHAIN_ID_MAX
            || chain.n < 1 || chain.n > CONFLICT_CHAIN_LINKS)
        {
            abort();
        }

        if (!within(chain.id, chain.id_len, text, size)
            && !within(chain.id, chain.id_len, buf, size))
        {
            abort();
        }

        if (chain.base
            && (chain.base_len == 0
                || (!within(chain.base, chain.base_len, text, size)
                    && !within(chain.base, chain.base_len, buf, size))))
        {
            abort();
        }
    }

    /* the values are those of the text */

    if (memcmp(text, data, size) != 0) {
        abort();
    }

    free(text);
    free(buf);

    return 0;
}
