
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The structure of a JSON document, in one pass with one byte of look-ahead and
 * no recursion.  Open containers are a bit stack; "path" is the depth to which
 * they match the pointer.
 */


#include <string.h>

#include "core/json/conflict_scan_state.h"


static int32_t conflict_scan_index(const unsigned char *p, size_t len);
static conflict_json_rc_e conflict_scan_structure(conflict_scan_t *json,
    unsigned char ch, uint64_t pos);
static conflict_json_rc_e conflict_scan_value(conflict_scan_t *json,
    unsigned char ch, uint64_t pos);
static void conflict_scan_start(conflict_scan_t *json,
    conflict_json_type_e type, uint64_t pos);
static conflict_json_rc_e conflict_scan_push(conflict_scan_t *json,
    conflict_json_type_e type, uint64_t pos);
static conflict_json_rc_e conflict_scan_pop(conflict_scan_t *json,
    unsigned char ch, uint64_t pos);
static unsigned conflict_scan_in_object(const conflict_scan_t *json);


int
conflict_scan_pointer(conflict_pointer_t *pointer, const char *text,
    size_t len)
{
    char    ch;
    size_t  i, n, start;

    pointer->levels = 0;

    if (len == 0 || len > CONFLICT_JSON_NAME || text[0] != '/') {
        return -1;
    }

    n = 0;
    i = 0;

    while (i < len) {

        if (pointer->levels == CONFLICT_JSON_LEVELS) {
            return -1;
        }

        start = n;
        i++;

        while (i < len && text[i] != '/') {
            ch = text[i++];

            if (ch == '~') {
                if (i == len || (text[i] != '0' && text[i] != '1')) {
                    return -1;
                }

                ch = (text[i++] == '0') ? '~' : '/';
            }

            pointer->text[n++] = (unsigned char) ch;
        }

        pointer->name[pointer->levels] = (uint16_t) start;
        pointer->len[pointer->levels] = (uint16_t) (n - start);
        pointer->index[pointer->levels]
            = conflict_scan_index(&pointer->text[start], n - start);
        pointer->levels++;
    }

    return 0;
}


/* an array index (RFC 6901, section 4), or -1 */

static int32_t
conflict_scan_index(const unsigned char *p, size_t len)
{
    size_t   i;
    int32_t  index;

    if (len == 0 || len > 8 || (len > 1 && p[0] == '0')) {
        return -1;
    }

    index = 0;

    for (i = 0; i < len; i++) {

        if (p[i] < '0' || p[i] > '9') {
            return -1;
        }

        index = index * 10 + (p[i] - '0');
    }

    return index;
}


int
conflict_scan_pointer_within(const conflict_pointer_t *inner,
    const conflict_pointer_t *outer)
{
    unsigned  i;

    if (inner->levels < outer->levels) {
        return 0;
    }

    for (i = 0; i < outer->levels; i++) {

        if (inner->len[i] != outer->len[i]
            || memcmp(&inner->text[inner->name[i]],
                      &outer->text[outer->name[i]], outer->len[i])
               != 0)
        {
            return 0;
        }
    }

    return 1;
}


void
conflict_scan_init(conflict_scan_t *json, const conflict_pointer_t *pointer)
{
    /* text, index, matched and stack are set before they are read */

    json->type = CONFLICT_JSON_NONE;
    json->cut_short = 0;
    json->len = 0;
    json->member = 0;
    json->value = 0;
    json->end = 0;
    json->comma_before = -1;
    json->comma_after = -1;
    json->parent_end = -1;
    json->parent_empty = 1;
    json->parent_type = CONFLICT_JSON_NONE;
    json->offset = 0;

    json->pointer = pointer;
    json->state = ST_VALUE;
    json->depth = 0;
    json->path = 0;
    json->hit = 0;
    json->capture = 0;
    json->in_name = 0;
    json->escape = 0;
    json->unit = 0;
    json->high = 0;
    json->tail.left = 0;
    json->literal = "";
    json->comma = -1;
    json->name_start = 0;
    json->name_match = 0;
    json->name_len = 0;
}


