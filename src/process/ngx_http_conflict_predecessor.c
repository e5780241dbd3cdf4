
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Predecessor processes, which may still write with the versions of another
 * store, and the detection of their exit.
 */


#include "process/ngx_http_conflict_predecessor.h"
#include "core/text/conflict_decimal.h"


static uint64_t ngx_http_conflict_predecessor_start(ngx_pid_t pid);


ngx_uint_t
ngx_http_conflict_predecessor_find(
    ngx_http_conflict_predecessor_t *predecessors)
{
    ngx_int_t   i;
    ngx_uint_t  n;

    n = 0;

    if (ngx_is_init_cycle(ngx_cycle)) {

        if (ngx_inherited) {
            predecessors[n++].pid = ngx_parent;
        }

    } else {

        if (ngx_inherited && getppid() == ngx_parent) {
            /* the old master of a binary upgrade is still running */
            predecessors[n++].pid = ngx_parent;
        }

        for (i = 0; i < ngx_last_process && n < NGX_MAX_PROCESSES; i++) {

            if (ngx_processes[i].pid > 0 && !ngx_processes[i].exited) {
                predecessors[n++].pid = ngx_processes[i].pid;
            }
        }
    }

    for (i = 0; i < (ngx_int_t) n; i++) {
        ngx_http_conflict_predecessor_note(&predecessors[i],
                                           predecessors[i].pid);
    }

    return n;
}


void
ngx_http_conflict_predecessor_note(ngx_http_conflict_predecessor_t *predecessor,
    ngx_pid_t pid)
{
    predecessor->pid = pid;
    predecessor->start = ngx_http_conflict_predecessor_start(pid);
}


void
ngx_http_conflict_predecessor_warn(ngx_str_t *name, ngx_uint_t n,
    ngx_log_t *log)
{
    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "conflict store \"%V\": %ui predecessor process%s may still "
                  "write with other versions or keys (a store, the binary or a "
                  "route was changed): guarded writes get 503 until %s "
                  "exited", name, n, (n == 1) ? "" : "es",
                  (n == 1) ? "it has" : "they have");
}


ngx_uint_t
ngx_http_conflict_predecessor_gone(
    ngx_http_conflict_predecessor_t *predecessors, ngx_uint_t *n,
    ngx_msec_t *checked)
{
    if (*n == 0) {
        return 1;
    }

    if (ngx_current_msec - *checked < 100) {
        return 0;
    }

    *checked = ngx_current_msec;

    while (*n) {

        if (ngx_http_conflict_predecessor_alive(&predecessors[*n - 1])) {
            return 0;
        }

        (*n)--;
    }

    return 1;
}


/* the start time detects a reused pid, unless /proc is hidden */

ngx_uint_t
ngx_http_conflict_predecessor_alive(
    ngx_http_conflict_predecessor_t *predecessor)
{
    uint64_t  start;

    if (kill(predecessor->pid, 0) == -1 && ngx_errno == ESRCH) {
        return 0;
    }

    start = ngx_http_conflict_predecessor_start(predecessor->pid);

    return start == 0 || predecessor->start == 0 || start == predecessor->start;
}


static uint64_t
ngx_http_conflict_predecessor_start(ngx_pid_t pid)
{
#if (NGX_LINUX)

    u_char      *p, *last;
    ssize_t      n;
    ngx_fd_t     fd;
    uint64_t     start;
    ngx_uint_t   field;
    u_char       path[sizeof("/proc//stat") + NGX_INT64_LEN], buf[1024];

    (void) ngx_sprintf(path, "/proc/%P/stat%Z", pid);

    fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    (void) ngx_close_file(fd);

    if (n <= 0) {
        return 0;
    }

    last = buf + n;

    /* field 22; the name, in parentheses, may contain any characters */

    for (p = last - 1; p > buf && *p != ')'; p--) { /* void */ }

    for (field = 2; field < 22; field++) {
        while (p < last && *p != ' ') { p++; }
        while (p < last && *p == ' ') { p++; }
    }

    start = 0;

    (void) conflict_decimal_parse(p, last, UINT64_MAX, &start);

    return start;

#else

    return 0;

#endif
}
