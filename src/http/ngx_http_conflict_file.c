
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Reads files that responses are sent from, also those opened for direct I/O.
 */


#include "http/ngx_http_conflict_http.h"


/*
 * Direct I/O is off during the read, which is not aligned, as in
 * ngx_output_chain_copy_buf().  A file that was truncated is an error.
 */

ngx_int_t
ngx_http_conflict_file_read(ngx_file_t *file, u_char *data, size_t size,
    off_t pos)
{
    size_t   len;
    ssize_t  n;

#if (NGX_HAVE_ALIGNED_DIRECTIO)

    if (file->directio && ngx_directio_off(file->fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, file->log, ngx_errno,
                      ngx_directio_off_n " \"%s\" failed", file->name.data);
    }

#endif

    for (len = 0; len < size; len += n) {
        n = ngx_read_file(file, data + len, size - len, pos + (off_t) len);

        if (n <= 0) {
            break;
        }
    }

#if (NGX_HAVE_ALIGNED_DIRECTIO)

    if (file->directio && ngx_directio_on(file->fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, file->log, ngx_errno,
                      ngx_directio_on_n " \"%s\" failed", file->name.data);
    }

#endif

    return (len == size) ? NGX_OK : NGX_ERROR;
}
