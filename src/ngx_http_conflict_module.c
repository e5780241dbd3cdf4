
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The directives and the registration with nginx.  A request begins in
 * ngx_http_conflict_handler.c.
 */


#include "ngx_http_conflict_module.h"
#include "versions/ngx_http_conflict_versions.h"
#include "inbox/ngx_http_conflict_inbox.h"
#include "lock/ngx_http_conflict_lock.h"
#include "events/ngx_http_conflict_events.h"
#include "write/ngx_http_conflict_write.h"
#include "process/ngx_http_conflict_wake.h"
#include "process/ngx_http_conflict_learned.h"
#include "status/ngx_http_conflict_status.h"
#include "redis_client/ngx_http_conflict_redis_client.h"


static ngx_int_t ngx_http_conflict_module_init(ngx_conf_t *cf);
static void ngx_http_conflict_module_warn(ngx_conf_t *cf);
static ngx_int_t ngx_http_conflict_module_init_process(ngx_cycle_t *cycle);
static void ngx_http_conflict_module_exit_process(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_http_conflict_header_statuses[] = {
    { ngx_string("409"), 409 },
    { ngx_string("412"), NGX_HTTP_PRECONDITION_FAILED },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_conflict_lock_statuses[] = {
    { ngx_string("409"), 409 },
    { ngx_string("423"), 423 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_conflict_store_errors[] = {
    { ngx_string("refuse"), NGX_HTTP_CONFLICT_STORE_ERROR_REFUSE },
    { ngx_string("pass"), NGX_HTTP_CONFLICT_STORE_ERROR_PASS },
    { ngx_null_string, 0 }
};


#define NGX_HTTP_CONFLICT_ANY_CONF                                            \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF

#define ngx_http_conflict_offset(field)                                       \
    NGX_HTTP_LOC_CONF_OFFSET, offsetof(ngx_http_conflict_loc_conf_t, field)


static ngx_command_t  ngx_http_conflict_commands[] = {

    { ngx_string("conflict_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_conflict_directive_policy_store,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("conflict"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_conflict_directive_policy,
      ngx_http_conflict_offset(policy),
      NULL },

    { ngx_string("conflict_log"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_conflict_directive_policy_log,
      ngx_http_conflict_offset(log),
      NULL },

    { ngx_string("conflict_key"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      ngx_http_conflict_offset(key),
      NULL },

    { ngx_string("conflict_methods"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_conflict_directive_method,
      ngx_http_conflict_offset(methods),
      NULL },

    { ngx_string("conflict_base"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_directive_value_source,
      ngx_http_conflict_offset(base),
      NULL },

    { ngx_string("conflict_strip_base"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      ngx_http_conflict_offset(strip),
      NULL },

    { ngx_string("conflict_version"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_directive_value_source,
      ngx_http_conflict_offset(version),
      NULL },

    { ngx_string("conflict_mtime"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_directive_value_source,
      ngx_http_conflict_offset(mtime),
      NULL },

    { ngx_string("conflict_inject"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE123,
      ngx_http_conflict_directive_list,
      ngx_http_conflict_offset(inject),
      NULL },

    { ngx_string("conflict_require"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      ngx_http_conflict_offset(require),
      NULL },

    { ngx_string("conflict_latest"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_conflict_directive_value_latest,
      ngx_http_conflict_offset(latest),
      NULL },

    { ngx_string("conflict_field"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE2,
      ngx_http_conflict_directive_field,
      ngx_http_conflict_offset(rules),
      NULL },

    { ngx_string("conflict_fields"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_directive_field_file,
      ngx_http_conflict_offset(rules),
      NULL },

    { ngx_string("conflict_partial"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_conflict_directive_field_partial,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("conflict_history"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE123,
      ngx_http_conflict_directive_field_history,
      ngx_http_conflict_offset(history),
      NULL },

    { ngx_string("conflict_resolver"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_conflict_directive_resolver,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("conflict_idempotency"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_conflict_directive_idempotency,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("conflict_header_status"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_directive_value_word,
      ngx_http_conflict_offset(header_status),
      &ngx_http_conflict_header_statuses },

    { ngx_string("conflict_user"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      ngx_http_conflict_offset(user),
      NULL },

    { ngx_string("conflict_client"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      ngx_http_conflict_offset(client),
      NULL },

    { ngx_string("conflict_entity"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      ngx_http_conflict_offset(entity),
      NULL },

    { ngx_string("conflict_entity_id"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      ngx_http_conflict_offset(entity_id),
      NULL },

    { ngx_string("conflict_lease"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_directive_value_time,
      ngx_http_conflict_offset(lease),
      NULL },

    { ngx_string("conflict_versions"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_http_conflict_versions_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("conflict_wait"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_directive_value_time,
      ngx_http_conflict_offset(wait),
      NULL },

    { ngx_string("conflict_quarantine"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_directive_value_time,
      ngx_http_conflict_offset(quarantine),
      NULL },

    { ngx_string("conflict_max_body"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_directive_value_size,
      ngx_http_conflict_offset(max_body),
      NULL },

    { ngx_string("conflict_max_values"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_directive_value_values,
      ngx_http_conflict_offset(max_values),
      NULL },

    { ngx_string("conflict_lock"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_conflict_lock_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("conflict_lock_status"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_directive_value_word,
      ngx_http_conflict_offset(lock_status),
      &ngx_http_conflict_lock_statuses },

    { ngx_string("conflict_events"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_conflict_events_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("conflict_inbox"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_conflict_inbox_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("conflict_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_conflict_status_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("conflict_status_frames"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_conflict_status_badge_frames,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("conflict_status_inbox"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_status_inbox,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("conflict_store_error"),
      NGX_HTTP_CONFLICT_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_directive_value_word,
      ngx_http_conflict_offset(store_error),
      &ngx_http_conflict_store_errors },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_conflict_module_ctx = {
    ngx_http_conflict_variables_add,       /* preconfiguration */
    ngx_http_conflict_module_init,         /* postconfiguration */

    ngx_http_conflict_conf_create_main,    /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_conflict_conf_create_loc,     /* create location configuration */
    ngx_http_conflict_conf_merge_loc       /* merge location configuration */
};


ngx_module_t  ngx_http_conflict_module = {
    NGX_MODULE_V1,
    &ngx_http_conflict_module_ctx,         /* module context */
    ngx_http_conflict_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_conflict_reload_init_module,  /* init module */
    ngx_http_conflict_module_init_process, /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_conflict_module_exit_process, /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_conflict_module_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt            *h;
    ngx_http_core_main_conf_t      *cmcf;
    ngx_http_conflict_main_conf_t  *nmcf;

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_conflict_module);

    if (nmcf->rule_directive.len && !nmcf->merges) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"%V\" has no effect, no location has \"conflict "
                      "merge\"", &nmcf->rule_directive);
    }

    ngx_http_conflict_route_warn(cf, nmcf);
    ngx_http_conflict_warn_unused(cf, nmcf);

    if (!nmcf->guarded) {
        return NGX_OK;
    }

    if (ngx_http_conflict_directive_list_check(cf, nmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_upstream_conf_check(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    /* handlers run last to first: this one before mirror and try_files */

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_conflict_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_conflict_denied_handler;

    nmcf->wake = ngx_http_conflict_wake_add(cf, &ngx_http_conflict_module);
    if (nmcf->wake == NULL) {
        return NGX_ERROR;
    }

    nmcf->learned = ngx_http_conflict_learned_add(cf,
                                                  &ngx_http_conflict_module);
    if (nmcf->learned == NULL) {
        return NGX_ERROR;
    }

    ngx_http_conflict_filter_init();
    ngx_http_conflict_request_body_filter_init();

    if (nmcf->no_quarantine) {
        ngx_http_conflict_module_warn(cf);
    }

    return NGX_OK;
}


static void
ngx_http_conflict_module_warn(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (v[i].name.len == sizeof("conflict_next_version") - 1
            && ngx_strncmp(v[i].name.data, "conflict_next_version",
                           v[i].name.len)
               == 0)
        {
            return;
        }
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"conflict_quarantine 0\" is unsafe, the upstream checks "
                  "neither its own versions nor $conflict_next_version: a "
                  "write that lands after a timeout may overwrite a later one");
}


static ngx_int_t
ngx_http_conflict_module_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                       i;
    ngx_http_conflict_store_t      **store;
    ngx_http_conflict_main_conf_t   *nmcf;

    nmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_conflict_module);

    if (nmcf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    if (nmcf->stats) {
        ngx_http_conflict_stats_start(nmcf->stats);
    }

    if (nmcf->wake) {
        ngx_http_conflict_write_queue_start(cycle, nmcf->wake);
    }

    if (nmcf->learned) {
        ngx_http_conflict_learned_start(nmcf->learned);
    }

    store = nmcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {

        if (nmcf->stats) {
            store[i]->stats = ngx_http_conflict_stats_store(&store[i]->name);
        }

        if (store[i]->ops == &ngx_http_conflict_redis_ops
            && ngx_http_conflict_redis_client_start(store[i]->data, cycle)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (store[i]->events
            && ngx_http_conflict_feed_start(cycle, store[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_conflict_module_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                       i;
    ngx_http_conflict_store_t      **store;
    ngx_http_conflict_main_conf_t   *nmcf;

    nmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_conflict_module);

    if (nmcf == NULL) {
        return;
    }

    store = nmcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {
        ngx_http_conflict_feed_stop(store[i]);

        if (store[i]->ops == &ngx_http_conflict_redis_ops) {

            if (store[i]->report.timer_set) {
                /* the last counts are sent along with the last settles */
                ngx_del_timer(&store[i]->report);
                store[i]->report.handler(&store[i]->report);
            }

            ngx_http_conflict_redis_client_stop(store[i]->data);
        }
    }

    ngx_http_conflict_wake_stop();

    if (nmcf->stats) {
        ngx_http_conflict_stats_stop();
    }
}
