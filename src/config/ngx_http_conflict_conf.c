
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Creates, inherits and completes the configuration.
 */


#include "config/ngx_http_conflict_conf.h"


static void ngx_http_conflict_conf_merge_block(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *prev, ngx_http_conflict_loc_conf_t *conf);
static ngx_int_t ngx_http_conflict_conf_complete(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);


static conflict_pointer_t  ngx_http_conflict_base_pointer;

static ngx_http_conflict_source_t  ngx_http_conflict_default_base = {
    NGX_HTTP_CONFLICT_JSON, ngx_string("/base_version"),
    &ngx_http_conflict_base_pointer
};

static ngx_http_conflict_source_t  ngx_http_conflict_default_source;


void *
ngx_http_conflict_conf_create_main(ngx_conf_t *cf)
{
    ngx_http_conflict_main_conf_t  *nmcf;

    nmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_main_conf_t));
    if (nmcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     nmcf->gone_routes = NULL;
     *     nmcf->predecessors = NULL;
     *     nmcf->n_predecessors = 0;
     *     nmcf->log = NULL;
     *     nmcf->guarded = 0;
     *     nmcf->no_quarantine = 0;
     *     nmcf->rule_directive = { 0, NULL };
     *     nmcf->merges = 0;
     *     nmcf->uncached = NULL;
     *     nmcf->captures = 0;
     *     nmcf->charset = NULL;
     *     nmcf->addition = NULL;
     *     nmcf->ssi = NULL;
     *     nmcf->stats = NULL;
     *     nmcf->wake = NULL;
     *     nmcf->learned = NULL;
     */

    nmcf->handlers = ngx_pcalloc(cf->pool, ngx_http_max_module
                                           * sizeof(ngx_http_handler_pt));
    if (nmcf->handlers == NULL) {
        return NULL;
    }

    if (ngx_array_init(&nmcf->stores, cf->pool, 4,
                       sizeof(ngx_http_conflict_store_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&nmcf->routes, cf->pool, 16,
                       sizeof(ngx_http_conflict_route_t))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&nmcf->unguarded, cf->pool, 16,
                       sizeof(ngx_http_conflict_route_t))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&nmcf->statuses, cf->pool, 1,
                       sizeof(ngx_http_conflict_route_t))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&nmcf->created_logs, cf->pool, 1,
                       sizeof(ngx_open_file_t *))
        != NGX_OK)
    {
        return NULL;
    }

    (void) conflict_scan_pointer(&ngx_http_conflict_base_pointer,
                                 "/base_version",
                                 sizeof("/base_version") - 1);

    return nmcf;
}


