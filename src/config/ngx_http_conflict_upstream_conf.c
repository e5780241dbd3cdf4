
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Settings of nginx's upstream modules: makes their caches let the own GET
 * through, and finds out whether they buffer the request, change its method,
 * and hide what is looked for.  Checks that their structures are those that
 * the module was built with.
 */


#include "config/ngx_http_conflict_conf.h"


#if (NGX_HTTP_CACHE)
static ngx_int_t ngx_http_conflict_upstream_conf_cache(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *nlcf,
    ngx_http_upstream_conf_t *ucf);
#endif
static ngx_uint_t ngx_http_conflict_upstream_conf_module(
    ngx_module_t *module);
static ngx_int_t ngx_http_conflict_upstream_conf_handler(ngx_conf_t *cf,
    ngx_module_t *module, ngx_http_handler_pt *handler);
static ngx_int_t ngx_http_conflict_upstream_conf_param(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *nlcf, u_char *name, ngx_array_t *params);
static void ngx_http_conflict_upstream_conf_warn(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *nlcf);
static void ngx_http_conflict_upstream_conf_hidden(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_http_upstream_conf_t *ucf,
    ngx_http_conflict_source_t *source, const char *directive);
static ngx_uint_t ngx_http_conflict_upstream_conf_reads(ngx_str_t *method);


/* a "fastcgi_param" and the like has a name */

#define ngx_http_conflict_upstream_conf_named(nlcf)                           \
    (ngx_strcmp((nlcf)->method_setting, "proxy_method") == 0                  \
     ? "" : " REQUEST_METHOD")


static const char  *ngx_http_conflict_upstream_modules[] = {
    "ngx_http_proxy_module",
    "ngx_http_fastcgi_module",
    "ngx_http_uwsgi_module",
    "ngx_http_scgi_module",
    "ngx_http_grpc_module",
    NULL
};