conflict_json_rc_e
conflict_scan_feed(conflict_scan_t *json, const unsigned char *data,
    size_t len)
{
    uint64_t              pos;
    conflict_json_rc_e    error;
    const unsigned char  *p, *last;

    p = data;
    last = data + len;

    while (p < last) {
        pos = json->offset + (uint64_t) (p - data);

        if (json->state >= ST_MINUS) {
            error = conflict_scan_token_number(json, &p, last);

            if (error != CONFLICT_JSON_OK) {
                json->offset += (uint64_t) (p - data);
                return error;
            }

            if (p < last) {
                /* the byte after a number is read again */
                pos = json->offset + (uint64_t) (p - data);
                conflict_scan_finish(json, pos);
            }

            continue;
        }

        if (json->state >= ST_STRING) {
            error = conflict_scan_token_string(json, &p, last, pos);

        } else if (*p == ' ' && json->state != ST_LITERAL) {
            for (p++; p < last && *p == ' '; p++) { /* void */ }
            continue;

        } else {
            error = conflict_scan_structure(json, *p++, pos);
        }

        if (error != CONFLICT_JSON_OK) {
            json->offset = pos;
            return error;
        }
    }

    json->offset += len;

    return CONFLICT_JSON_OK;
}


conflict_json_rc_e
conflict_scan_end(conflict_scan_t *json)
{
    if (json->depth == 0
        && (json->state == ST_ZERO || json->state == ST_INTEGER
            || json->state == ST_FRACTION || json->state == ST_EXPONENT))
    {
        conflict_scan_finish(json, json->offset);
    }

    return (json->state == ST_DONE) ? CONFLICT_JSON_OK
                                    : CONFLICT_JSON_MALFORMED;
}


void
conflict_scan_cut(const conflict_scan_t *json, uint64_t *start, uint64_t *end)
{
    *start = json->member;
    *end = json->end;

    if (json->comma_after >= 0) {
        *end = (uint64_t) json->comma_after + 1;

    } else if (json->comma_before >= 0) {
        *start = (uint64_t) json->comma_before;
    }
}


static conflict_json_rc_e
conflict_scan_structure(conflict_scan_t *json, unsigned char ch, uint64_t pos)
{
    if (json->state == ST_LITERAL) {

        if ((unsigned char) *json->literal != ch) {
            return CONFLICT_JSON_MALFORMED;
        }

        conflict_scan_token_keep(json, &ch, 1);

        if (*++json->literal != '\0') {
            return CONFLICT_JSON_OK;
        }

        if (pos == 2) {
            /* the BOM; literals are longer */
            json->state = ST_VALUE;

        } else {
            conflict_scan_finish(json, pos + 1);
        }

        return CONFLICT_JSON_OK;
    }

    if (ch == ' ' || ch == '\n' || ch == '\t' || ch == '\r') {
        return CONFLICT_JSON_OK;
    }

    switch (json->state) {

    case ST_FIRST_ITEM:
        if (ch == ']') {
            return conflict_scan_pop(json, ch, pos);
        }

        /* fall through */

    case ST_VALUE:
        return conflict_scan_value(json, ch, pos);

    case ST_FIRST_NAME:
        if (ch == '}') {
            return conflict_scan_pop(json, ch, pos);
        }

        /* fall through */

    case ST_NAME:
        if (ch != '"') {
            return CONFLICT_JSON_MALFORMED;
        }

        json->in_name = 1;
        json->name_start = pos;
        json->name_len = 0;
        json->name_match = (json->path == json->depth);
        json->state = ST_STRING;

        return CONFLICT_JSON_OK;

    case ST_COLON:
        json->state = ST_VALUE;

        return (ch == ':') ? CONFLICT_JSON_OK : CONFLICT_JSON_MALFORMED;

    case ST_NEXT:
        if (ch != ',') {
            return conflict_scan_pop(json, ch, pos);
        }

        if (json->pointer && json->path == json->depth
            && json->depth == json->pointer->levels)
        {
            json->comma = (int64_t) pos;

            if (json->type != CONFLICT_JSON_NONE && json->comma_after < 0) {
                json->comma_after = (int64_t) pos;
            }
        }

        json->state = conflict_scan_in_object(json) ? ST_NAME : ST_VALUE;

        return CONFLICT_JSON_OK;

    default: /* ST_DONE */
        return CONFLICT_JSON_MALFORMED;
    }
}