void *
ngx_http_conflict_conf_create_loc(ngx_conf_t *cf)
{
    ngx_http_conflict_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->edited = NULL;
     *     conf->skew = 0;
     *     conf->store_name = { 0, NULL };
     *     conf->store = NULL;
     *     conf->key = NULL;
     *     conf->user = NULL;
     *     conf->user_set = 0;
     *     conf->client = NULL;
     *     conf->entity = NULL;
     *     conf->entity_id = NULL;
     *     conf->methods = NULL;
     *     conf->root = NULL;
     *     conf->doc_inject = NULL;
     *     conf->strip_base = 0;
     *     conf->rules = NULL;
     *     conf->fields = NULL;
     *     conf->server_rules = 0;
     *     conf->sum_rules = 0;
     *     conf->idempotency_ttl = 0;
     *     conf->lock = NULL;
     *     conf->notes = 0;
     *     conf->bodies = 0;
     *     conf->uncached = NULL;
     *     conf->versions = 0;
     *     conf->versions_public = 0;
     *     conf->get = NULL;
     *     conf->events = NULL;
     *     conf->hold = 0;
     *     conf->inbox = 0;
     *     conf->inbox_all = 0;
     *     conf->status = NGX_HTTP_CONFLICT_STATUS_OFF;
     *     conf->status_policy = 0;
     *     conf->status_handler = NULL;
     *     conf->status_inbox = { 0, NULL };
     *     conf->frames = { 0, NULL };
     *     conf->handler = NULL;
     *     conf->route_stats = NULL;
     *     conf->named = NULL;
     *     conf->vary = { 0, NULL };
     *     conf->origins = NULL;
     *     conf->weak_logged = 0;
     *     conf->ahead_logged = 0;
     *     conf->sent_method = NULL;
     *     conf->method_setting = NULL;
     *     conf->unbuffered = 0;
     *     conf->upstream = 0;
     *     conf->tags = NGX_HTTP_CONFLICT_TAGS_UNKNOWN;
     *     conf->note = 0;
     *     conf->name = { 0, NULL };
     *     conf->label = { 0, NULL };
     */

    conf->policy = NGX_CONF_UNSET_UINT;
    conf->report = NGX_CONF_UNSET;
    conf->base = NGX_CONF_UNSET_PTR;
    conf->version = NGX_CONF_UNSET_PTR;
    conf->mtime = NGX_CONF_UNSET_PTR;
    conf->inject = NGX_CONF_UNSET_PTR;
    conf->list = NGX_CONF_UNSET_PTR;
    conf->strip = NGX_CONF_UNSET;
    conf->require = NGX_CONF_UNSET;
    conf->latest = NGX_CONF_UNSET_UINT;
    conf->header_status = NGX_CONF_UNSET_UINT;
    conf->store_error = NGX_CONF_UNSET_UINT;
    conf->lock_status = NGX_CONF_UNSET_UINT;
    conf->lease = NGX_CONF_UNSET_MSEC;
    conf->wait = NGX_CONF_UNSET_MSEC;
    conf->quarantine = NGX_CONF_UNSET_MSEC;
    conf->max_body = NGX_CONF_UNSET_SIZE;
    conf->max_values = NGX_CONF_UNSET_UINT;
    conf->put = NGX_CONF_UNSET_UINT;
    conf->patch = NGX_CONF_UNSET_UINT;
    conf->history = NGX_CONF_UNSET_UINT;
    conf->history_ttl = NGX_CONF_UNSET_MSEC;
    conf->resolver = NGX_CONF_UNSET_PTR;
    conf->idempotency = NGX_CONF_UNSET_UINT;
    conf->log = NGX_CONF_UNSET_PTR;

    return conf;
}


