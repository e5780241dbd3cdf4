
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The strings and numbers of a JSON document, read by bytes or runs of bytes,
 * and the text that is kept of them.
 */


#include <string.h>

#include "core/json/conflict_scan_state.h"


static const unsigned char *conflict_scan_token_run(conflict_scan_t *json,
    const unsigned char *p, const unsigned char *last);
static conflict_json_rc_e conflict_scan_token_string_end(conflict_scan_t *json,
    uint64_t pos);
static conflict_json_rc_e conflict_scan_token_escaped(conflict_scan_t *json,
    unsigned char ch);
static conflict_json_rc_e conflict_scan_token_unit(conflict_scan_t *json,
    unsigned char ch);
static int conflict_scan_token_numeral(conflict_scan_t *json, unsigned char ch);
static void conflict_scan_token_keep_rune(conflict_scan_t *json, unsigned rune);


conflict_json_rc_e
conflict_scan_token_string(conflict_scan_t *json, const unsigned char **data,
    const unsigned char *last, uint64_t pos)
{
    const unsigned char  *p, *q;

    p = *data;

    switch (json->state) {

    case ST_STRING:
        q = conflict_scan_token_run(json, p, last);

        if (q != p) {
            conflict_scan_token_keep(json, p, (size_t) (q - p));
            json->state = json->tail.left ? ST_TAIL : ST_STRING;
            *data = q;

            return CONFLICT_JSON_OK;
        }

        *data = p + 1;

        if (*p == '"') {
            return conflict_scan_token_string_end(json, pos);
        }

        json->state = ST_ESCAPE;

        return (*p == '\\') ? CONFLICT_JSON_OK : CONFLICT_JSON_MALFORMED;

    case ST_TAIL:
        if (*p < json->tail.min || *p > json->tail.max) {
            return CONFLICT_JSON_MALFORMED;
        }

        json->tail.min = 0x80;
        json->tail.max = 0xbf;
        json->state = --json->tail.left ? ST_TAIL : ST_STRING;

        conflict_scan_token_keep(json, p, 1);
        *data = p + 1;

        return CONFLICT_JSON_OK;

    case ST_LOW_BACKSLASH:
    case ST_LOW_U:

        if (*p != (json->state == ST_LOW_U ? 'u' : '\\')) {
            /* a lone surrogate: the byte is read again */
            conflict_scan_token_keep_rune(json, json->high);
            json->high = 0;
            json->state = (json->state == ST_LOW_U) ? ST_ESCAPE : ST_STRING;

            return CONFLICT_JSON_OK;
        }

        /* fall through */

    default:
        *data = p + 1;

        return conflict_scan_token_escaped(json, *p);
    }
}


/*
 * The end of the run that needs no state, or the first malformed byte.  Whole
 * escapes are part of a run, so a body of escapes does not take much longer.
 */

static const unsigned char *
conflict_scan_token_run(conflict_scan_t *json, const unsigned char *p,
    const unsigned char *last)
{
    size_t    n;
    unsigned  capture;

    capture = json->in_name ? json->name_match
                            : json->capture && !json->cut_short;

    json->tail.left = 0;

    while (p < last && *p != '"' && json->tail.left == 0) {

        if (*p >= 0x80) {

            do {
                n = conflict_text_rune(p, last, &json->tail);

                if (n == 0) {
                    return p;
                }

                p += n;
            } while (p < last && *p >= 0x80);

            continue;
        }

        if (*p == '\\') {

            /* if kept, it is decoded by conflict_scan_token_escaped() */
            n = capture ? 0 : conflict_text_escaped(p, last);

        } else {
            n = (size_t) (conflict_text_plain(p, last) - p);
        }

        if (n == 0) {
            break;
        }

        p += n;
    }

    return p;
}


static conflict_json_rc_e
conflict_scan_token_string_end(conflict_scan_t *json, uint64_t pos)
{
    if (!json->in_name) {
        conflict_scan_finish(json, pos + 1);
        return CONFLICT_JSON_OK;
    }

    json->in_name = 0;
    json->state = ST_COLON;

    if (!json->name_match
        || json->name_len != json->pointer->len[json->depth - 1])
    {
        return CONFLICT_JSON_OK;
    }

    if (json->matched[json->depth]) {
        return CONFLICT_JSON_REPEATED;
    }

    json->matched[json->depth] = 1;
    json->hit = 1;

    return CONFLICT_JSON_OK;
}


static conflict_json_rc_e
conflict_scan_token_escaped(conflict_scan_t *json, unsigned char ch)
{
    const char     *p;
    unsigned char   plain;

    static const char  from[] = "\"\\/bfnrt";
    static const char  to[] = "\"\\/\b\f\n\r\t";

    switch (json->state) {

    case ST_ESCAPE:
        if (ch == 'u') {
            json->escape = 4;
            json->unit = 0;
            json->state = ST_UNIT;

            return CONFLICT_JSON_OK;
        }

        p = ch ? strchr(from, ch) : NULL;

        if (p == NULL) {
            return CONFLICT_JSON_MALFORMED;
        }

        plain = (unsigned char) to[p - from];
        conflict_scan_token_keep(json, &plain, 1);
        json->state = ST_STRING;

        return CONFLICT_JSON_OK;

    case ST_UNIT:
        return conflict_scan_token_unit(json, ch);

    case ST_LOW_BACKSLASH:
        json->state = ST_LOW_U;

        return CONFLICT_JSON_OK;

    default: /* ST_LOW_U */
        json->escape = 4;
        json->unit = 0;
        json->state = ST_UNIT;

        return CONFLICT_JSON_OK;
    }
}


