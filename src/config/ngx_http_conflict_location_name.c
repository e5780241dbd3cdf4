
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The name of a location and its label in the audit log, by default the
 * location in a readable form.
 */


#include "config/ngx_http_conflict_conf.h"
#include "process/ngx_http_conflict_learned.h"


#if (NGX_PCRE)

static u_char *ngx_http_conflict_location_name_regex(u_char *start, u_char *dst,
    u_char *p, u_char *last);
static u_char *ngx_http_conflict_location_name_group(u_char *start, u_char *dst,
    u_char *p, u_char *last, ngx_uint_t repeated);
static u_char *ngx_http_conflict_location_name_any(u_char *start, u_char *dst);
static u_char *ngx_http_conflict_location_name_end(u_char *p, u_char *last);
static u_char *ngx_http_conflict_location_name_repeated(u_char *p,
    u_char *last);

#endif


ngx_int_t
ngx_http_conflict_location_name(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *prev, ngx_http_conflict_loc_conf_t *conf)
{
#if (NGX_PCRE)
    u_char                    *p, *start, *last;
#endif
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_core_srv_conf_t  *cscf;

    conf->entity = conf->entity ? conf->entity : prev->entity;
    conf->entity_id = conf->entity_id ? conf->entity_id : prev->entity_id;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    conf->name = clcf->name;
    conf->note = ngx_http_conflict_learned_note(&cscf->server_name,
                                                &conf->name);

    if (clcf->noname) {
        /* "if" and "limit_except" have the label of their location */
        conf->label = prev->label;
        conf->named = prev->named;
        return NGX_OK;
    }

    conf->label = clcf->name;
    conf->named = conf;

    if (conf->label.len == 0) {
        /* a server block without locations */
        ngx_str_set(&conf->label, "/");
        return NGX_OK;
    }

#if (NGX_PCRE)

    if (clcf->regex == NULL) {
        return NGX_OK;
    }

    p = ngx_pnalloc(cf->pool, clcf->name.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    conf->label.data = p;

    if (clcf->name.data[0] != '^') {
        *p++ = '*';
    }

    start = clcf->name.data;
    last = start + clcf->name.len;

    p = ngx_http_conflict_location_name_regex(conf->label.data, p, start, last);

    conf->label.len = p - conf->label.data;

    if (conf->label.len == 0) {
        /* "^" and the like match any path */
        *p = '*';
        conf->label.len = 1;
    }

#endif

    return NGX_OK;
}


#if (NGX_PCRE)


/*
 * The path of "^/api/notes/(\d+)$", with "*" in place of the number: whatever
 * matches more than one text becomes "*", or {NAME} if it is a named group.
 * The result is never longer than the regex.
 */

static u_char *
ngx_http_conflict_location_name_regex(u_char *start, u_char *dst, u_char *p,
    u_char *last)
{
    u_char  *end, *next, ch;

    while (p < last) {

        if (*p == '^' || *p == '$') {
            p++;
            continue;
        }

        end = ngx_http_conflict_location_name_end(p, last);
        next = ngx_http_conflict_location_name_repeated(end, last);

        if (*p == '(') {
            dst = ngx_http_conflict_location_name_group(start, dst, p + 1,
                                                        end - 1, next != end);
            p = next;
            continue;
        }

        ch = *p;

        if (ch == '\\' && end - p == 2) {
            ch = p[1];

            if ((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z')
                || (ch >= 'A' && ch <= 'Z'))
            {
                ch = (ch == 'A' || ch == 'z' || ch == 'Z' || ch == 'b'
                      || ch == 'B') ? '\0' : '*';
            }

        } else if (ch == '.' || ch == '[') {
            ch = '*';
        }

        if (next != end && !(*end == '?' && ch != '/')) {
            /* "s?" is kept as "s", but "/?" is dropped */
            ch = (*end == '?') ? '\0' : '*';
        }

        if (ch == '*') {
            dst = ngx_http_conflict_location_name_any(start, dst);

        } else if (ch != '\0') {
            *dst++ = ch;
        }

        p = next;
    }

    return dst;
}


/* the content of a group */

static u_char *
ngx_http_conflict_location_name_group(u_char *start, u_char *dst, u_char *p,
    u_char *last, ngx_uint_t repeated)
{
    u_char  *q, *name, *begin;

    name = NULL;
    q = p;

    if (p < last && *p == '*') {
        /* a verb, such as (*UTF8) */
        return dst;
    }

    if (p < last && *p == '?') {
        p++;
        p += (p < last && *p == 'P');

        if (p == last || *p == '=' || *p == '!'
            || (*p == '<' && (p[1] == '=' || p[1] == '!')))
        {
            /* lookahead and lookbehind match no text */
            return dst;
        }

        if (*p == '<' || *p == '\'') {
            name = p + 1;

            for (q = name; q < last && *q != '>' && *q != '\''; q++) {
                /* void */
            }

            p = q;

        } else if (*p != '>' && *p != '|') {
            /* flags, as in (?i) and (?i:...) */
            p = ngx_strlchr(p, last, ':');
        }

        if (p == NULL || p == last) {
            return dst;
        }

        p++;
    }

    if (repeated) {
        return ngx_http_conflict_location_name_any(start, dst);
    }

    begin = dst;
    dst = ngx_http_conflict_location_name_regex(start, dst, p, last);

    if (name && dst - begin == 1 && *begin == '*') {
        *begin++ = '{';
        begin = ngx_cpymem(begin, name, q - name);
        *begin++ = '}';
        return begin;
    }

    if (ngx_strlchr(begin, dst, '|')) {
        ngx_memmove(begin + 1, begin, dst - begin);
        *begin = '(';
        dst++;
        *dst++ = ')';
    }

    return dst;
}


static u_char *
ngx_http_conflict_location_name_any(u_char *start, u_char *dst)
{
    if (dst == start || dst[-1] != '*') {
        *dst++ = '*';
    }

    return dst;
}


/* the end of the character, class or group that begins at "p" */

static u_char *
ngx_http_conflict_location_name_end(u_char *p, u_char *last)
{
    u_char      *q, *class;
    ngx_uint_t   depth;

    if (*p == '\\') {
        return (last - p > 1) ? p + 2 : last;
    }

    if (*p != '(' && *p != '[') {
        return p + 1;
    }

    depth = 0;
    class = NULL;

    for (q = p; q < last; q++) {

        if (*q == '\\') {
            q++;

        } else if (class) {

            /* a "]" is literal as the first character, also after "^" */

            if (*q == ']' && q > class + 1
                && !(q == class + 2 && class[1] == '^'))
            {
                class = NULL;
            }

        } else if (*q == '[') {
            class = q;

        } else if (*q == '(') {
            depth++;

        } else if (*q == ')') {
            depth--;
        }

        if (class == NULL && depth == 0) {
            return q + 1;
        }
    }

    return last;
}


/* skips "*", "+", "?" or "{1,3}", lazy and possessive ones as well */

static u_char *
ngx_http_conflict_location_name_repeated(u_char *p, u_char *last)
{
    u_char  *q;

    if (p == last) {
        return p;
    }

    if (*p == '{') {
        q = ngx_strlchr(p, last, '}');

        if (q == NULL) {
            return p;
        }

        p = q + 1;

    } else if (*p == '*' || *p == '+' || *p == '?') {
        p++;

    } else {
        return p;
    }

    return p + (p < last && (*p == '?' || *p == '+'));
}


#endif
