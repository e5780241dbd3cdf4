
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Validates a guarded location or an endpoint, and completes it: store, audit
 * log, defaults, and settings of the upstream modules.
 */


#include "config/ngx_http_conflict_conf.h"
#include "feed/ngx_http_conflict_feed.h"
#include "store/ngx_http_conflict_blob.h"


#define NGX_HTTP_CONFLICT_DEFAULT_ZONE  (16 * 1024 * 1024)


static ngx_uint_t ngx_http_conflict_location_one_user(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, ngx_uint_t level);
static ngx_int_t ngx_http_conflict_location_start(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);
static ngx_int_t ngx_http_conflict_location_identity(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *conf);
static void ngx_http_conflict_location_check_version(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);
static ngx_int_t ngx_http_conflict_location_check_base(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);
static ngx_int_t ngx_http_conflict_location_check_header(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, const char *what, ngx_str_t *name);
static ngx_int_t ngx_http_conflict_location_doc_inject(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);
static ngx_int_t ngx_http_conflict_location_find_store(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *conf);
static ngx_int_t ngx_http_conflict_location_default_log(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *conf);
static ngx_uint_t ngx_http_conflict_location_may_write(ngx_conf_t *cf,
    ngx_http_core_loc_conf_t *clcf);
static ngx_uint_t ngx_http_conflict_location_setting(ngx_module_t **modules,
    void **loc_conf, const char *name);
static ngx_module_t *ngx_http_conflict_location_module(ngx_module_t **modules,
    const char *name);
static ngx_int_t ngx_http_conflict_location_endpoint(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, const char *name, const char *what,
    const char *suffix);


static ngx_str_t  ngx_http_conflict_location_default = ngx_string("default");


