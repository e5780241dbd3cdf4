
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The history of the shared-memory store: bodies by key and version.  What is
 * in it was so once, whatever became of the zone of versions.
 */


#include "store/ngx_http_conflict_history.h"
#include "core/policy/conflict_chain.h"


static ngx_uint_t ngx_http_conflict_history_known(ngx_http_conflict_op_t *op,
    ngx_http_conflict_history_t *history, ngx_http_conflict_album_t *album,
    ngx_http_conflict_row_t *row);
static ngx_uint_t ngx_http_conflict_history_linked(ngx_http_conflict_op_t *op,
    ngx_http_conflict_history_t *history, ngx_http_conflict_album_t *album,
    uint64_t word);
static ngx_uint_t ngx_http_conflict_history_based(ngx_http_conflict_op_t *op,
    ngx_http_conflict_body_row_t *r);
static ngx_uint_t ngx_http_conflict_history_shows(
    ngx_http_conflict_body_row_t *r, uint64_t view);
static void ngx_http_conflict_history_show(ngx_http_conflict_body_row_t *r,
    uint64_t view);
static void ngx_http_conflict_history_hide(ngx_http_conflict_body_row_t *r,
    uint64_t view);


ngx_int_t
ngx_http_conflict_shm_keep(ngx_http_conflict_op_t *op,
    ngx_http_conflict_row_t *row)
{
    uint64_t                       hash[2];
    ngx_http_conflict_row_t        fresh;
    ngx_http_conflict_album_t     *album;
    ngx_http_conflict_history_t   *history;
    ngx_http_conflict_body_row_t  *r, *old;

    history = ngx_http_conflict_history_lock(op, hash);
    if (history == NULL) {
        return NGX_OK;
    }

    fresh = *row;

    album = ngx_http_conflict_history_find(op, history, hash);

    if (album
        && (row->link
            ? ngx_http_conflict_history_linked(op, history, album,
                                               row->version)
            : ngx_http_conflict_history_known(op, history, album, &fresh)))
    {
        ngx_http_conflict_history_unlock(op, history);
        return NGX_OK;
    }

    r = ngx_http_conflict_history_alloc(op, history, row->body.len
                                     + sizeof(ngx_http_conflict_body_row_t));

    if (r == NULL) {
        ngx_http_conflict_history_unlock(op, history);
        return NGX_OK;
    }

    /* room for it may have been that of its album */
    album = ngx_http_conflict_history_album(op, history, hash);

    if (album == NULL) {
        ngx_slab_free_locked(ngx_http_conflict_shm(op)->history, r);
        ngx_http_conflict_history_unlock(op, history);
        return NGX_OK;
    }

    r->album = album;
    r->version = row->version;
    r->fingerprint = fresh.fingerprint;
    r->certain = fresh.certain;
    r->shown = row->shown;
    r->link = row->link;
    r->views[0] = row->view;
    r->n_views = 1;
    r->at = ngx_time();
    r->len = row->body.len;
    ngx_memcpy(ngx_http_conflict_row_body(r), row->body.data, r->len);

    ngx_http_conflict_failpoint();

    r->next = album->rows;
    album->rows = r;
    album->n++;
    album->bytes += r->len;

    ngx_queue_insert_head(&history->rows, &r->queue);

    while (album->n > 1
           && (album->n > op->rows || album->bytes > op->row_bytes))
    {
        for (old = r; old->next; old = old->next) { /* void */ }
        ngx_http_conflict_history_remove(op, history, old);
    }

    ngx_http_conflict_history_unlock(op, history);

    return NGX_OK;
}


/*
 * 1: the view has its body of this version already, or the body is there for
 * others and is noted to be of this view as well.  What was not shown gives
 * way to what was, and no body to any; it leaves to "row" which write it was
 * made by.
 */

static ngx_uint_t
ngx_http_conflict_history_known(ngx_http_conflict_op_t *op,
    ngx_http_conflict_history_t *history, ngx_http_conflict_album_t *album,
    ngx_http_conflict_row_t *row)
{
    ngx_http_conflict_body_row_t  *r, *next, *same;

    same = NULL;

    for (r = album->rows; r; r = next) {
        next = r->next;

        if (r->version != row->version || r->link) {
            continue;
        }

        if (!ngx_http_conflict_history_shows(r, row->view)) {

            if (row->fingerprint && r->fingerprint == row->fingerprint) {
                /* the view has lost it, and is not given it again */
                return 1;
            }

            if (r->shown == row->shown && r->len == row->body.len
                && ngx_memcmp(ngx_http_conflict_row_body(r), row->body.data,
                              r->len)
                   == 0)
            {
                same = r;
            }

            continue;
        }

        if (row->fingerprint) {
            r->fingerprint = row->fingerprint;
            r->certain = row->certain;
        }

        if (r->shown || (!row->shown && (r->len || row->body.len == 0))) {
            ngx_http_conflict_history_touch(history, r);
            return 1;
        }

        row->fingerprint = r->fingerprint;
        row->certain = r->certain;

        /* the album may go with its last row */
        ngx_http_conflict_history_remove(op, history, r);
    }

    if (same == NULL) {
        return 0;
    }

    if (row->fingerprint) {
        same->fingerprint = row->fingerprint;
        same->certain = row->certain;
    }

    ngx_http_conflict_history_show(same, row->view);
    ngx_http_conflict_history_touch(history, same);

    return 1;
}


/*
 * What the write has made of a row stays, for its retries: only as a base it
 * is of no use to the view any more.
 */

