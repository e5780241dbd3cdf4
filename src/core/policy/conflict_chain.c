
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Parses Conflict-Chain: a string or a token with parameters (RFC 9651,
 * section 4.2.3).
 */


#include "core/policy/conflict_chain.h"

#include <string.h>


#define CONFLICT_CHAIN_DIGITS  15        /* of an integer (RFC 9651, 3.3.1) */


typedef enum {
    CONFLICT_ITEM_NONE = 0,              /* a parameter without a value */
    CONFLICT_ITEM_INTEGER,
    CONFLICT_ITEM_STRING,
    CONFLICT_ITEM_TOKEN,
    CONFLICT_ITEM_OTHER
} conflict_item_e;


typedef struct {
    conflict_item_e          type;
    const char              *data;       /* without quotes and escapes */
    size_t                   len;
} conflict_item_t;


/* the rest of the input, and the place of the next text */

typedef struct {
    const char              *p;
    const char              *last;
    char                    *buf;
} conflict_chain_in_t;


static int conflict_chain_item(conflict_chain_in_t *in, conflict_item_t *item);
static int conflict_chain_numeric(conflict_chain_in_t *in,
    conflict_item_t *item);
static int conflict_chain_string(conflict_chain_in_t *in,
    conflict_item_t *item);
static int conflict_chain_token(conflict_chain_in_t *in,
    conflict_item_t *item);
static int conflict_chain_skip(conflict_chain_in_t *in, char end);
static int conflict_chain_parameter(conflict_chain_in_t *in,
    conflict_item_t *name, conflict_item_t *value);
static int conflict_chain_is(const conflict_item_t *name, const char *text);
static int conflict_chain_base(conflict_chain_t *chain,
    const conflict_item_t *item);
static unsigned conflict_chain_link(const conflict_item_t *item);
static int conflict_chain_alpha(char ch);
static int conflict_chain_digit(char ch);


conflict_chain_e
conflict_chain_parse(conflict_chain_t *chain, const char *text, size_t len,
    char *buf)
{
    conflict_item_t      id, name, value, base, n;
    conflict_chain_in_t  in;

    in.p = text;
    in.last = text + len;
    in.buf = buf;

    memset(&base, 0, sizeof(base));
    memset(&n, 0, sizeof(n));

    while (in.p < in.last && *in.p == ' ') {
        in.p++;
    }

    while (in.p < in.last && in.last[-1] == ' ') {
        in.last--;
    }

    if (conflict_chain_item(&in, &id) != 0) {
        return CONFLICT_CHAIN_MALFORMED;
    }

    while (in.p < in.last) {

        if (conflict_chain_parameter(&in, &name, &value) != 0) {
            return CONFLICT_CHAIN_MALFORMED;
        }

        /* of repeated parameters the last one counts */

        if (conflict_chain_is(&name, "base")) {
            base = value;

        } else if (conflict_chain_is(&name, "n")) {
            n = value;
        }
    }

    if ((id.type != CONFLICT_ITEM_STRING && id.type != CONFLICT_ITEM_TOKEN)
        || id.len < CONFLICT_CHAIN_ID_MIN || id.len > CONFLICT_CHAIN_ID_MAX)
    {
        return CONFLICT_CHAIN_BAD_ID;
    }

    chain->id = id.data;
    chain->id_len = id.len;

    if (conflict_chain_base(chain, &base) != 0) {
        return CONFLICT_CHAIN_BAD_BASE;
    }

    chain->n = conflict_chain_link(&n);

    return chain->n ? CONFLICT_CHAIN_OK : CONFLICT_CHAIN_BAD_NUMBER;
}


/* a bare item; -1: there is none */

static int
conflict_chain_item(conflict_chain_in_t *in, conflict_item_t *item)
{
    char  ch;

    if (in->p == in->last) {
        return -1;
    }

    ch = *in->p;
    item->type = CONFLICT_ITEM_OTHER;
    item->data = in->p;
    item->len = 0;

    if (ch == '-' || conflict_chain_digit(ch)) {
        return conflict_chain_numeric(in, item);
    }

    if (conflict_chain_alpha(ch) || ch == '*') {
        return conflict_chain_token(in, item);
    }

    in->p++;

    switch (ch) {

    case '"':
        return conflict_chain_string(in, item);

    case ':':
        /* a byte sequence */
        return conflict_chain_skip(in, ':');

    case '%':
        /* a display string */

        if (in->p == in->last || *in->p++ != '"') {
            return -1;
        }

        return conflict_chain_skip(in, '"');

    case '?':

        if (in->p == in->last || (*in->p != '0' && *in->p != '1')) {
            return -1;
        }

        in->p++;
        return 0;

    case '@':

        if (in->p == in->last
            || conflict_chain_numeric(in, item) != 0
            || item->type != CONFLICT_ITEM_INTEGER)
        {
            return -1;
        }

        item->type = CONFLICT_ITEM_OTHER;
        return 0;

    default:
        return -1;
    }
}


