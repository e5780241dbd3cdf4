
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: preconditions.  One that holds, or may hold, with a write in
 * flight must not be refused; one that is stale must stay stale whatever the
 * outcome of that write.
 */


#include <stdlib.h>
#include <string.h>

#include "core/policy/conflict_chain.h"
#include "core/policy/conflict_decide.h"
#include "core/text/conflict_time.h"


static int
stale(conflict_check_e check)
{
    return check == CONFLICT_STALE || check == CONFLICT_FAILED;
}


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    uint64_t                 match[2], none[2];
    unsigned                 own, late;
    conflict_check_e         now, cancelled, committed;
    conflict_current_t       current;
    conflict_precondition_t  pre;

    if (size < 12) {
        return 0;
    }

    memset(&pre, 0, sizeof(pre));
    memset(&current, 0, sizeof(current));

    pre.kinds = data[0] & 0x3f;
    pre.base = data[1] % 8 + 1;
    match[0] = data[2] % 8 + 1;
    match[1] = data[3] % 8 + 1;
    none[0] = data[4] % 8 + 1;
    none[1] = data[5] % 8 + 1;
    pre.match = match;
    pre.matches = data[6] % 3;
    pre.none = none;
    pre.nones = data[7] % 3;
    pre.exact = data[8] & 1;
    pre.unmodified = data[8] * 100000;

    current.version = data[9] % 4 + 1;
    current.pending = current.version + 1;
    current.mtime = data[10] * 100000;
    current.second_reused = data[11] & 1;
    current.existence = (data[11] & 2) ? CONFLICT_EXISTS : CONFLICT_DELETED;

    current.owned = (data[11] >> 3) & 1;

    own = late = 0;

    if (size > 15) {
        pre.kinds |= CONFLICT_CHAIN;
        pre.chain_base = data[12] % 9;
        pre.chain = conflict_chain_word(1, data[13] % 4 + 1);
        current.chain = conflict_chain_word(data[14] % 3, data[15] % 4 + 1);
        current.mixed = (data[15] >> 4) & 1;

        own = (data[14] % 3 == 1);
        late = (own
                && conflict_chain_number(pre.chain)
                   <= conflict_chain_number(current.chain));
    }

    now = conflict_decide_precondition(&pre, &current, 0);

    current.pending = 0;
    cancelled = conflict_decide_precondition(&pre, &current, 1);

    /* with upstream-owned versions it may be any */

    current.version = current.owned ? (uint64_t) (data[11] >> 4) % 8 + 1
                                    : current.version + 1;
    current.mtime += CONFLICT_TIME_SECOND * 30;
    current.chain = stale(now) ? 0 : current.chain + 1;
    current.existence = (data[11] & 4) ? CONFLICT_EXISTS : CONFLICT_DELETED;
    committed = conflict_decide_precondition(&pre, &current, 1);

    /*
     * What is stale beside a write in flight stays stale, whatever the outcome;
     * except a base of the chain that becomes current again.
     */

    if (!own && stale(now) && (!stale(cancelled) || !stale(committed))) {
        abort();
    }

    /* a delayed link never holds, whatever its other preconditions */

    if (late && (now != CONFLICT_FAILED || cancelled != CONFLICT_FAILED)) {
        abort();
    }

    if (now == CONFLICT_FAILED && cancelled != CONFLICT_FAILED) {
        abort();
    }

    if ((pre.kinds == 0) != (now == CONFLICT_NO_BASE)) {
        abort();
    }

    return 0;
}
