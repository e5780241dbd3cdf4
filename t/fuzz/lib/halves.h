
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Unpaired surrogates are text for the module, and an error for jansson: this
 * replaces them in a document for jansson.
 */


#include <string.h>

#include "core/text/conflict_text.h"


/* a surrogate, 0xd800 to 0xdfff; 0: not an escape of one */

static int
surrogate(const unsigned char *p, const unsigned char *last)
{
    int  unit;

    unit = (last - p < 6 || p[0] != '\\' || p[1] != 'u')
           ? -1 : conflict_text_unit(p + 2);

    return (unit >= 0xd800 && unit <= 0xdfff) ? unit : 0;
}


/* replaces each unpaired surrogate by another character */

static void
complete(unsigned char *p, size_t size)
{
    int             string, unit;
    unsigned char  *last;

    string = 0;

    for (last = p + size; p < last; p++) {

        if (*p == '"') {
            string = !string;
        }

        if (*p != '\\' || !string) {
            continue;
        }

        unit = surrogate(p, last);

        if (unit && unit < 0xdc00 && surrogate(p + 6, last) >= 0xdc00) {
            p += 11;

        } else if (unit) {
            memcpy(p + 2, "fffd", 4);
            p += 5;

        } else {
            p++;
        }
    }
}
