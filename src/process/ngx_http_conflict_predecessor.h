
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Predecessor processes, which may still write with the versions of another
 * store, and the detection of their exit.
 */


#ifndef _NGX_HTTP_CONFLICT_PREDECESSOR_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_PREDECESSOR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_pid_t                    pid;
    uint64_t                     start;     /* detects a reused pid */
} ngx_http_conflict_predecessor_t;


/*
 * Called while a new configuration is applied: lists the processes that may
 * still write under the old one, up to NGX_MAX_PROCESSES.  Returns the number.
 */
ngx_uint_t ngx_http_conflict_predecessor_find(
    ngx_http_conflict_predecessor_t *predecessors);

/* Logs that the store "name" waits for "n" processes to exit. */
void ngx_http_conflict_predecessor_warn(ngx_str_t *name, ngx_uint_t n,
    ngx_log_t *log);

/* Records a process, for later calls of predecessor_alive(). */
void ngx_http_conflict_predecessor_note(
    ngx_http_conflict_predecessor_t *predecessor, ngx_pid_t pid);

/* 1 if the process is still running, or if this cannot be determined. */
ngx_uint_t ngx_http_conflict_predecessor_alive(
    ngx_http_conflict_predecessor_t *predecessor);

/*
 * 1 once all "n" processes have exited; these are removed from the list.
 * "checked" is the time of the last check, as one takes system calls.
 */
ngx_uint_t ngx_http_conflict_predecessor_gone(
    ngx_http_conflict_predecessor_t *predecessors, ngx_uint_t *n,
    ngx_msec_t *checked);


#endif /* _NGX_HTTP_CONFLICT_PREDECESSOR_H_INCLUDED_ */
