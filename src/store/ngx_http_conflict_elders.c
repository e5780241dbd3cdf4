
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Processes of an older configuration or binary, which may still write with
 * the versions of another store; and whether they are gone.
 */


#include "store/ngx_http_conflict_store.h"


static uint64_t ngx_http_conflict_start_time(ngx_pid_t pid);


ngx_uint_t
ngx_http_conflict_elders(ngx_http_conflict_elder_t *elders)
{
    ngx_int_t   i;
    ngx_uint_t  n;

    n = 0;

    if (ngx_is_init_cycle(ngx_cycle)) {

        if (ngx_inherited) {
            elders[n++].pid = ngx_parent;
        }

    } else {

        if (ngx_inherited && getppid() == ngx_parent) {
            /* the master of before a binary upgrade is still there */
            elders[n++].pid = ngx_parent;
        }

        for (i = 0; i < ngx_last_process && n < NGX_MAX_PROCESSES; i++) {

            if (ngx_processes[i].pid > 0 && !ngx_processes[i].exited) {
                elders[n++].pid = ngx_processes[i].pid;
            }
        }
    }

    for (i = 0; i < (ngx_int_t) n; i++) {
        ngx_http_conflict_elder(&elders[i], elders[i].pid);
    }

    return n;
}


void
ngx_http_conflict_elder(ngx_http_conflict_elder_t *elder, ngx_pid_t pid)
{
    elder->pid = pid;
    elder->start = ngx_http_conflict_start_time(pid);
}


void
ngx_http_conflict_elders_warn(ngx_http_conflict_store_t *store, ngx_uint_t n,
    ngx_log_t *log)
{
    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "conflict store \"%V\": %ui older process%s may still "
                  "write with other versions or keys (a store was changed, or "
                  "the binary, or a route): guarded writes get 503 until %s "
                  "gone", &store->name, n, (n == 1) ? "" : "es",
                  (n == 1) ? "it is" : "they are");
}


ngx_uint_t
ngx_http_conflict_elders_gone(ngx_http_conflict_store_t *store)
{
    if (store->elders == 0) {
        return 1;
    }

    if (ngx_current_msec - store->elders_checked < 100) {
        return 0;
    }

    store->elders_checked = ngx_current_msec;

    while (store->elders) {

        if (ngx_http_conflict_elder_alive(&store->elder[store->elders - 1])) {
            return 0;
        }

        store->elders--;
    }

    return 1;
}


/* is it the process that it was?  Where /proc is hidden, it is thought so */

ngx_uint_t
ngx_http_conflict_elder_alive(ngx_http_conflict_elder_t *elder)
{
    uint64_t  start;

    if (kill(elder->pid, 0) == -1 && ngx_errno == ESRCH) {
        return 0;
    }

    start = ngx_http_conflict_start_time(elder->pid);

    return start == 0 || elder->start == 0 || start == elder->start;
}


static uint64_t
ngx_http_conflict_start_time(ngx_pid_t pid)
{
#if (NGX_LINUX)

    u_char    *p, *last;
    ssize_t    n;
    ngx_fd_t   fd;
    uint64_t   start;
    ngx_uint_t field;
    u_char     path[sizeof("/proc//stat") + NGX_INT64_LEN], buf[1024];

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

    /* the name, in parentheses, may have anything in it; field 22 is ours */

    for (p = last - 1; p > buf && *p != ')'; p--) { /* void */ }

    for (field = 2; field < 22; field++) {
        while (p < last && *p != ' ') { p++; }
        while (p < last && *p == ' ') { p++; }
    }

    start = 0;

    while (p < last && *p >= '0' && *p <= '9') {
        start = start * 10 + (*p++ - '0');
    }

    return start;

#else

    return 0;

#endif
}
