
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_fields: reads rules of fields from a JSON file.
 */


#include "config/ngx_http_conflict_conf.h"

#include <jansson.h>


#define NGX_HTTP_CONFLICT_FIELD_FILE_MAX  (1024 * 1024)

#define NGX_HTTP_CONFLICT_FIELD_FILE_RULE                                     \
    "it must be a string such as \"sum\", or an object such as "              \
    "{\"rule\": \"union\", \"key\": \"id\"}"


typedef struct {
    ngx_http_conflict_loc_conf_t  *conf;
    ngx_str_t                      name;
    ngx_str_t                      text;
    ngx_conf_file_t                place;  /* its position, for errors */
    size_t                         offset; /* the same as an offset, */
    size_t                         line;   /* line, */
    size_t                         column; /* and column */
} ngx_http_conflict_field_file_t;


static ngx_int_t ngx_http_conflict_directive_field_file_read(ngx_conf_t *cf,
    ngx_http_conflict_field_file_t *file);
static ngx_int_t ngx_http_conflict_directive_field_file_load(ngx_conf_t *cf,
    ngx_http_conflict_field_file_t *file, ngx_fd_t fd);
static ngx_int_t ngx_http_conflict_directive_field_file_parse(ngx_conf_t *cf,
    ngx_http_conflict_field_file_t *file);
static ngx_int_t ngx_http_conflict_directive_field_file_rules(ngx_conf_t *cf,
    ngx_http_conflict_field_file_t *file, u_char *p, json_t *rules);
static ngx_int_t ngx_http_conflict_directive_field_file_rule(ngx_conf_t *cf,
    ngx_http_conflict_field_file_t *file, u_char *p, const char *field,
    json_t *value);
static ngx_int_t ngx_http_conflict_directive_field_file_object(ngx_conf_t *cf,
    ngx_http_conflict_field_file_t *file, u_char *p, const char *field,
    json_t *object, ngx_str_t *rule);
static ngx_int_t ngx_http_conflict_directive_field_file_key(ngx_conf_t *cf,
    const char *field, json_t *key, ngx_str_t *rule);
static ngx_int_t ngx_http_conflict_directive_field_file_copy(ngx_conf_t *cf,
    json_t *value, ngx_str_t *text);
static const char *ngx_http_conflict_directive_field_file_type(json_t *value);
static u_char *ngx_http_conflict_directive_field_file_value(u_char *p);
static u_char *ngx_http_conflict_directive_field_file_next(u_char *p);
static u_char *ngx_http_conflict_directive_field_file_space(u_char *p);
static u_char *ngx_http_conflict_directive_field_file_string(u_char *p);
static void ngx_http_conflict_directive_field_file_at(
    ngx_http_conflict_field_file_t *file, u_char *p);
static void ngx_http_conflict_directive_field_file_place(
    ngx_http_conflict_field_file_t *file, ngx_uint_t line, ngx_uint_t column);


char *
ngx_http_conflict_directive_field_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    size_t                           len;
    ngx_int_t                        rc;
    ngx_str_t                       *value;
    ngx_conf_file_t                 *parent;
    ngx_http_conflict_field_file_t   file;

    value = cf->args->elts;

    ngx_memzero(&file, sizeof(ngx_http_conflict_field_file_t));

    file.conf = conf;
    file.name = value[1];

    if (ngx_conf_full_name(cf->cycle, &file.name, 1) != NGX_OK
        || ngx_http_conflict_directive_field_list(cf, conf) != NGX_OK
        || ngx_http_conflict_directive_field_file_read(cf, &file) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    len = file.name.len + NGX_INT_T_LEN + 2;

    file.place.file.name.data = ngx_pnalloc(cf->temp_pool, len);
    if (file.place.file.name.data == NULL) {
        return NGX_CONF_ERROR;
    }

    /* as for an included file, errors have a position in this file */

    parent = cf->conf_file;
    cf->conf_file = &file.place;

    rc = ngx_http_conflict_directive_field_file_parse(cf, &file);

    cf->conf_file = parent;

    return (rc == NGX_OK) ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_conflict_directive_field_file_read(ngx_conf_t *cf,
    ngx_http_conflict_field_file_t *file)
{
    ngx_fd_t   fd;
    ngx_int_t  rc;

    /* a blocking open() of a FIFO would wait for a writer */

    fd = ngx_open_file(file->name.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &file->name);
        return NGX_ERROR;
    }

    rc = ngx_http_conflict_directive_field_file_load(cf, file, fd);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &file->name);
    }

    return rc;
}


