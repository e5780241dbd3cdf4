
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Opens the file of an audit log.  If nginx creates the file, it gets the mode
 * and owner of the access log in the same directory.
 */


#include "config/ngx_http_conflict_conf.h"


static ngx_int_t ngx_http_conflict_audit_file_model(ngx_cycle_t *cycle,
    ngx_str_t *name, ngx_file_info_t *fi);


ngx_int_t
ngx_http_conflict_audit_file_open(ngx_conf_t *cf, ngx_http_conflict_log_t *log,
    ngx_str_t *name)
{
    ngx_file_info_t                  fi;
    ngx_open_file_t                **file;
    ngx_http_conflict_main_conf_t   *nmcf;

    log->file = ngx_conf_open_file(cf->cycle, name);
    if (log->file == NULL) {
        return NGX_ERROR;
    }

    if (ngx_file_info(log->file->name.data, &fi) != NGX_FILE_ERROR
        || ngx_errno != NGX_ENOENT)
    {
        return NGX_OK;
    }

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_conflict_module);

    file = ngx_array_push(&nmcf->created_logs);
    if (file == NULL) {
        return NGX_ERROR;
    }

    *file = log->file;

    return NGX_OK;
}


/*
 * nginx creates files that are readable for all and belong to root until they
 * are reopened; distributions create the access log with stricter modes.
 */

void
ngx_http_conflict_audit_file_created(ngx_cycle_t *cycle,
    ngx_http_conflict_main_conf_t *nmcf)
{
    mode_t             mode;
    ngx_uint_t         i;
    ngx_file_info_t    fi, model;
    ngx_open_file_t  **file;

    file = nmcf->created_logs.elts;

    for (i = 0; i < nmcf->created_logs.nelts; i++) {

        if (ngx_fd_info(file[i]->fd, &fi) == NGX_FILE_ERROR
            || !ngx_is_file(&fi)
            || ngx_http_conflict_audit_file_model(cycle, &file[i]->name, &model)
               != NGX_OK)
        {
            continue;
        }

        mode = ngx_file_access(&model) & 0666;

        if (mode != ngx_file_access(&fi)
            && fchmod(file[i]->fd, mode) == -1)
        {
            ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                          "fchmod() \"%V\" failed", &file[i]->name);
        }

        if ((model.st_uid != fi.st_uid || model.st_gid != fi.st_gid)
            && fchown(file[i]->fd, model.st_uid, model.st_gid) == -1)
        {
            ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                          "fchown() \"%V\" failed", &file[i]->name);
        }
    }
}


/* "access.log" in the same directory, else the default access log of nginx */

static ngx_int_t
ngx_http_conflict_audit_file_model(ngx_cycle_t *cycle, ngx_str_t *name,
    ngx_file_info_t *fi)
{
    size_t      len;
    u_char     *p;
    ngx_str_t   path;

    for (len = name->len; len && name->data[len - 1] != '/'; len--) {
        /* void */
    }

    p = ngx_pnalloc(cycle->pool, len + sizeof("access.log"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(p, "%*saccess.log%Z", len, name->data);

    if (ngx_file_info(p, fi) == NGX_FILE_ERROR || !ngx_is_file(fi)) {

        ngx_str_set(&path, NGX_HTTP_LOG_PATH);

        if (ngx_conf_full_name(cycle, &path, 0) != NGX_OK
            || ngx_file_info(path.data, fi) == NGX_FILE_ERROR
            || !ngx_is_file(fi))
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}