ngx_int_t
ngx_http_conflict_location(ngx_conf_t *cf, ngx_http_conflict_loc_conf_t *conf)
{
    ngx_http_conflict_main_conf_t  *nmcf;

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_conflict_module);

    if (conf->key && conf->key->value.len == 0
        && conf->idempotency == NGX_HTTP_CONFLICT_IDEMPOTENCY_OFF)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"conflict_key\" in location \"%V\" is empty, so "
                           "nothing would be guarded", &conf->name);
        return NGX_ERROR;
    }

    if ((conf->inject->place != NGX_HTTP_CONFLICT_DEFAULT || conf->list)
        && !ngx_http_conflict_conf_minted(conf))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"conflict_inject\" in location \"%V\" requires "
                           "\"conflict_version counter\", an upstream that "
                           "owns the versions sends them itself",
                           &conf->name);
        return NGX_ERROR;
    }

    if (conf->strip == 1 && conf->base->place != NGX_HTTP_CONFLICT_JSON) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"conflict_strip_base\" in location \"%V\" "
                           "requires \"conflict_base json:/POINTER\"",
                           &conf->name);
        return NGX_ERROR;
    }

    /* an upstream that owns versions may use it; report mode changes nothing */

    conf->strip_base = (conf->strip == NGX_CONF_UNSET)
                       ? conf->base->place == NGX_HTTP_CONFLICT_JSON
                         && ngx_http_conflict_conf_minted(conf)
                         && !conf->report
                       : conf->strip == 1;

    if (conf->base->place == NGX_HTTP_CONFLICT_HEADER
        && ngx_http_conflict_location_check_base(cf, conf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->edited && conf->edited->place == NGX_HTTP_CONFLICT_HEADER
        && ngx_http_conflict_location_check_header(cf, conf,
                                                "conflict lww edited=header:",
                                                &conf->edited->name)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->quarantine == 0 && ngx_http_conflict_conf_minted(conf)) {
        nmcf->no_quarantine = 1;
    }

    if (conf->inject->place == NGX_HTTP_CONFLICT_JSON
        && ngx_http_conflict_location_doc_inject(cf, conf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_location_start(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    if ((conf->hold || conf->idempotency != NGX_HTTP_CONFLICT_IDEMPOTENCY_OFF)
        && ngx_http_conflict_shm_blob_zone_add(cf, conf->store) != NGX_OK)
    {
        return NGX_ERROR;
    }

    conf->bodies = (conf->policy == CONFLICT_MERGE || conf->notes);

    if (conf->bodies && conf->store->ops == &ngx_http_conflict_shm_ops
        && ngx_http_conflict_shm_history_zone_add(cf, conf->store) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->policy == CONFLICT_MERGE) {
        nmcf->merges = 1;

        if (ngx_http_conflict_directive_field_complete(cf, conf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_http_conflict_warn_guarded(cf, conf);

    return ngx_http_conflict_upstream_conf(cf, nmcf, conf);
}


ngx_int_t
ngx_http_conflict_location_lock(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    if (conf->user && conf->user->value.len) {
        (void) ngx_http_conflict_location_one_user(cf, conf, NGX_LOG_WARN);
    }

    if (ngx_http_conflict_location_endpoint(cf, conf, "conflict_lock",
                                            "the resource to be locked", "lock")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    conf->store->locks = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_location_versions(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    return ngx_http_conflict_location_endpoint(cf, conf, "conflict_versions",
                                               "the resource that they are of",
                                               "versions");
}


static ngx_int_t
ngx_http_conflict_location_endpoint(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, const char *name, const char *what,
    const char *suffix)
{
    ngx_str_t  *key;

    if (ngx_http_conflict_location_start(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (conf->key == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\" in location \"%V\" requires "
                           "\"conflict_key\" with %s, as in "
                           "\"location ~ ^(?<resource>/.*)/%s$\" with "
                           "\"conflict_key $resource\"", name, &conf->name,
                           what, suffix);
        return NGX_ERROR;
    }

    /* without "get=" the own GET requests the key, which must be a path */

    key = &conf->key->value;

    if (conf->get == NULL && !(conf->lock && conf->lock->blind)
        && (key->len == 0 || (key->data[0] != '/' && key->data[0] != '$')))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"conflict_key %V\" in location \"%V\" is not a "
                           "path, so \"%s\" requires \"get=PATH\", the path "
                           "of the resource%s", key, &conf->name, name,
                           conf->lock ? ", or \"get=off\"" : "");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_location_events(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    /* the keys are those of the locations of its resources */
    conf->key = NULL;

    if (ngx_http_conflict_location_start(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_conflict_feed_add(cf, conf->store);
}


ngx_int_t
ngx_http_conflict_location_inbox(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    if (conf->user == NULL && !conf->inbox_all) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"conflict_inbox\" in location \"%V\" requires "
                           "\"conflict_user\" with a user that is verified "
                           "there, such as $remote_user with \"auth_basic\"",
                           &conf->name);
        return NGX_ERROR;
    }

    if (!conf->inbox_all
        && ngx_http_conflict_location_one_user(cf, conf, NGX_LOG_EMERG))
    {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_location_start(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_conflict_shm_blob_zone_add(cf, conf->store);
}


/*
 * 1 if all clients are the same user, as of "http_x_user" without its "$": each
 * could read the bodies of the others, and take their locks over.
 */

static ngx_uint_t
ngx_http_conflict_location_one_user(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, ngx_uint_t level)
{
    if (conf->user->lengths) {
        return 0;
    }

    ngx_conf_log_error(level, cf, 0,
                       "\"conflict_user\" \"%V\" in location \"%V\" has no "
                       "variable: all clients are this user",
                       &conf->user->value, &conf->name);

    return 1;
}


/* what endpoints have as well */

static ngx_int_t
ngx_http_conflict_location_start(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    ngx_http_conflict_main_conf_t  *nmcf;

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_conflict_module);

    nmcf->guarded = 1;

    if (ngx_http_conflict_location_identity(cf, nmcf, conf) != NGX_OK
        || ngx_http_conflict_location_find_store(cf, nmcf, conf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_conflict_location_default_log(cf, nmcf, conf);
}


/* user, client, and what no cache may answer */

static ngx_int_t
ngx_http_conflict_location_identity(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *conf)
{
    static ngx_str_t  user = ngx_string("$remote_user");
    static ngx_str_t  client = ngx_string("$http_x_client");
    static ngx_str_t  uncached = ngx_string("$conflict_internal_uncached");

    conf->user_set = (conf->user != NULL);

    conf->vary.data = ngx_pnalloc(cf->pool, NGX_HTTP_CONFLICT_VARY);
    if (conf->vary.data == NULL) {
        return NGX_ERROR;
    }

    if (conf->user == NULL) {
        conf->user = ngx_http_conflict_directive_value_complex(cf, &user);
        if (conf->user == NULL) {
            return NGX_ERROR;
        }
    }

    if (conf->client == NULL) {
        conf->client = ngx_http_conflict_directive_value_complex(cf, &client);
        if (conf->client == NULL) {
            return NGX_ERROR;
        }
    }

    if (nmcf->uncached == NULL) {
        nmcf->uncached = ngx_http_conflict_directive_value_complex(cf,
                                                                   &uncached);
        if (nmcf->uncached == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_conflict_location_check_version(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    ngx_str_t  *name;

    static ngx_str_t  date = ngx_string("last-modified");

    name = &conf->version->name;

    if (conf->version->place == NGX_HTTP_CONFLICT_HEADER
        && ngx_http_conflict_same_name(name, &date))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"conflict_version header:%V\" in location "
                           "\"%V\" is unsafe, two writes of one second have "
                           "the same date, and the second overwrites the "
                           "first", name, &conf->name);
    }
}


/* refuses headers that never arrive, or are a precondition anyway */

static ngx_int_t
ngx_http_conflict_location_check_base(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    static ngx_str_t  standard[] = {
        ngx_string("if-match"),
        ngx_string("if-none-match"),
        ngx_string("if-unmodified-since"),
        ngx_null_string
    };

    name = &conf->base->name;

    for (i = 0; standard[i].len; i++) {

        if (ngx_http_conflict_same(&standard[i], name)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"conflict_base header:%V\" in location \"%V\" "
                               "is unnecessary, this header is always "
                               "supported", name, &conf->name);
            return NGX_ERROR;
        }
    }

    return ngx_http_conflict_location_check_header(cf, conf,
                                                   "conflict_base header:",
                                                   name);
}


/* "what" and the name are as in the directive */

static ngx_int_t
ngx_http_conflict_location_check_header(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, const char *what, ngx_str_t *name)
{
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    if (ngx_strlchr(name->data, name->data + name->len, '_')
        && cscf->underscores_in_headers != 1)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s%V\" in location \"%V\" requires "
                           "\"underscores_in_headers on\", without it nginx "
                           "drops this header", what, name, &conf->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the injected member within the document that a 409 response shows, if any */

static ngx_int_t
ngx_http_conflict_location_doc_inject(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    ngx_uint_t           i, n;
    conflict_pointer_t  *inject, *root, *doc;

    inject = conf->inject->pointer;
    root = conf->root;

    if (root == NULL) {
        conf->doc_inject = inject;
        return NGX_OK;
    }

    n = root->levels;

    if (inject->levels == n || !conflict_scan_pointer_within(inject, root)) {
        return NGX_OK;
    }

    doc = ngx_palloc(cf->pool, sizeof(conflict_pointer_t));
    if (doc == NULL) {
        return NGX_ERROR;
    }

    *doc = *inject;
    doc->levels -= n;

    for (i = 0; i < doc->levels; i++) {
        doc->name[i] = inject->name[i + n];
        doc->len[i] = inject->len[i + n];
        doc->index[i] = inject->index[i + n];
    }

    conf->doc_inject = doc;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_location_find_store(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *conf)
{
    ngx_str_t                   *name;
    ngx_uint_t                   i;
    ngx_http_conflict_store_t   *store, **storep;

    name = conf->store_name.len ? &conf->store_name
                                : &ngx_http_conflict_location_default;

    storep = nmcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {

        if (ngx_http_conflict_same(&storep[i]->name, name)) {
            conf->store = storep[i];
            break;
        }
    }

    if (conf->store == NULL) {

        if (ngx_strcmp(name->data, "default") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown store \"%V\", declare it with "
                               "\"conflict_store\"", name);
            return NGX_ERROR;
        }

        store = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_store_t));
        if (store == NULL) {
            return NGX_ERROR;
        }

        store->name = ngx_http_conflict_location_default;
        store->ops = &ngx_http_conflict_shm_ops;

        storep = ngx_array_push(&nmcf->stores);
        if (storep == NULL) {
            return NGX_ERROR;
        }

        *storep = store;

        if (ngx_http_conflict_shm_zone_add(cf, store,
                                           NGX_HTTP_CONFLICT_DEFAULT_ZONE)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        conf->store = store;
    }

    if (conf->inbox) {
        /* it has no keys of its own */
        return ngx_http_conflict_route_add_unguarded(cf, conf);
    }

    if (ngx_http_conflict_route_add(cf, nmcf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_conf_endpoint(conf)) {
        /* it writes nothing */
        return NGX_OK;
    }

    if (!ngx_http_conflict_conf_minted(conf)) {
        conf->store->owned = 1;
        ngx_http_conflict_location_check_version(cf, conf);
    }

    conf->store->lease = ngx_max(conf->store->lease, conf->lease);
    conf->store->quarantine = ngx_max(conf->store->quarantine,
                                      conf->quarantine);

    return NGX_OK;
}


/* by default in the directory of nginx's access log, which exists */

static ngx_int_t
ngx_http_conflict_location_default_log(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *conf)
{
    size_t     len;
    ngx_str_t  name;

    static u_char  access_log[] = NGX_HTTP_LOG_PATH;

    if (conf->log != NGX_CONF_UNSET_PTR) {
        return NGX_OK;
    }

    if (nmcf->log == NULL) {
        nmcf->log = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_log_t));
        if (nmcf->log == NULL) {
            return NGX_ERROR;
        }

        len = ngx_strlen(access_log);

        while (len && access_log[len - 1] != '/') {
            len--;
        }

        name.len = len + sizeof("conflict.log") - 1;
        name.data = ngx_pnalloc(cf->pool, name.len + 1);
        if (name.data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_sprintf(name.data, "%*sconflict.log%Z", len, access_log);

        if (ngx_http_conflict_audit_file_open(cf, nmcf->log, &name) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    conf->log = nmcf->log;

    return NGX_OK;
}


void
ngx_http_conflict_location_warn(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, ngx_uint_t own, const char *needs,
    ngx_array_t *rules)
{
    ngx_http_conflict_rule_t  *rule;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->name.len == 0 || clcf->noname || clcf->locations) {
        /* its directives are for the locations and "if" blocks within */
        return;
    }

    if (needs && conf->policy == NGX_HTTP_CONFLICT_OFF
        && !ngx_http_conflict_conf_endpoint(conf) && !conf->status)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%s\" in location \"%V\" has no effect without "
                           "\"conflict\"", needs, &conf->name);
    }

    if (rules && rules->nelts && conf->policy != CONFLICT_MERGE) {
        rule = rules->elts;
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" in location \"%V\" has no effect without "
                           "\"conflict merge\"",
                           &rule->directive, &conf->name);
    }

    if (own && conf->policy != NGX_HTTP_CONFLICT_OFF
        && !ngx_http_conflict_conf_endpoint(conf) && !conf->status
        && !ngx_http_conflict_location_may_write(cf, clcf))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"conflict\" in location \"%V\" guards nothing: "
                           "the location has no \"proxy_pass\" or similar, "
                           "\"dav_methods\" or \"try_files\", move it to the "
                           "location that handles the writes", &conf->name);
    }
}


/* 1 if the location has a handler that may write */

static ngx_uint_t
ngx_http_conflict_location_may_write(ngx_conf_t *cf,
    ngx_http_core_loc_conf_t *clcf)
{
    void  **loc_conf;

    loc_conf = ((ngx_http_conf_ctx_t *) cf->ctx)->loc_conf;

    return clcf->handler != NULL
           || (ngx_http_conflict_location_setting(cf->cycle->modules, loc_conf,
                                                  "ngx_http_dav_module")
               & (NGX_HTTP_PUT|NGX_HTTP_DELETE|NGX_HTTP_MKCOL
                  |NGX_HTTP_COPY|NGX_HTTP_MOVE))
           || ngx_http_conflict_location_setting(cf->cycle->modules, loc_conf,
                                                 "ngx_http_try_files_module");
}


ngx_uint_t
ngx_http_conflict_location_leads(ngx_conf_t *cf)
{
    void                      **loc_conf;
    ngx_array_t                *codes;
    ngx_http_core_loc_conf_t   *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* Lua in earlier phases leads on as well: ngx.req.set_uri, ngx.exec */

    if (ngx_http_conflict_location_may_write(cf, clcf) || clcf->error_pages
        || ngx_http_conflict_location_module(cf->cycle->modules,
                                             "ngx_http_lua_module"))
    {
        return 1;
    }

    loc_conf = ((ngx_http_conf_ctx_t *) cf->ctx)->loc_conf;

    codes = (ngx_array_t *) ngx_http_conflict_location_setting(
                                                     cf->cycle->modules,
                                                     loc_conf,
                                                     "ngx_http_rewrite_module");

    return codes
           && *(ngx_http_script_code_pt *) codes->elts
              != ngx_http_script_return_code;
}


ngx_uint_t
ngx_http_conflict_location_try_files(ngx_http_request_t *r)
{
    return ngx_http_conflict_location_setting(ngx_cycle->modules, r->loc_conf,
                                              "ngx_http_try_files_module")
           != 0;
}


/* the configurations of these modules begin with what is asked for */

static ngx_uint_t
ngx_http_conflict_location_setting(ngx_module_t **modules, void **loc_conf,
    const char *name)
{
    ngx_module_t  *module;

    module = ngx_http_conflict_location_module(modules, name);

    return module ? *(ngx_uint_t *) loc_conf[module->ctx_index] : 0;
}


static ngx_module_t *
ngx_http_conflict_location_module(ngx_module_t **modules, const char *name)
{
    ngx_uint_t  i;

    for (i = 0; modules[i]; i++) {

        if (ngx_strcmp(modules[i]->name, name) == 0) {
            return modules[i];
        }
    }

    return NULL;
}
