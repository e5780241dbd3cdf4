
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The time at which an edit was made, and the order of edits: by time, then by
 * client.  Pure functions.
 */


#ifndef _CONFLICT_EDIT_H_INCLUDED_
#define _CONFLICT_EDIT_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define CONFLICT_EDIT_NONE     0      /* no time: as late as its arrival */
#define CONFLICT_EDIT_OLDEST   1      /* unknown: no edit is earlier */

/* 48 bits, which a number in Lua can hold */
#define CONFLICT_EDIT_TIE_MAX  0xffffffffffffULL


typedef struct {
    int64_t                  time;    /* microseconds since the epoch, or one
                                         of the above */
    uint64_t                 tie;     /* of the client; 0: unknown */
} conflict_edit_t;


/*
 * Parses RFC 3339, an HTTP-date or milliseconds since the epoch; as a "number"
 * these alone.  CONFLICT_TIME_NONE: none of them.
 */
int64_t conflict_edit_parse(const char *text, size_t len, unsigned number,
    int64_t now);

/* The rank of a client among others, the same on each host. */
uint64_t conflict_edit_tie(const void *client, size_t client_len,
    const void *user, size_t user_len);

/*
 * 1 if the time is more than "skew" ahead of "now" (microseconds), and was
 * removed: it says nothing about when the edit was made.
 */
int conflict_edit_ahead(conflict_edit_t *edit, int64_t now, int64_t skew);

/* 1 if "edit" was made before the one that is stored; an equal one was not. */
int conflict_edit_earlier(const conflict_edit_t *edit,
    const conflict_edit_t *stored);

/* What is stored once "edit" has replaced "stored": the later one of both. */
conflict_edit_t conflict_edit_later(const conflict_edit_t *edit,
    const conflict_edit_t *stored, int64_t now);


#endif /* _CONFLICT_EDIT_H_INCLUDED_ */
