
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Processes of an older configuration or binary, which may still write with
 * the versions of another store; and whether they are gone.
 */


#ifndef _NGX_HTTP_CONFLICT_PREDECESSOR_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_PREDECESSOR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_pid_t                    pid;
    uint64_t                     start;     /* against reuse of the pid */
} ngx_http_conflict_predecessor_t;


/*
 * While a new configuration comes into force: the processes that may still
 * write by the old one, up to NGX_MAX_PROCESSES.  Returns how many.
 */
ngx_uint_t ngx_http_conflict_predecessor_find(
    ngx_http_conflict_predecessor_t *predecessors);

/* Logs that the store "name" waits for "n" of them. */
void ngx_http_conflict_predecessor_warn(ngx_str_t *name, ngx_uint_t n,
    ngx_log_t *log);

/* Notes a process, to ask later whether it is still there. */
void ngx_http_conflict_predecessor_note(
    ngx_http_conflict_predecessor_t *predecessor, ngx_pid_t pid);

/* 1 where the process still runs, or where this cannot be determined. */
ngx_uint_t ngx_http_conflict_predecessor_alive(
    ngx_http_conflict_predecessor_t *predecessor);

/*
 * 1 once all "n" of them are gone; those that are go from the list.  "checked"
 * is when this was last looked at, as it takes system calls.
 */
ngx_uint_t ngx_http_conflict_predecessor_gone(
    ngx_http_conflict_predecessor_t *predecessors, ngx_uint_t *n,
    ngx_msec_t *checked);


#endif /* _NGX_HTTP_CONFLICT_PREDECESSOR_H_INCLUDED_ */