ngx_int_t
ngx_http_conflict_upstream_conf(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *nlcf)
{
    ngx_uint_t                  i;
    ngx_module_t              **modules;
    ngx_http_conf_ctx_t        *ctx;
    ngx_http_upstream_conf_t   *ucf;

    ctx = cf->ctx;
    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {

        if (!ngx_http_conflict_upstream_conf_module(modules[i])) {
            continue;
        }

        /* all of their configurations begin with the common one */

        ucf = ctx->loc_conf[modules[i]->ctx_index];

        /* with variables in its address it counts as any other handler */

        nlcf->upstream |= (ucf->upstream != NULL);

        if (ucf->upstream) {
            ngx_http_conflict_upstream_conf_hidden(cf, nlcf, ucf,
                                                   nlcf->version,
                                                   "conflict_version");
            ngx_http_conflict_upstream_conf_hidden(cf, nlcf, ucf, nlcf->mtime,
                                                   "conflict_mtime");
        }

        /* gRPC has no such setting: it always streams */

        if (ucf->request_buffering == 0
            && ngx_strcmp(modules[i]->name, "ngx_http_grpc_module") != 0)
        {
            nlcf->unbuffered = 1;
        }

#if (NGX_HTTP_CACHE)

        if (ucf->cache == 1
            && ngx_http_conflict_upstream_conf_cache(cf, nmcf, nlcf, ucf)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

#endif
    }

    ngx_http_conflict_upstream_conf_warn(cf, nlcf);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_conflict_upstream_conf_module(ngx_module_t *module)
{
    ngx_uint_t  n;

    for (n = 0; ngx_http_conflict_upstream_modules[n]; n++) {

        if (ngx_strcmp(module->name, ngx_http_conflict_upstream_modules[n])
            == 0)
        {
            return 1;
        }
    }

    return 0;
}


#if (NGX_HTTP_CACHE)

static ngx_int_t
ngx_http_conflict_upstream_conf_cache(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *nlcf,
    ngx_http_upstream_conf_t *ucf)
{
    ngx_array_t               *bypass;
    ngx_http_complex_value_t  *cv;

    static ngx_str_t  post = ngx_string("POST");

    if (!nlcf->report
        && ngx_http_conflict_directive_method_listed(&post,
                                                     nlcf->methods->elts,
                                                     nlcf->methods->nelts))
    {
        /* a write is sent, whatever "proxy_cache_methods" has */
        ucf->cache_methods &= ~(ngx_uint_t) NGX_HTTP_POST;
    }

    /* a copy, as the array may be inherited */

    bypass = ngx_array_create(cf->pool, 4,
                              sizeof(ngx_http_complex_value_t));
    if (bypass == NULL) {
        return NGX_ERROR;
    }

    if (ucf->cache_bypass) {
        cv = ngx_array_push_n(bypass, ucf->cache_bypass->nelts);
        if (cv == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(cv, ucf->cache_bypass->elts,
                   ucf->cache_bypass->nelts
                   * sizeof(ngx_http_complex_value_t));
    }

    cv = ngx_array_push(bypass);
    if (cv == NULL) {
        return NGX_ERROR;
    }

    *cv = *nmcf->uncached;
    ucf->cache_bypass = bypass;

    return NGX_OK;
}

#endif


/*
 * The structures are private to their modules, but the directives tell where
 * the method is.  Those of another module may be inherited, so that of the
 * location's handler counts.
 */

ngx_int_t
ngx_http_conflict_upstream_conf_method(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *prev, ngx_http_conflict_loc_conf_t *nlcf)
{
    void                          **value;
    ngx_uint_t                      i;
    ngx_command_t                  *cmd;
    ngx_module_t                  **modules;
    ngx_http_conf_ctx_t            *ctx;
    ngx_http_handler_pt            *handler;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_conflict_main_conf_t  *nmcf;

    ctx = cf->ctx;
    modules = cf->cycle->modules;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* a block "if" leaves it to its location */

    nlcf->sent_by = (clcf->handler == NULL && clcf->noname) ? prev->sent_by
                                                            : clcf->handler;

    if (nlcf->sent_by == NULL) {
        return NGX_OK;
    }

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_conflict_module);

    for (i = 0; modules[i]; i++) {

        if (!ngx_http_conflict_upstream_conf_module(modules[i])) {
            continue;
        }

        handler = &nmcf->handlers[modules[i]->ctx_index];

        if (*handler == NULL
            && ngx_http_conflict_upstream_conf_handler(cf, modules[i], handler)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (*handler != nlcf->sent_by) {
            continue;
        }

        for (cmd = modules[i]->commands; cmd->name.len; cmd++) {

            value = (void **) ((char *) ctx->loc_conf[modules[i]->ctx_index]
                               + cmd->offset);

            if (cmd->set == ngx_http_set_complex_value_slot
                && ngx_strcmp(cmd->name.data, "proxy_method") == 0)
            {
                nlcf->sent_method = *value;
                nlcf->method_setting = cmd->name.data;
            }

            if (cmd->set == ngx_http_upstream_param_set_slot && *value
                && ngx_http_conflict_upstream_conf_param(cf, nlcf,
                                                         cmd->name.data, *value)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/*
 * The handler of a module is private to it, too: its directive "NAME_pass" sets
 * it, in a location that is made for this.  With a variable as its address it
 * does nothing else but index the variable.
 */

static ngx_int_t
ngx_http_conflict_upstream_conf_handler(ngx_conf_t *cf, ngx_module_t *module,
    ngx_http_handler_pt *handler)
{
    void                       *conf;
    ngx_str_t                   args[2];
    ngx_conf_t                  pass;
    ngx_array_t                 array;
    ngx_command_t              *cmd;
    ngx_http_module_t          *m;
    ngx_http_conf_ctx_t         ctx;
    ngx_http_core_loc_conf_t   *clcf;

    static ngx_str_t  suffix = ngx_string("_pass");
    static ngx_str_t  address = ngx_string("http://$request_method");
    static ngx_str_t  variable = ngx_string("request_method");

    /* which must not be in the temporary pool */

    if (ngx_http_get_variable_index(cf, &variable) == NGX_ERROR) {
        return NGX_ERROR;
    }

    pass = *cf;
    ctx = *(ngx_http_conf_ctx_t *) cf->ctx;

    pass.ctx = &ctx;
    pass.pool = cf->temp_pool;
    pass.args = &array;

    array.elts = args;
    array.nelts = 2;
    args[1] = address;

    ctx.loc_conf = ngx_pcalloc(pass.pool, sizeof(void *) * ngx_http_max_module);
    if (ctx.loc_conf == NULL) {
        return NGX_ERROR;
    }

    m = ngx_http_core_module.ctx;

    clcf = m->create_loc_conf(&pass);
    if (clcf == NULL) {
        return NGX_ERROR;
    }

    ctx.loc_conf[ngx_http_core_module.ctx_index] = clcf;

    m = module->ctx;

    conf = m->create_loc_conf(&pass);
    if (conf == NULL) {
        return NGX_ERROR;
    }

    for (cmd = module->commands; cmd->name.len; cmd++) {

        if (cmd->name.len > suffix.len
            && ngx_strcmp(cmd->name.data + cmd->name.len - suffix.len,
                          suffix.data)
               == 0)
        {
            args[0] = cmd->name;

            if (cmd->set(&pass, cmd, conf) != NGX_CONF_OK) {
                return NGX_ERROR;
            }
        }
    }

    *handler = clcf->handler;

    return NGX_OK;
}


/* the last one counts, as for PHP; there may be that of "fastcgi_params" */

static ngx_int_t
ngx_http_conflict_upstream_conf_param(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *nlcf, u_char *name, ngx_array_t *params)
{
    ngx_str_t                         *value;
    ngx_uint_t                         i;
    ngx_http_upstream_param_t         *param;
    ngx_http_compile_complex_value_t   ccv;

    static ngx_str_t  method = ngx_string("REQUEST_METHOD");
    static ngx_str_t  plain = ngx_string("$request_method");

    value = NULL;
    param = params->elts;

    for (i = 0; i < params->nelts; i++) {

        if (ngx_http_conflict_same(&param[i].key, &method)) {
            value = &param[i].value;
        }
    }

    if (value == NULL || ngx_http_conflict_same(value, &plain)) {
        return NGX_OK;
    }

    nlcf->method_setting = name;
    nlcf->sent_method = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));

    if (nlcf->sent_method == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = nlcf->sent_method;

    return ngx_http_compile_complex_value(&ccv);
}


static void
ngx_http_conflict_upstream_conf_warn(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *nlcf)
{
    ngx_http_complex_value_t  *cv;

    cv = nlcf->sent_method;

    if (cv == NULL || cv->lengths
        || ngx_http_conflict_upstream_conf_reads(&cv->value))
    {
        return;
    }

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "\"%s%s %V\" in location \"%V\" would make a write of "
                       "the GET that determines versions, so none is sent; "
                       "use a variable that is \"GET\" if $request_method is",
                       nlcf->method_setting,
                       ngx_http_conflict_upstream_conf_named(nlcf),
                       &cv->value, &nlcf->name);
}


/* as by "proxy_hide_header": the field is not among those of the response */

static void
ngx_http_conflict_upstream_conf_hidden(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_http_upstream_conf_t *ucf,
    ngx_http_conflict_source_t *source, const char *directive)
{
    ngx_str_t  *name;

    name = &source->name;

    if (source->place != NGX_HTTP_CONFLICT_HEADER
        || ucf->hide_headers_hash.buckets == NULL
        || ngx_hash_find(&ucf->hide_headers_hash,
                         ngx_hash_key(name->data, name->len), name->data,
                         name->len)
           == NULL)
    {
        return;
    }

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "\"%s header:%V\" in location \"%V\" finds nothing: "
                       "nginx hides this header, as by \"proxy_hide_header\"",
                       directive, name, &nlcf->name);
}


static ngx_uint_t
ngx_http_conflict_upstream_conf_reads(ngx_str_t *method)
{
    return (method->len == 3 && ngx_strncmp(method->data, "GET", 3) == 0)
           || (method->len == 4 && ngx_strncmp(method->data, "HEAD", 4) == 0)
           || ngx_http_conflict_directive_method_safe(method);
}


ngx_int_t
ngx_http_conflict_upstream_conf_get(ngx_http_request_t *r)
{
    ngx_str_t                      method;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);

    if (nlcf->sent_method == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, nlcf->sent_method, &method) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_upstream_conf_reads(&method)) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "conflict: no GET for a version was sent, \"%s%s\" would "
                  "make it \"%V\"", nlcf->method_setting,
                  ngx_http_conflict_upstream_conf_named(nlcf), &method);

    return NGX_ERROR;
}


/*
 * nginx's signature does not cover patches, and those of OpenResty add members
 * to the middle of ngx_http_upstream_t.  Two that follow are set in each new
 * one.
 */

ngx_int_t
ngx_http_conflict_upstream_conf_check(ngx_conf_t *cf)
{
    ngx_connection_t     *c;
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = ngx_pcalloc(cf->temp_pool, sizeof(ngx_http_request_t));
    if (r == NULL) {
        return NGX_ERROR;
    }

    c = ngx_pcalloc(cf->temp_pool, sizeof(ngx_connection_t));
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->log = cf->log;

    r->connection = c;
    r->main = r;
    r->pool = cf->temp_pool;

    if (ngx_http_upstream_create(r) != NGX_OK) {
        return NGX_ERROR;
    }

    u = r->upstream;

    if (u->headers_in.content_length_n != -1
        || u->headers_in.last_modified_time != -1)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "ngx_http_conflict_module was built with the source of "
                      "another nginx: this one is patched, and has other "
                      "structures");
        return NGX_ERROR;
    }

    return NGX_OK;
}