static ngx_int_t
ngx_http_conflict_directive_field_file_load(ngx_conf_t *cf,
    ngx_http_conflict_field_file_t *file, ngx_fd_t fd)
{
    size_t           size;
    ssize_t          n;
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", &file->name);
        return NGX_ERROR;
    }

    if (!ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not a regular file", &file->name);
        return NGX_ERROR;
    }

    if (ngx_file_size(&fi) > NGX_HTTP_CONFLICT_FIELD_FILE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has %O bytes, the limit is %d",
                           &file->name, ngx_file_size(&fi),
                           NGX_HTTP_CONFLICT_FIELD_FILE_MAX);
        return NGX_ERROR;
    }

    size = (size_t) ngx_file_size(&fi);

    file->text.data = ngx_pnalloc(cf->temp_pool, size + 1);
    if (file->text.data == NULL) {
        return NGX_ERROR;
    }

    while (file->text.len < size) {
        n = ngx_read_fd(fd, file->text.data + file->text.len,
                        size - file->text.len);

        if (n == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               ngx_read_fd_n " \"%V\" failed", &file->name);
            return NGX_ERROR;
        }

        if (n == 0) {
            break;
        }

        file->text.len += n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_directive_field_file_parse(ngx_conf_t *cf,
    ngx_http_conflict_field_file_t *file)
{
    size_t         bom;
    json_t        *rules;
    u_char        *p;
    ngx_int_t      rc;
    json_error_t   error;

    bom = conflict_text_bom(file->text.data, file->text.len);
    p = file->text.data + bom;

    rules = json_loadb((char *) p, file->text.len - bom,
                       JSON_REJECT_DUPLICATES, &error);

    if (rules == NULL) {
        ngx_http_conflict_directive_field_file_place(file,
                                                     ngx_max(error.line, 1),
                                                     ngx_max(error.column, 1));
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid JSON: %s",
                           error.text);
        return NGX_ERROR;
    }

    rc = ngx_http_conflict_directive_field_file_rules(cf, file, p, rules);

    json_decref(rules);

    return rc;
}


/* jansson iterates over members in the order of the file */

static ngx_int_t
ngx_http_conflict_directive_field_file_rules(ngx_conf_t *cf,
    ngx_http_conflict_field_file_t *file, u_char *p, json_t *rules)
{
    json_t      *value;
    const char  *field;

    p = ngx_http_conflict_directive_field_file_space(p);

    if (!json_is_object(rules)) {
        ngx_http_conflict_directive_field_file_at(file, p);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s, it must be an object of fields and their "
                           "rules, such as {\"/title\": \"lww\"}",
                           ngx_http_conflict_directive_field_file_type(rules));
        return NGX_ERROR;
    }

    json_object_foreach(rules, field, value) {
        p = ngx_http_conflict_directive_field_file_space(p + 1);

        if (ngx_http_conflict_directive_field_file_rule(cf, file, p, field,
                                                        value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        p = ngx_http_conflict_directive_field_file_next(p);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_directive_field_file_rule(ngx_conf_t *cf,
    ngx_http_conflict_field_file_t *file, u_char *p, const char *field,
    json_t *value)
{
    u_char     *start;
    ngx_int_t   rc;
    ngx_str_t   name, rule;

    start = ngx_http_conflict_directive_field_file_value(p);

    if (json_is_string(value)) {
        rc = ngx_http_conflict_directive_field_file_copy(cf, value, &rule);

    } else if (json_is_object(value)) {
        rc = ngx_http_conflict_directive_field_file_object(cf, file, start,
                                                           field, value, &rule);

    } else {
        ngx_http_conflict_directive_field_file_at(file, start);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the rule of field \"%s\" is %s, "
                           NGX_HTTP_CONFLICT_FIELD_FILE_RULE, field,
                           ngx_http_conflict_directive_field_file_type(value));
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    name.data = (u_char *) field;
    name.len = ngx_strlen(field);

    ngx_http_conflict_directive_field_file_at(file, p);

    return ngx_http_conflict_directive_field_add(cf, file->conf, &name, &rule);
}


/* converts an object to the syntax of conflict_field */

static ngx_int_t
ngx_http_conflict_directive_field_file_object(ngx_conf_t *cf,
    ngx_http_conflict_field_file_t *file, u_char *p, const char *field,
    json_t *object, ngx_str_t *rule)
{
    json_t      *value, *key;
    u_char      *open, *key_at;
    const char  *name, *type;

    open = p;
    key = NULL;
    key_at = NULL;
    ngx_str_null(rule);

    json_object_foreach(object, name, value) {
        p = ngx_http_conflict_directive_field_file_space(p + 1);

        if (ngx_strcmp(name, "rule") != 0 && ngx_strcmp(name, "key") != 0) {
            ngx_http_conflict_directive_field_file_at(file, p);
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%s\" of field \"%s\", it "
                               "must be \"rule\" or, of a union, \"key\"",
                               name, field);
            return NGX_ERROR;
        }

        if (!json_is_string(value)) {
            p = ngx_http_conflict_directive_field_file_value(p);
            type = ngx_http_conflict_directive_field_file_type(value);

            ngx_http_conflict_directive_field_file_at(file, p);
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "parameter \"%s\" of field \"%s\" is %s, it "
                               "must be a string", name, field, type);
            return NGX_ERROR;
        }

        if (name[0] == 'k') {
            key = value;
            key_at = p;

        } else if (ngx_http_conflict_directive_field_file_copy(cf, value, rule)
                   != NGX_OK)
        {
            return NGX_ERROR;
        }

        p = ngx_http_conflict_directive_field_file_next(p);
    }

    if (rule->data == NULL) {
        ngx_http_conflict_directive_field_file_at(file, open);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "field \"%s\" has no \"rule\", "
                           NGX_HTTP_CONFLICT_FIELD_FILE_RULE, field);
        return NGX_ERROR;
    }

    if (key == NULL) {
        return NGX_OK;
    }

    ngx_http_conflict_directive_field_file_at(file, key_at);

    return ngx_http_conflict_directive_field_file_key(cf, field, key, rule);
}