/* an integer, or a decimal */

static int
conflict_chain_numeric(conflict_chain_in_t *in, conflict_item_t *item)
{
    size_t       whole, fraction;
    const char  *start;

    item->data = in->p;
    in->p += (*in->p == '-');

    start = in->p;

    while (in->p < in->last && conflict_chain_digit(*in->p)) {
        in->p++;
    }

    whole = (size_t) (in->p - start);

    if (whole == 0 || whole > CONFLICT_CHAIN_DIGITS) {
        return -1;
    }

    item->type = CONFLICT_ITEM_INTEGER;
    item->len = (size_t) (in->p - item->data);

    if (in->p == in->last || *in->p != '.') {
        return 0;
    }

    start = ++in->p;

    while (in->p < in->last && conflict_chain_digit(*in->p)) {
        in->p++;
    }

    fraction = (size_t) (in->p - start);
    item->type = CONFLICT_ITEM_OTHER;

    return (whole <= 12 && fraction >= 1 && fraction <= 3) ? 0 : -1;
}


static int
conflict_chain_string(conflict_chain_in_t *in, conflict_item_t *item)
{
    char  ch;

    item->type = CONFLICT_ITEM_STRING;
    item->data = in->buf;

    while (in->p < in->last) {
        ch = *in->p++;

        if (ch == '"') {
            item->len = (size_t) (in->buf - item->data);
            return 0;
        }

        if (ch == '\\') {

            if (in->p == in->last || (*in->p != '"' && *in->p != '\\')) {
                return -1;
            }

            ch = *in->p++;

        } else if (ch < ' ' || ch > '~') {
            return -1;
        }

        *in->buf++ = ch;
    }

    return -1;
}


static int
conflict_chain_token(conflict_chain_in_t *in, conflict_item_t *item)
{
    item->type = CONFLICT_ITEM_TOKEN;

    while (in->p < in->last
           && (conflict_chain_alpha(*in->p) || conflict_chain_digit(*in->p)
               || (*in->p && strchr("!#$%&'*+-.^_`|~:/", *in->p))))
    {
        in->p++;
    }

    item->len = (size_t) (in->p - item->data);

    return 0;
}


/* skips an unused item up to its end */

static int
conflict_chain_skip(conflict_chain_in_t *in, char end)
{
    while (in->p < in->last) {

        if (*in->p++ == end) {
            return 0;
        }
    }

    return -1;
}


/* ";name" or ";name=item" */

static int
conflict_chain_parameter(conflict_chain_in_t *in, conflict_item_t *name,
    conflict_item_t *value)
{
    value->type = CONFLICT_ITEM_NONE;

    if (*in->p++ != ';') {
        return -1;
    }

    while (in->p < in->last && *in->p == ' ') {
        in->p++;
    }

    name->data = in->p;

    while (in->p < in->last
           && ((*in->p >= 'a' && *in->p <= 'z') || *in->p == '*'
               || (in->p > name->data
                   && (conflict_chain_digit(*in->p)
                       || (*in->p && strchr("_-.", *in->p))))))
    {
        in->p++;
    }

    name->len = (size_t) (in->p - name->data);

    if (name->len == 0) {
        return -1;
    }

    if (in->p == in->last || *in->p != '=') {
        return 0;
    }

    in->p++;

    return conflict_chain_item(in, value);
}


static int
conflict_chain_is(const conflict_item_t *name, const char *text)
{
    return name->len == strlen(text)
           && memcmp(name->data, text, name->len) == 0;
}


static int
conflict_chain_base(conflict_chain_t *chain, const conflict_item_t *item)
{
    switch (item->type) {

    case CONFLICT_ITEM_INTEGER:
    case CONFLICT_ITEM_STRING:
        chain->base = item->data;
        chain->base_len = item->len;
        return item->len ? 0 : -1;

    case CONFLICT_ITEM_TOKEN:
        chain->base = NULL;
        chain->base_len = 0;
        return (item->len == 1 && item->data[0] == '*') ? 0 : -1;

    default:
        return -1;
    }
}


/* the number of a link; 0: it is not one */

static unsigned
conflict_chain_link(const conflict_item_t *item)
{
    size_t    i;
    unsigned  n;

    if (item->type != CONFLICT_ITEM_INTEGER) {
        return 0;
    }

    n = 0;

    for (i = 0; i < item->len; i++) {

        if (!conflict_chain_digit(item->data[i])) {
            return 0;
        }

        n = n * 10 + (unsigned) (item->data[i] - '0');

        if (n > CONFLICT_CHAIN_LINKS) {
            return 0;
        }
    }

    return n;
}


static int
conflict_chain_alpha(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}


static int
conflict_chain_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}