static conflict_json_rc_e
conflict_scan_token_unit(conflict_scan_t *json, unsigned char ch)
{
    unsigned  digit, low, rune;

    if (ch >= '0' && ch <= '9') {
        digit = ch - '0';

    } else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f') {
        digit = (ch | 0x20) - 'a' + 10;

    } else {
        return CONFLICT_JSON_MALFORMED;
    }

    json->unit = json->unit << 4 | digit;

    if (--json->escape) {
        return CONFLICT_JSON_OK;
    }

    low = (json->unit >= 0xdc00 && json->unit <= 0xdfff);

    if (json->high && low) {
        rune = 0x10000 + ((json->high - 0xd800) << 10) + (json->unit - 0xdc00);
        conflict_scan_token_keep_rune(json, rune);

        json->high = 0;
        json->state = ST_STRING;

        return CONFLICT_JSON_OK;
    }

    if (json->high) {
        conflict_scan_token_keep_rune(json, json->high);
        json->high = 0;
    }

    if (json->unit >= 0xd800 && json->unit <= 0xdbff) {
        json->high = json->unit;
        json->state = ST_LOW_BACKSLASH;

        return CONFLICT_JSON_OK;

    } else {
        conflict_scan_token_keep_rune(json, json->unit);
    }

    json->state = ST_STRING;

    return CONFLICT_JSON_OK;
}


conflict_json_rc_e
conflict_scan_token_number(conflict_scan_t *json, const unsigned char **data,
    const unsigned char *last)
{
    int                   rc;
    const unsigned char  *p;

    rc = 1;
    p = *data;

    while (p < last) {

        if (json->state == ST_INTEGER || json->state == ST_FRACTION
            || json->state == ST_EXPONENT)
        {
            while (p < last && *p >= '0' && *p <= '9') {
                p++;
            }

            if (p == last) {
                break;
            }
        }

        rc = conflict_scan_token_numeral(json, *p);

        if (rc <= 0) {
            break;
        }

        p++;
    }

    if (json->capture) {
        conflict_scan_token_keep(json, *data, (size_t) (p - *data));
    }

    *data = p;

    return (rc < 0) ? CONFLICT_JSON_MALFORMED : CONFLICT_JSON_OK;
}


/*
 * 1: the byte belongs to the number; 0: the number has ended before it;
 * -1: malformed.
 */

static int
conflict_scan_token_numeral(conflict_scan_t *json, unsigned char ch)
{
    int  digit;

    digit = (ch >= '0' && ch <= '9');

    switch (json->state) {

    case ST_MINUS:
        json->state = (ch == '0') ? ST_ZERO : ST_INTEGER;
        return digit ? 1 : -1;

    case ST_INTEGER:
        if (digit) {
            return 1;
        }

        /* fall through */

    case ST_ZERO:
        if (ch == '.') {
            json->state = ST_POINT;
            return 1;
        }

        break;

    case ST_POINT:
        json->state = ST_FRACTION;
        return digit ? 1 : -1;

    case ST_FRACTION:
        if (digit) {
            return 1;
        }

        break;

    case ST_E:
        if (ch == '+' || ch == '-') {
            json->state = ST_E_SIGN;
            return 1;
        }

        /* fall through */

    case ST_E_SIGN:
        json->state = ST_EXPONENT;
        return digit ? 1 : -1;

    default: /* ST_EXPONENT */
        return digit;
    }

    if (ch == 'e' || ch == 'E') {
        json->state = ST_E;
        return 1;
    }

    return 0;
}


void
conflict_scan_token_keep(conflict_scan_t *json, const unsigned char *p,
    size_t n)
{
    size_t                     room, start;
    unsigned                   level;
    const conflict_pointer_t  *pointer;

    if (json->in_name) {

        if (json->name_match) {
            pointer = json->pointer;
            level = json->depth - 1;

            start = pointer->name[level] + json->name_len;
            room = pointer->len[level] - json->name_len;

            json->name_match = (n <= room
                                && memcmp(&pointer->text[start], p, n) == 0);
            json->name_len += n;
        }

        return;
    }

    if (json->capture) {
        room = sizeof(json->text) - json->len;

        if (n > room) {
            json->cut_short = 1;
            n = room;
        }

        memcpy(json->text + json->len, p, n);
        json->len += n;
    }
}


static void
conflict_scan_token_keep_rune(conflict_scan_t *json, unsigned rune)
{
    size_t         n;
    unsigned char  utf8[4];

    n = conflict_text_encode(utf8, rune);

    conflict_scan_token_keep(json, utf8, n);
}