void
ngx_http_conflict_shm_drop(ngx_http_conflict_op_t *op,
    ngx_http_conflict_row_t *row)
{
    uint64_t                       hash[2], shown;
    ngx_http_conflict_album_t     *album;
    ngx_http_conflict_history_t   *history;
    ngx_http_conflict_body_row_t  *r, *next;

    history = ngx_http_conflict_history_lock(op, hash);
    if (history == NULL) {
        return;
    }

    shown = row->body.len ? conflict_hash_64(row->body.data, row->body.len, 0)
                          : row->hash;

    album = ngx_http_conflict_history_find(op, history, hash);

    for (r = album ? album->rows : NULL; r; r = next) {
        next = r->next;

        if (r->version != row->version || r->link
            || !ngx_http_conflict_history_shows(r, row->view)
            || conflict_hash_64(ngx_http_conflict_row_body(r), r->len, 0)
               == shown)
        {
            continue;
        }

        ngx_http_conflict_history_hide(r, row->view);

        if (r->n_views == 0 && r->fingerprint == 0) {
            /* the album may go with its last row */
            ngx_http_conflict_history_remove(op, history, r);
        }
    }

    ngx_http_conflict_history_unlock(op, history);
}


/*
 * One row for each chain, of its last link: those of before give way.  1: a
 * later one is there.
 */

static ngx_uint_t
ngx_http_conflict_history_linked(ngx_http_conflict_op_t *op,
    ngx_http_conflict_history_t *history, ngx_http_conflict_album_t *album,
    uint64_t word)
{
    ngx_http_conflict_body_row_t  *r, *next;

    for (r = album->rows; r; r = next) {
        next = r->next;

        if (!r->link || !conflict_chain_same(r->version, word)) {
            continue;
        }

        if (r->version >= word) {
            return 1;
        }

        /* the album may go with its last row */
        ngx_http_conflict_history_remove(op, history, r);
    }

    return 0;
}


ngx_int_t
ngx_http_conflict_shm_recall(ngx_http_conflict_op_t *op)
{
    uint64_t                       word;
    uint64_t                       hash[2];
    ngx_http_conflict_album_t     *album;
    ngx_http_conflict_history_t   *history;
    ngx_http_conflict_body_row_t  *r;

    ngx_http_conflict_op_forget(op);

    history = ngx_http_conflict_history_lock(op, hash);
    if (history == NULL) {
        return NGX_OK;
    }

    album = ngx_http_conflict_history_find(op, history, hash);
    word = ngx_http_conflict_op_chain(op);

    for (r = album ? album->rows : NULL; r; r = r->next) {

        if (word && r->link && conflict_chain_same(r->version, word)
            && r->version >= word)
        {
            op->late = 1;
        }

        if (ngx_http_conflict_history_based(op, r) && !op->held
            && op->view && ngx_http_conflict_history_shows(r, op->view)
            && ngx_http_conflict_op_copy(&op->base_body,
                                         ngx_http_conflict_row_body(r), r->len)
               == NGX_OK)
        {
            op->held = 1;
        }

        if (op->fingerprint && r->fingerprint == op->fingerprint
            && !op->repeat
            && ngx_http_conflict_op_copy(&op->made_body,
                                         ngx_http_conflict_row_body(r), r->len)
               == NGX_OK)
        {
            op->repeat = 1;
            op->certain = r->certain;
        }
    }

    ngx_http_conflict_history_unlock(op, history);

    return NGX_OK;
}


/* is it what the write was made of, or the link before it has made? */

static ngx_uint_t
ngx_http_conflict_history_based(ngx_http_conflict_op_t *op,
    ngx_http_conflict_body_row_t *r)
{
    uint64_t  word;

    word = ngx_http_conflict_op_chain(op);

    if (conflict_chain_number(word) > 1) {
        return r->link && conflict_chain_same(r->version, word) && r->len;
    }

    return !r->link && r->version == op->pre.base;
}


ngx_uint_t
ngx_http_conflict_shm_holds(ngx_http_conflict_op_t *op)
{
    uint64_t                       hash[2];
    ngx_uint_t                     held;
    ngx_http_conflict_album_t     *album;
    ngx_http_conflict_history_t   *history;
    ngx_http_conflict_body_row_t  *r;

    history = ngx_http_conflict_history_lock(op, hash);
    if (history == NULL) {
        return 0;
    }

    held = 0;
    album = ngx_http_conflict_history_find(op, history, hash);

    for (r = album ? album->rows : NULL; r && !held; r = r->next) {
        held = (r->version == op->version && r->shown && !r->link
                && ngx_http_conflict_history_shows(r, op->view));

        if (held) {
            /* what is read is kept */
            ngx_http_conflict_history_touch(history, r);
        }
    }

    ngx_http_conflict_history_unlock(op, history);

    return held;
}


static ngx_uint_t
ngx_http_conflict_history_shows(ngx_http_conflict_body_row_t *r, uint64_t view)
{
    ngx_uint_t  i;

    for (i = 0; i < r->n_views; i++) {

        if (r->views[i] == view) {
            return 1;
        }
    }

    return 0;
}


/* the same body, to others: of too many of these the first is forgotten */

static void
ngx_http_conflict_history_show(ngx_http_conflict_body_row_t *r, uint64_t view)
{
    if (r->n_views == NGX_HTTP_CONFLICT_ROW_VIEWS) {
        r->n_views--;
        ngx_memmove(&r->views[0], &r->views[1],
                    r->n_views * sizeof(uint64_t));
    }

    r->views[r->n_views++] = view;
}


static void
ngx_http_conflict_history_hide(ngx_http_conflict_body_row_t *r, uint64_t view)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < r->n_views; i++) {

        if (r->views[i] != view) {
            r->views[n++] = r->views[i];
        }
    }

    r->n_views = n;
}