char *
ngx_http_conflict_conf_merge_loc(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_conflict_loc_conf_t *prev = parent;
    ngx_http_conflict_loc_conf_t *conf = child;

    ngx_uint_t    own, policy, history;
    const char   *needs;
    ngx_array_t  *rules;

    own = (conf->policy != NGX_CONF_UNSET_UINT);
    needs = ngx_http_conflict_warn_needs(conf);
    history = (conf->history != NGX_CONF_UNSET_UINT);
    rules = conf->rules;

    if (conf->policy == NGX_CONF_UNSET_UINT) {
        /* these are parameters of the policy */
        conf->store_name = prev->store_name;
        conf->edited = prev->edited;
        conf->skew = prev->skew;
        conf->hold = prev->hold;
    }

    policy = prev->status ? prev->status_policy : prev->policy;

    ngx_conf_merge_uint_value(conf->policy, policy, NGX_HTTP_CONFLICT_OFF);
    ngx_conf_merge_value(conf->report, prev->report, 0);

    conf->key = conf->key ? conf->key : prev->key;
    conf->user = conf->user ? conf->user : prev->user;
    conf->client = conf->client ? conf->client : prev->client;

    conf->methods = conf->methods ? conf->methods : prev->methods;

    if (conf->methods == NULL) {
        conf->methods = &ngx_http_conflict_directive_method_defaults;
    }

    ngx_conf_merge_ptr_value(conf->base, prev->base,
                             &ngx_http_conflict_default_base);
    ngx_conf_merge_ptr_value(conf->version, prev->version,
                             &ngx_http_conflict_default_source);
    ngx_conf_merge_ptr_value(conf->mtime, prev->mtime,
                             &ngx_http_conflict_default_source);
    ngx_conf_merge_ptr_value(conf->inject, prev->inject,
                             &ngx_http_conflict_default_source);
    ngx_conf_merge_ptr_value(conf->list, prev->list, NULL);

    ngx_conf_merge_value(conf->strip, prev->strip, NGX_CONF_UNSET);
    ngx_conf_merge_value(conf->require, prev->require, 0);

    if (conf->latest == NGX_CONF_UNSET_UINT) {
        conf->root = prev->root;
    }

    ngx_conf_merge_uint_value(conf->latest, prev->latest,
                              NGX_HTTP_CONFLICT_LATEST_FETCH);
    ngx_conf_merge_uint_value(conf->header_status, prev->header_status, 409);
    ngx_conf_merge_uint_value(conf->store_error, prev->store_error,
                              NGX_HTTP_CONFLICT_STORE_ERROR_REFUSE);

    ngx_conf_merge_uint_value(conf->lock_status, prev->lock_status, 409);
    ngx_conf_merge_str_value(conf->frames, prev->frames, "");
    ngx_conf_merge_str_value(conf->status_inbox, prev->status_inbox, "");

    ngx_conf_merge_msec_value(conf->lease, prev->lease, 10000);
    ngx_conf_merge_msec_value(conf->wait, prev->wait, 2000);
    ngx_conf_merge_msec_value(conf->quarantine, prev->quarantine, 5000);
    ngx_conf_merge_size_value(conf->max_body, prev->max_body, 1024 * 1024);
    ngx_conf_merge_uint_value(conf->max_values, prev->max_values, 50000);

    ngx_http_conflict_directive_field_merge(conf, prev);
    ngx_http_conflict_directive_idempotency_merge(cf, conf, prev);
    ngx_http_conflict_conf_merge_block(cf, prev, conf);

    if (conf->log == NGX_CONF_UNSET_PTR) {
        conf->log = prev->log;
    }

    if (ngx_http_conflict_location_name(cf, prev, conf) != NGX_OK
        || ngx_http_conflict_open_files(cf, conf) != NGX_OK
        || ngx_http_conflict_upstream_conf_method(cf, prev, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_http_conflict_location_warn(cf, conf, own, needs, rules);

    if (history) {
        ngx_http_conflict_warn_history(cf, conf);
    }

    ngx_http_conflict_directive_resolver_merge(cf, conf, prev);

    if (ngx_http_conflict_conf_complete(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * "if" and "limit_except" in an endpoint are the same endpoint, unless they
 * have a handler of their own.
 */

static void
ngx_http_conflict_conf_merge_block(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *prev, ngx_http_conflict_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!clcf->noname || clcf->handler || prev->handler == NULL) {
        return;
    }

    clcf->handler = prev->handler;

    conf->lock = prev->lock;

    conf->versions = prev->versions;
    conf->versions_public = prev->versions_public;

    conf->get = prev->get;

    conf->events = prev->events;

    conf->inbox = prev->inbox;
    conf->inbox_all = prev->inbox_all;

    conf->status = prev->status;
    conf->status_handler = prev->status_handler;
}


/* by the kind of the location */

static ngx_int_t
ngx_http_conflict_conf_complete(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    ngx_uint_t                 i;
    const char                *used;
    ngx_http_core_loc_conf_t  *clcf;

    /* the content handlers of locations */

    const struct {
        ngx_uint_t   set;
        const char  *name;
    } handlers[] = {
        { conf->status != 0, "conflict_status" },
        { conf->lock != NULL, "conflict_lock" },
        { conf->versions, "conflict_versions" },
        { conf->events != NULL, "conflict_events" },
        { conf->inbox, "conflict_inbox" }
    };

    used = NULL;

    for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {

        if (!handlers[i].set) {
            continue;
        }

        if (used) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%s\" and \"%s\" are mutually exclusive in "
                               "location \"%V\"", used, handlers[i].name,
                               &conf->name);
            return NGX_ERROR;
        }

        used = handlers[i].name;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    conf->handler = used ? clcf->handler : NULL;

    if (conf->status) {

        if (clcf->handler != conf->status_handler) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"conflict_status\" and another handler of "
                               "the content, such as \"proxy_pass\", are "
                               "mutually exclusive in location \"%V\"",
                               &conf->name);
            return NGX_ERROR;
        }

        /* it shows statistics and writes nothing */
        conf->status_policy = conf->policy;
        conf->policy = NGX_HTTP_CONFLICT_OFF;

        return conf->status_inbox.len
               ? ngx_http_conflict_route_add_unguarded(cf, conf) : NGX_OK;
    }

    if (conf->lock) {
        return ngx_http_conflict_location_lock(cf, conf);
    }

    if (conf->versions) {
        return ngx_http_conflict_location_versions(cf, conf);
    }

    if (conf->events) {
        return ngx_http_conflict_location_events(cf, conf);
    }

    if (conf->inbox) {
        return ngx_http_conflict_location_inbox(cf, conf);
    }

    if (conf->policy == NGX_HTTP_CONFLICT_OFF) {
        return ngx_http_conflict_route_add_unguarded(cf, conf);
    }

    return ngx_http_conflict_location(cf, conf);
}
