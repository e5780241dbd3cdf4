
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The setters of conflict_field, conflict_partial and conflict_history, and the
 * rules of a location as a merge uses them.
 */


#include "config/ngx_http_conflict_conf.h"
#include "core/json/conflict_tree.h"


#define NGX_HTTP_CONFLICT_HISTORY_MAX  1000
#define NGX_HTTP_CONFLICT_TTL_MAX      ((ngx_int_t) 365 * 24 * 3600 * 1000)


static ngx_int_t ngx_http_conflict_directive_field_rule(ngx_conf_t *cf,
    conflict_field_t *field, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_directive_field_place(ngx_conf_t *cf,
    ngx_http_conflict_rule_t *rule);
static ngx_int_t ngx_http_conflict_directive_field_overlap(ngx_conf_t *cf,
    ngx_array_t *rules, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_directive_field_ttl(
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_directive_field_partial_form(
    ngx_str_t *value, size_t skip, ngx_uint_t *form);
static ngx_int_t ngx_http_conflict_directive_field_effective(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);
static ngx_uint_t ngx_http_conflict_directive_field_injects(
    ngx_http_conflict_loc_conf_t *conf);


char *
ngx_http_conflict_directive_field(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_http_conflict_directive_field_add(cf, conf, &value[1], &value[2])
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_conflict_directive_field_add(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, ngx_str_t *field, ngx_str_t *name)
{
    ngx_str_t                      *value;
    ngx_http_conflict_rule_t       *rule;
    ngx_http_conflict_main_conf_t  *nmcf;

    if (ngx_http_conflict_directive_field_list(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    /* one rule is reserved for the member of conflict_inject */

    if (conf->rules->nelts == CONFLICT_MERGE_RULES - 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "too many fields, \"%V\" exceeds the limit of %d",
                           field, CONFLICT_MERGE_RULES - 1);
        return NGX_ERROR;
    }

    rule = ngx_array_push(conf->rules);
    if (rule == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(rule, sizeof(ngx_http_conflict_rule_t));

    value = cf->args->elts;
    rule->directive = value[0];

    if (!(cf->cmd_type & NGX_HTTP_LOC_CONF)) {
        nmcf = ngx_http_conf_get_module_main_conf(cf,
                                                  ngx_http_conflict_module);
        nmcf->rule_directive = value[0];
    }

    if (conflict_scan_pointer(&rule->field.pointer, (char *) field->data,
                              field->len)
        != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid JSON pointer \"%V\", it must be \"/NAME\", "
                           "with at most 16 names, each after a \"/\", and at "
                           "most 256 bytes", field);
        return NGX_ERROR;
    }

    if (ngx_http_conflict_directive_field_rule(cf, &rule->field, name) != NGX_OK
        || ngx_http_conflict_directive_field_place(cf, rule) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_conflict_directive_field_overlap(cf, conf->rules, field);
}


ngx_int_t
ngx_http_conflict_directive_field_list(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    if (conf->rules) {
        return NGX_OK;
    }

    conf->rules = ngx_array_create(cf->pool, 8,
                                   sizeof(ngx_http_conflict_rule_t));

    return conf->rules ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_conflict_directive_field_rule(ngx_conf_t *cf, conflict_field_t *field,
    ngx_str_t *value)
{
    size_t       len;
    const char  *name;
    ngx_uint_t   rule;

    for (rule = CONFLICT_RULE_AUTO; rule < CONFLICT_RULES; rule++) {
        name = conflict_merge_report_rule(rule);
        len = ngx_strlen(name);

        if (value->len == len && ngx_strncmp(value->data, name, len) == 0) {
            break;
        }

        if (rule == CONFLICT_RULE_UNION && value->len > len + 2
            && ngx_strncmp(value->data, name, len) == 0
            && value->data[len] == '('
            && value->data[value->len - 1] == ')')
        {
            field->key = value->data + len + 1;
            field->key_len = value->len - len - 2;
            break;
        }
    }

    if (rule == CONFLICT_RULES) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid rule \"%V\", it must be \"auto\", "
                           "\"lww\", \"server\", \"reject\", \"union\", "
                           "\"union(KEY)\", \"max\", \"min\", \"sum\", "
                           "\"text\" or \"list\"", value);
        return NGX_ERROR;
    }

    if (rule == CONFLICT_RULE_TEXT && !conflict_lines_available()) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the rule \"text\" requires a module built with "
                           "CONFLICT_TEXT=yes");
        return NGX_ERROR;
    }

    field->rule = rule;

    return NGX_OK;
}


/* the position of the rule, in the format of nginx errors */

static ngx_int_t
ngx_http_conflict_directive_field_place(ngx_conf_t *cf,
    ngx_http_conflict_rule_t *rule)
{
    u_char     *p;
    ngx_str_t  *file;

    file = &cf->conf_file->file.name;

    p = ngx_pnalloc(cf->pool, file->len + 1 + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rule->place.data = p;
    rule->place.len = ngx_sprintf(p, "%V:%ui", file, cf->conf_file->line) - p;

    return NGX_OK;
}


/* refuses the last rule if it is for a field within another, or around it */

static ngx_int_t
ngx_http_conflict_directive_field_overlap(ngx_conf_t *cf, ngx_array_t *rules,
    ngx_str_t *value)
{
    ngx_uint_t                 i;
    conflict_field_t          *field, *last, *outer;
    ngx_http_conflict_rule_t  *rule;

    rule = rules->elts;
    last = &rule[rules->nelts - 1].field;

    for (i = 0; i < rules->nelts - 1; i++) {
        field = &rule[i].field;

        if (conflict_scan_pointer_within(&last->pointer, &field->pointer)) {
            outer = field;

        } else if (conflict_scan_pointer_within(&field->pointer,
                                                &last->pointer))
        {
            outer = last;

        } else {
            continue;
        }

        /* nginx appends the position of the second one */

        if (last->pointer.levels == field->pointer.levels) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "field \"%V\" is duplicate, its first rule is "
                               "in %V, the second one", value, &rule[i].place);
            return NGX_ERROR;
        }

        if (outer->rule != CONFLICT_RULE_AUTO) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "field \"%V\" overlaps with another one: the "
                               "outer one has the rule \"%s\", which covers "
                               "everything inside it; the first one is in %V, "
                               "the second one", value,
                               conflict_merge_report_rule(outer->rule),
                               &rule[i].place);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


char *
ngx_http_conflict_directive_field_history(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    ngx_int_t    n;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (nlcf->history != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n == 0 || n > NGX_HTTP_CONFLICT_HISTORY_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of bodies \"%V\", it must be from 1 "
                           "to %d", &value[1],
                           NGX_HTTP_CONFLICT_HISTORY_MAX);
        return NGX_CONF_ERROR;
    }

    nlcf->history = n;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "versions") == 0 && !nlcf->notes) {
            nlcf->notes = 1;
            continue;
        }

        if (ngx_http_conflict_directive_field_ttl(nlcf, &value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", it must be "
                               "\"ttl=TIME\", from 1s to 365d, or "
                               "\"versions\", each at most once", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_conflict_directive_field_ttl(ngx_http_conflict_loc_conf_t *nlcf,
    ngx_str_t *value)
{
    if (nlcf->history_ttl != NGX_CONF_UNSET_MSEC
        || ngx_strncmp(value->data, "ttl=", 4) != 0)
    {
        return NGX_DECLINED;
    }

    return ngx_http_conflict_directive_value_msec(value, 4, 1000,
                                                  NGX_HTTP_CONFLICT_TTL_MAX,
                                                  &nlcf->history_ttl);
}


char *
ngx_http_conflict_directive_field_partial(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    size_t       skip;
    ngx_str_t   *value;
    ngx_uint_t   i, *form;

    if (nlcf->put != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    nlcf->put = CONFLICT_FORM_WHOLE;
    nlcf->patch = CONFLICT_FORM_WHOLE;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "put", 3) == 0) {
            form = &nlcf->put;
            skip = 3;

        } else if (ngx_strncmp(value[i].data, "patch", 5) == 0) {
            form = &nlcf->patch;
            skip = 5;

        } else {
            form = NULL;
            skip = 0;
        }

        if (form && *form != CONFLICT_FORM_WHOLE) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "parameter \"%V\" is duplicate", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (form == NULL
            || ngx_http_conflict_directive_field_partial_form(&value[i], skip,
                                                              form)
               != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", it must be \"put\" "
                               "or \"patch\", optionally with \"=shallow\" or "
                               "\"=deep\", or only \"off\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* after the method: shallow by default, as most APIs replace whole values */

static ngx_int_t
ngx_http_conflict_directive_field_partial_form(ngx_str_t *value, size_t skip,
    ngx_uint_t *form)
{
    u_char  *depth;

    depth = value->data + skip;

    if (*depth == '\0' || ngx_strcmp(depth, "=shallow") == 0) {
        *form = CONFLICT_FORM_SHALLOW;
        return NGX_OK;
    }

    if (ngx_strcmp(depth, "=deep") == 0) {
        *form = CONFLICT_FORM_DEEP;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


void
ngx_http_conflict_directive_field_merge(ngx_http_conflict_loc_conf_t *conf,
    ngx_http_conflict_loc_conf_t *prev)
{
    if (conf->rules == NULL) {
        conf->rules = prev->rules;
    }

    ngx_conf_merge_uint_value(conf->put, prev->put, CONFLICT_FORM_WHOLE);
    ngx_conf_merge_uint_value(conf->patch, prev->patch, CONFLICT_FORM_WHOLE);

    if (conf->history == NGX_CONF_UNSET_UINT) {
        conf->history_ttl = prev->history_ttl;
        conf->notes = prev->notes;
    }

    ngx_conf_init_msec_value(conf->history_ttl, 7 * 24 * 3600 * 1000);
    ngx_conf_merge_uint_value(conf->history, prev->history, 8);
}


ngx_int_t
ngx_http_conflict_directive_field_complete(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    ngx_uint_t                 i;
    conflict_field_t          *field;
    ngx_http_conflict_rule_t  *rule;

    if (conf->base->place != NGX_HTTP_CONFLICT_JSON) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"conflict merge\" in location \"%V\" requires "
                           "\"conflict_base json:/POINTER\": a failed "
                           "precondition in a header forbids the write",
                           &conf->name);
        return NGX_ERROR;
    }

    if (ngx_http_conflict_directive_field_effective(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    rule = conf->rules ? conf->rules->elts : NULL;

    for (i = 0; conf->rules && i < conf->rules->nelts; i++) {
        field = &rule[i].field;

        if (conflict_scan_pointer_within(&field->pointer, conf->base->pointer)
            || (field->rule != CONFLICT_RULE_AUTO
                && conflict_scan_pointer_within(conf->base->pointer,
                                                &field->pointer)))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" in location \"%V\" has the rule \"%s\" "
                               "for the member with the base version, which is "
                               "not merged, see %V",
                               &rule[i].directive, &conf->name,
                               conflict_merge_report_rule(field->rule),
                               &rule[i].place);
            return NGX_ERROR;
        }

        conf->server_rules |= (field->rule == CONFLICT_RULE_SERVER);
        conf->sum_rules |= (field->rule == CONFLICT_RULE_SUM);
    }

    return NGX_OK;
}


/*
 * The rules, and one for the version that conflict_inject adds to the body: a
 * client sends it back, but that is no edit and must not clash.  Locations
 * that inherit the same rules share them.
 */

static ngx_int_t
ngx_http_conflict_directive_field_effective(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    ngx_uint_t                      i, injects;
    ngx_array_t                    *fields;
    conflict_field_t               *field;
    ngx_http_conflict_rule_t       *rule;
    ngx_http_conflict_main_conf_t  *nmcf;

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_conflict_module);

    injects = ngx_http_conflict_directive_field_injects(conf);

    if (!injects && nmcf->fields && nmcf->rules == conf->rules) {
        conf->fields = nmcf->fields;
        return NGX_OK;
    }

    rule = conf->rules ? conf->rules->elts : NULL;

    fields = ngx_array_create(cf->pool,
                              conf->rules ? conf->rules->nelts + 1 : 1,
                              sizeof(conflict_field_t));
    if (fields == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; conf->rules && i < conf->rules->nelts; i++) {
        field = ngx_array_push(fields);
        if (field == NULL) {
            return NGX_ERROR;
        }

        *field = rule[i].field;
    }

    conf->fields = fields;

    if (!injects) {
        nmcf->rules = conf->rules;
        nmcf->fields = fields;

        return NGX_OK;
    }

    field = ngx_array_push(fields);
    if (field == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(field, sizeof(conflict_field_t));

    field->pointer = *conf->doc_inject;
    field->rule = CONFLICT_RULE_LWW;

    return NGX_OK;
}


/* 1 if a version is added to the body, neither the base nor with a rule */

static ngx_uint_t
ngx_http_conflict_directive_field_injects(ngx_http_conflict_loc_conf_t *conf)
{
    ngx_uint_t                 i;
    conflict_field_t          *field;
    ngx_http_conflict_rule_t  *rule;

    if (conf->doc_inject == NULL
        || conflict_scan_pointer_within(conf->doc_inject, conf->base->pointer)
        || conflict_scan_pointer_within(conf->base->pointer, conf->doc_inject))
    {
        return 0;
    }

    rule = conf->rules ? conf->rules->elts : NULL;

    for (i = 0; conf->rules && i < conf->rules->nelts; i++) {
        field = &rule[i].field;

        if (conflict_scan_pointer_within(&field->pointer, conf->doc_inject)
            || (field->rule != CONFLICT_RULE_AUTO
                && conflict_scan_pointer_within(conf->doc_inject,
                                                &field->pointer)))
        {
            return 0;
        }
    }

    return 1;
}