static conflict_json_rc_e
conflict_scan_value(conflict_scan_t *json, unsigned char ch, uint64_t pos)
{
    switch (ch) {

    case '{':
        return conflict_scan_push(json, CONFLICT_JSON_OBJECT, pos);

    case '[':
        return conflict_scan_push(json, CONFLICT_JSON_ARRAY, pos);

    case '"':
        conflict_scan_start(json, CONFLICT_JSON_STRING, pos);
        json->in_name = 0;
        json->state = ST_STRING;

        return CONFLICT_JSON_OK;

    case 't':
        conflict_scan_start(json, CONFLICT_JSON_BOOLEAN, pos);
        json->literal = "rue";
        json->state = ST_LITERAL;
        break;

    case 'f':
        conflict_scan_start(json, CONFLICT_JSON_BOOLEAN, pos);
        json->literal = "alse";
        json->state = ST_LITERAL;
        break;

    case 'n':
        conflict_scan_start(json, CONFLICT_JSON_NULL, pos);
        json->literal = "ull";
        json->state = ST_LITERAL;
        break;

    case '-':
        conflict_scan_start(json, CONFLICT_JSON_NUMBER, pos);
        json->state = ST_MINUS;
        break;

    case '0':
        conflict_scan_start(json, CONFLICT_JSON_NUMBER, pos);
        json->state = ST_ZERO;
        break;

    case 0xef:
        if (pos != 0) {
            return CONFLICT_JSON_MALFORMED;
        }

        /* a byte order mark, which a parser may ignore (RFC 8259, 8.1) */
        json->literal = "\xbb\xbf";
        json->state = ST_LITERAL;
        break;

    default:
        if (ch < '1' || ch > '9') {
            return CONFLICT_JSON_MALFORMED;
        }

        conflict_scan_start(json, CONFLICT_JSON_NUMBER, pos);
        json->state = ST_INTEGER;
    }

    json->in_name = 0;

    if (json->capture) {
        conflict_scan_token_keep(json, &ch, 1);
    }

    return CONFLICT_JSON_OK;
}


/* a value begins, possibly on the pointer's path, or its target */

static void
conflict_scan_start(conflict_scan_t *json, conflict_json_type_e type,
    uint64_t pos)
{
    unsigned  object;

    if (json->depth == 0 || json->path != json->depth) {
        return;
    }

    object = conflict_scan_in_object(json);

    if (!object) {
        json->hit = (json->index[json->depth]++
                     == json->pointer->index[json->depth - 1]);
    }

    if (json->depth != json->pointer->levels) {
        return;
    }

    json->parent_empty = 0;

    if (!json->hit) {
        return;
    }

    json->type = type;
    json->value = pos;
    json->member = object ? json->name_start : pos;
    json->comma_before = json->comma;
    json->capture = (type < CONFLICT_JSON_ARRAY);
}


void
conflict_scan_finish(conflict_scan_t *json, uint64_t pos)
{
    if (json->type != CONFLICT_JSON_NONE && json->end == 0
        && json->depth == json->pointer->levels && json->path == json->depth)
    {
        json->end = pos;
    }

    json->hit = 0;
    json->capture = 0;
    json->state = json->depth ? ST_NEXT : ST_DONE;
}


static conflict_json_rc_e
conflict_scan_push(conflict_scan_t *json, conflict_json_type_e type,
    uint64_t pos)
{
    unsigned       on_path;
    unsigned char  bit;

    conflict_scan_start(json, type, pos);

    if (json->depth == CONFLICT_JSON_DEPTH) {
        return CONFLICT_JSON_TOO_DEEP;
    }

    on_path = json->pointer && json->depth < json->pointer->levels
              && (json->depth == 0 || json->hit);

    bit = (unsigned char) (1 << (json->depth % 8));

    if (type == CONFLICT_JSON_OBJECT) {
        json->stack[json->depth / 8] |= bit;
        json->state = ST_FIRST_NAME;

    } else {
        json->stack[json->depth / 8] &= (unsigned char) ~bit;
        json->state = ST_FIRST_ITEM;
    }

    json->depth++;
    json->hit = 0;

    if (on_path) {
        json->path = json->depth;
        json->index[json->depth] = 0;
        json->matched[json->depth] = 0;

        if (json->depth == json->pointer->levels) {
            json->parent_type = type;
        }
    }

    return CONFLICT_JSON_OK;
}


static conflict_json_rc_e
conflict_scan_pop(conflict_scan_t *json, unsigned char ch, uint64_t pos)
{
    if (ch != (conflict_scan_in_object(json) ? '}' : ']')) {
        return CONFLICT_JSON_MALFORMED;
    }

    if (json->pointer && json->path == json->depth) {

        if (json->depth == json->pointer->levels) {
            json->parent_end = (int64_t) pos;
        }

        json->path = json->depth - 1;
    }

    json->depth--;
    conflict_scan_finish(json, pos + 1);

    return CONFLICT_JSON_OK;
}


static unsigned
conflict_scan_in_object(const conflict_scan_t *json)
{
    unsigned  n;

    n = json->depth - 1;

    return (json->stack[n / 8] >> (n % 8)) & 1;
}


int
conflict_scan_valid(const unsigned char *data, size_t len)
{
    conflict_scan_t  json;

    conflict_scan_init(&json, NULL);

    return conflict_scan_feed(&json, data, len) == CONFLICT_JSON_OK
           && conflict_scan_end(&json) == CONFLICT_JSON_OK;
}