static ngx_int_t
ngx_http_conflict_directive_field_file_key(ngx_conf_t *cf, const char *field,
    json_t *key, ngx_str_t *rule)
{
    u_char  *p;

    if (ngx_strcmp(rule->data, "union") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "parameter \"key\" of field \"%s\" requires the "
                           "rule \"union\", not \"%V\"", field, rule);
        return NGX_ERROR;
    }

    p = ngx_pnalloc(cf->pool, sizeof("union()") + json_string_length(key));
    if (p == NULL) {
        return NGX_ERROR;
    }

    rule->data = p;
    rule->len = ngx_sprintf(p, "union(%s)%Z", json_string_value(key)) - p - 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_directive_field_file_copy(ngx_conf_t *cf, json_t *value,
    ngx_str_t *text)
{
    text->len = json_string_length(value);

    text->data = ngx_pnalloc(cf->pool, text->len + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text->data, json_string_value(value), text->len + 1);

    return NGX_OK;
}


static const char *
ngx_http_conflict_directive_field_file_type(json_t *value)
{
    switch (json_typeof(value)) {

    case JSON_OBJECT:
        return "an object";

    case JSON_ARRAY:
        return "an array";

    case JSON_STRING:
        return "a string";

    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";

    case JSON_NULL:
        return "null";

    default:
        return "a boolean";
    }
}


/*
 * jansson provides no positions of values.  These functions find them in a
 * text that it has accepted: from the name of a member its value, and the ","
 * or "}" after that.
 */

static u_char *
ngx_http_conflict_directive_field_file_value(u_char *p)
{
    p = ngx_http_conflict_directive_field_file_string(p);
    p = ngx_http_conflict_directive_field_file_space(p);

    return ngx_http_conflict_directive_field_file_space(p + 1);
}


static u_char *
ngx_http_conflict_directive_field_file_next(u_char *p)
{
    ngx_uint_t  depth;

    for (depth = 0; depth || (*p != ',' && *p != '}'); p++) {

        if (*p == '"') {
            p = ngx_http_conflict_directive_field_file_string(p) - 1;

        } else if (*p == '{' || *p == '[') {
            depth++;

        } else if (*p == '}' || *p == ']') {
            depth--;
        }
    }

    return p;
}


static u_char *
ngx_http_conflict_directive_field_file_space(u_char *p)
{
    while (*p == ' ' || *p == '\t' || *p == CR || *p == LF) {
        p++;
    }

    return p;
}


/* the position after the closing quote */

static u_char *
ngx_http_conflict_directive_field_file_string(u_char *p)
{
    for (p++; *p != '"'; p++) {

        if (*p == '\\') {
            p++;
        }
    }

    return p + 1;
}


static void
ngx_http_conflict_directive_field_file_at(ngx_http_conflict_field_file_t *file,
    u_char *p)
{
    size_t  at, line, column;

    at = p - file->text.data;

    if (file->line == 0 || at < file->offset) {
        file->offset = 0;
        file->line = 1;
        file->column = 1;
    }

    /* from the last position, not from the beginning for each rule */

    conflict_text_place(file->text.data + file->offset, at - file->offset,
                        &line, &column);

    file->column = (line > 1) ? column : file->column + column - 1;
    file->line += line - 1;
    file->offset = at;

    ngx_http_conflict_directive_field_file_place(file, file->line,
                                                 file->column);
}


/* nginx appends "in NAME:NUMBER"; NAME is FILE:LINE, NUMBER the column */

static void
ngx_http_conflict_directive_field_file_place(
    ngx_http_conflict_field_file_t *file, ngx_uint_t line, ngx_uint_t column)
{
    ngx_str_t  *name;

    name = &file->place.file.name;

    name->len = ngx_sprintf(name->data, "%V:%ui%Z", &file->name, line)
                - name->data - 1;
    file->place.line = column;
}
