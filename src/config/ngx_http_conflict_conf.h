
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The configuration of all servers, and of a location, and the functions that
 * read it, by file.  Members are written while nginx reads its configuration,
 * unless a comment says "in a worker".  A function with the parameters "cf",
 * "cmd" and "conf" is the setter of a directive, for nginx.
 */


#ifndef _NGX_HTTP_CONFLICT_CONF_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "core/json/conflict_compare.h"
#include "core/json/conflict_items.h"
#include "core/json/conflict_scan.h"
#include "core/merge/conflict_merge.h"
#include "core/patch/conflict_patch.h"
#include "core/policy/conflict_decide.h"
#include "core/policy/conflict_version.h"
#include "core/text/conflict_decimal.h"
#include "core/text/conflict_hash.h"
#include "core/text/conflict_text.h"
#include "core/text/conflict_time.h"
#include "store/ngx_http_conflict_store.h"


/* in addition to the values of conflict_policy_e */
#define NGX_HTTP_CONFLICT_OFF                    CONFLICT_POLICIES

#define NGX_HTTP_CONFLICT_LATEST_OFF             0
#define NGX_HTTP_CONFLICT_LATEST_FETCH           1

#define NGX_HTTP_CONFLICT_IDEMPOTENCY_OFF        0
#define NGX_HTTP_CONFLICT_IDEMPOTENCY_ON         1
#define NGX_HTTP_CONFLICT_IDEMPOTENCY_REQUIRED   2

#define NGX_HTTP_CONFLICT_STORE_ERROR_REFUSE  0
#define NGX_HTTP_CONFLICT_STORE_ERROR_PASS    1

/* bytes, of the names of request fields in Vary */
#define NGX_HTTP_CONFLICT_VARY                   256


/* 1 if both texts, of type ngx_str_t *, are equal */
#define ngx_http_conflict_same(a, b)                                          \
    ((a)->len == (b)->len && ngx_memcmp((a)->data, (b)->data, (a)->len) == 0)

/* the same in any case, as for names of header fields */
#define ngx_http_conflict_same_name(a, b)                                     \
    ((a)->len == (b)->len                                                     \
     && ngx_strncasecmp((a)->data, (b)->data, (a)->len) == 0)


/* where a value is: "counter", "auto" or "off" by default, or in a message */

typedef enum {
    NGX_HTTP_CONFLICT_DEFAULT = 0,
    NGX_HTTP_CONFLICT_JSON,
    NGX_HTTP_CONFLICT_HEADER
} ngx_http_conflict_place_e;


typedef struct {
    ngx_http_conflict_place_e      place;
    ngx_str_t                      name;       /* of a header, lower case, or
                                                  text of the pointer */
    conflict_pointer_t            *pointer;
} ngx_http_conflict_source_t;


/* the items of a list that get versions; "logged" in a worker, by list.c */

typedef struct {
    conflict_items_path_t          path;
    ngx_str_t                      item;       /* as configured */
    ngx_http_complex_value_t      *prefix;     /* of an item's path */
    ngx_http_complex_value_t      *suffix;
    ngx_msec_t                     logged;     /* last warning */
    unsigned                       exact:1;    /* "location = PATH": that path
                                                  is a list, not an item */
} ngx_http_conflict_list_conf_t;


/* an audit log; "failed", "logged" and "torn" in a worker, by audit.c */

typedef struct {
    ngx_open_file_t               *file;       /* NULL: off, or syslog */
    ngx_syslog_peer_t             *syslog;
    ngx_uint_t                     failed;     /* lines lost */
    ngx_msec_t                     logged;     /* when that was logged last */
    unsigned                       fields:1;   /* own GETs for the fields */
    unsigned                       torn:1;     /* last line is incomplete */
} ngx_http_conflict_log_t;


typedef struct ngx_http_conflict_loc_conf_s  ngx_http_conflict_loc_conf_t;


/*
 * A location, for comparison with the next configuration.  Texts are in the
 * pool of the cycle.
 */

typedef struct {
    ngx_http_conflict_loc_conf_t  *conf;        /* valid until its cycle ends */
    ngx_str_t                      server;
    ngx_str_t                      location;
    ngx_str_t                      prefix;      /* of all its URIs */
    ngx_str_t                      meaning;     /* equal: keys and versions are
                                                   the same */
    ngx_http_conflict_store_t     *store;
    ngx_msec_t                     quarantine;
    unsigned                       endpoint:1;  /* it answers itself */
    unsigned                       writes:1;    /* not guarded, and may write */
    unsigned                       regex:1;
    unsigned                       exact:1;
    unsigned                       noregex:1;   /* "=" or "^~" */
    unsigned                       unmatched:1; /* not in the other
                                                   configuration */
} ngx_http_conflict_route_t;


/* arrays of ngx_http_conflict_store_t *, _route_t and ngx_open_file_t * */

typedef struct {
    ngx_array_t                       stores;         /* pointers */
    ngx_array_t                       routes;         /* guarded locations */
    ngx_array_t                       unguarded;      /* other locations */
    ngx_array_t                       statuses;       /* those that show the
                                                         items of an inbox */
    ngx_array_t                      *gone_routes;    /* of predecessors */
    ngx_array_t                      *left_routes;    /* guarded once, and not
                                                         any more */
    ngx_http_conflict_predecessor_t  *predecessors;
    ngx_uint_t                        n_predecessors;
    ngx_http_conflict_log_t          *log;            /* the default one */
    ngx_array_t                       created_logs;   /* not existing before */
    ngx_uint_t                        guarded;        /* any location is */
    ngx_uint_t                        no_quarantine;  /* any location, with
                                                         minted versions */
    ngx_str_t                         rule_directive; /* outside of locations,
                                                         or empty */
    ngx_uint_t                        merges;         /* any location does */
    ngx_array_t                      *rules;          /* of the last location */
    ngx_array_t                      *fields;         /* made of them */
    ngx_http_complex_value_t         *uncached;       /* no cache answers */
    ngx_uint_t                        captures;       /* filters may change the
                                                         latest body */
    ngx_http_handler_pt              *handlers;       /* of nginx's modules, by
                                                         their index; NULL: not
                                                         known yet */
    ngx_module_t                     *charset;        /* filters, or NULL */
    ngx_module_t                     *addition;
    ngx_module_t                     *ssi;
    ngx_module_t                     *memcached;      /* or NULL */
    ngx_shm_zone_t                   *stats;          /* counters, or NULL */
    ngx_shm_zone_t                   *wake;           /* notes of workers that
                                                         wait, or NULL */
    ngx_shm_zone_t                   *learned;        /* notes of APIs */
} ngx_http_conflict_main_conf_t;


/* whether the upstream sends entity tags */

typedef enum {
    NGX_HTTP_CONFLICT_TAGS_UNKNOWN = 0,
    NGX_HTTP_CONFLICT_TAGS_NONE,
    NGX_HTTP_CONFLICT_TAGS_OWN
} ngx_http_conflict_tags_e;


/* a rule of conflict_field, or of the file of conflict_fields */

typedef struct {
    conflict_field_t               field;
    ngx_str_t                      directive;
    ngx_str_t                      place;      /* FILE:LINE, for conflict_fields
                                                  FILE:LINE:COLUMN */
} ngx_http_conflict_rule_t;


/* conflict_resolver */

typedef struct {
    ngx_http_complex_value_t      *uri;
    ngx_msec_t                     timeout;
} ngx_http_conflict_resolver_conf_t;


typedef struct ngx_http_conflict_origins_s  ngx_http_conflict_origins_t;


/* conflict_events; times in milliseconds */

typedef struct {
    ngx_uint_t                     heartbeat;
    ngx_uint_t                     recheck;
    ngx_uint_t                     per_client; /* streams, of each worker */
    ngx_uint_t                     max;
} ngx_http_conflict_events_conf_t;


/* conflict_lock */

typedef struct {
    ngx_msec_t                     idle;
    ngx_uint_t                     quota;      /* of a user; 0: none */
    unsigned                       force:1;
    unsigned                       blind:1;    /* no own GET first */
} ngx_http_conflict_lock_conf_t;


struct ngx_http_conflict_loc_conf_s {
    ngx_uint_t                        policy;        /* conflict_policy_e, or
                                                        NGX_HTTP_CONFLICT_OFF */
    ngx_flag_t                        report;
    ngx_http_conflict_source_t       *edited;        /* of "lww", or NULL */
    ngx_msec_t                        skew;
    ngx_str_t                         store_name;
    ngx_http_conflict_store_t        *store;

    ngx_http_complex_value_t         *key;           /* NULL: $uri */
    ngx_http_complex_value_t         *user;          /* NULL: $remote_user */
    ngx_uint_t                        user_set;      /* by conflict_user */
    ngx_http_complex_value_t         *client;        /* NULL: $http_x_client */
    ngx_http_complex_value_t         *entity;        /* NULL: the label */
    ngx_http_complex_value_t         *entity_id;     /* NULL: the resource */

    ngx_array_t                      *methods;       /* ngx_str_t, of writes */
    ngx_http_conflict_source_t       *base;
    ngx_http_conflict_source_t       *version;
    ngx_http_conflict_source_t       *mtime;
    ngx_http_conflict_source_t       *inject;
    ngx_http_conflict_list_conf_t    *list;          /* or NULL */
    conflict_pointer_t               *root;          /* of conflict_latest, or
                                                        NULL */
    conflict_pointer_t               *doc_inject;    /* "inject" in the document
                                                        at "root" */

    void                            **uncached;      /* the location without
                                                        open_file_cache; NULL:
                                                        it has none */

    ngx_flag_t                        strip;         /* as configured */
    ngx_uint_t                        strip_base;    /* as in effect */
    ngx_flag_t                        require;
    ngx_uint_t                        latest;
    ngx_uint_t                        header_status; /* HTTP status */
    ngx_uint_t                        store_error;
    ngx_msec_t                        lease;
    ngx_msec_t                        wait;
    ngx_msec_t                        quarantine;
    size_t                            max_body;      /* bytes */
    ngx_uint_t                        max_values;    /* in a merge */

    ngx_array_t                      *rules;         /* as configured, or
                                                        NULL */
    ngx_array_t                      *fields;        /* in effect for merges,
                                                        conflict_field_t */
    ngx_uint_t                        put;           /* conflict_form_e */
    ngx_uint_t                        patch;         /* the same, of plain
                                                        JSON */
    ngx_uint_t                        history;       /* bodies of a resource */
    ngx_msec_t                        history_ttl;
    ngx_uint_t                        notes;         /* what made a version is
                                                        noted with it */
    ngx_uint_t                        bodies;        /* the history is kept */
    ngx_uint_t                        server_rules;  /* a field has it */
    ngx_uint_t                        sum_rules;     /* the same */
    ngx_http_conflict_resolver_conf_t  *resolver;    /* NULL: none */

    ngx_uint_t                        idempotency;   /* of keys, see above */
    ngx_msec_t                        idempotency_ttl;

    ngx_http_conflict_lock_conf_t    *lock;          /* a lock endpoint, or
                                                        NULL */
    ngx_uint_t                        lock_status;   /* of a write */

    ngx_uint_t                        versions;      /* an endpoint of them */
    ngx_uint_t                        versions_public;
    ngx_http_complex_value_t         *get;           /* of these endpoints, the
                                                        target of the own GET;
                                                        NULL: the key */
    ngx_http_conflict_events_conf_t  *events;        /* a change stream, or
                                                        NULL */
    ngx_msec_t                        hold;          /* how long bodies are
                                                        held; 0: they are not */
    ngx_uint_t                        inbox;         /* an inbox endpoint */
    ngx_uint_t                        inbox_all;     /* with all items */

    ngx_uint_t                        status;        /* format; 0: none */
    ngx_uint_t                        status_policy; /* that locations within
                                                        inherit */
    ngx_http_handler_pt               status_handler;
    ngx_http_handler_pt               handler;       /* of an endpoint, for the
                                                        blocks in it */
    ngx_str_t                         status_inbox;  /* path, for the page */
    ngx_str_t                         frames;        /* which pages may have
                                                        the widget */

    ngx_http_conflict_log_t          *log;
    ngx_http_conflict_route_stats_t  *route_stats;   /* in a worker, or NULL */
    ngx_http_conflict_loc_conf_t     *named;         /* this, or of "if" and
                                                        "limit_except" that of
                                                        their location, which
                                                        has "vary", "origins"
                                                        and "tags" */
    ngx_str_t                         vary;          /* in a worker, of the last
                                                        response */
    ngx_http_conflict_origins_t      *origins;       /* in a worker, or NULL */
    ngx_msec_t                        weak_logged;   /* last warning, in a
                                                        worker */
    ngx_msec_t                        ahead_logged;  /* the same */
    ngx_http_handler_pt               sent_by;       /* the handler of its
                                                        content, or NULL */
    ngx_http_complex_value_t         *sent_method;   /* by nginx's own module,
                                                        in place of that of the
                                                        request; or NULL */
    u_char                           *method_setting;   /* its directive */
    ngx_uint_t                        unbuffered;    /* streams requests */
    ngx_uint_t                        upstream;      /* nginx's own module sends
                                                        them on */
    ngx_http_conflict_tags_e          tags;          /* in a worker */
    ngx_uint_t                        note;          /* of its API, see
                                                        _learned.h: responses
                                                        to writes show what
                                                        was before */
    ngx_str_t                         name;          /* of the location */
    ngx_str_t                         label;         /* name, readable */
};


/* the module makes the versions; 0: the upstream owns them */

#define ngx_http_conflict_conf_minted(conf)                                   \
    ((conf)->version->place == NGX_HTTP_CONFLICT_DEFAULT)

/* a location that the module answers itself, about resources of others */

#define ngx_http_conflict_conf_endpoint(conf)                                 \
    ((conf)->lock || (conf)->versions || (conf)->events || (conf)->inbox)


typedef struct ngx_http_conflict_ctx_s  ngx_http_conflict_ctx_t;


/*
 * Opens the file of an audit log with the configuration, as nginx does for
 * its own logs.
 */
ngx_int_t ngx_http_conflict_audit_file_open(ngx_conf_t *cf,
    ngx_http_conflict_log_t *log, ngx_str_t *name);

/* Once the files are open: sets mode and owner of those that were created. */
void ngx_http_conflict_audit_file_created(ngx_cycle_t *cycle,
    ngx_http_conflict_main_conf_t *nmcf);


void *ngx_http_conflict_conf_create_main(ngx_conf_t *cf);
void *ngx_http_conflict_conf_create_loc(ngx_conf_t *cf);
char *ngx_http_conflict_conf_merge_loc(ngx_conf_t *cf, void *parent,
    void *child);


char *ngx_http_conflict_directive_field(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_conflict_directive_field_history(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_conflict_directive_field_partial(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);

/*
 * Adds a rule, with field and rule as the arguments of conflict_field.
 * Errors are logged with the position in cf->conf_file.
 */
ngx_int_t ngx_http_conflict_directive_field_add(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, ngx_str_t *field, ngx_str_t *name);

/* Creates a list of rules for this level, so that it inherits none. */
ngx_int_t ngx_http_conflict_directive_field_list(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);

/* Inherits rules, forms and history from the level above. */
void ngx_http_conflict_directive_field_merge(ngx_http_conflict_loc_conf_t *conf,
    ngx_http_conflict_loc_conf_t *prev);

/* Completes a location with the policy "merge". */
ngx_int_t ngx_http_conflict_directive_field_complete(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);


char *ngx_http_conflict_directive_field_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


char *ngx_http_conflict_directive_list(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Once all locations are known: whether the items of each list have one. */
ngx_int_t ngx_http_conflict_directive_list_check(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf);


char *ngx_http_conflict_directive_idempotency(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);

/* Inherits from the level above. */
void ngx_http_conflict_directive_idempotency_merge(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, ngx_http_conflict_loc_conf_t *prev);


/* ngx_str_t, the default of conflict_methods */
extern ngx_array_t  ngx_http_conflict_directive_method_defaults;

char *ngx_http_conflict_directive_method(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* 1 if the method changes no resource by its definition; not GET and HEAD. */
ngx_uint_t ngx_http_conflict_directive_method_safe(ngx_str_t *method);

/* 1 if the method is in the list of "n"; case matters. */
ngx_uint_t ngx_http_conflict_directive_method_listed(ngx_str_t *method,
    const ngx_str_t *list, ngx_uint_t n);


char *ngx_http_conflict_directive_policy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_conflict_directive_policy_store(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_conflict_directive_policy_log(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


char *ngx_http_conflict_directive_resolver(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Inherits the resolver, and warns of one that has no effect. */
void ngx_http_conflict_directive_resolver_merge(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, ngx_http_conflict_loc_conf_t *prev);


char *ngx_http_conflict_directive_value_source(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);

/*
 * Sets a source to "json:/POINTER" or "header:NAME".  NGX_DECLINED: it is
 * neither.  NGX_ERROR: no memory, or an error that was logged.
 */
ngx_int_t ngx_http_conflict_directive_value_place(ngx_conf_t *cf,
    ngx_str_t *value, ngx_uint_t header, ngx_http_conflict_source_t *source);

/*
 * A time behind the first "skip" bytes of a parameter.  NGX_DECLINED: it is
 * none, or not from "min" to "max"; limited() logs "limits" then, NGX_ERROR.
 */
ngx_int_t ngx_http_conflict_directive_value_msec(ngx_str_t *value, size_t skip,
    ngx_int_t min, ngx_int_t max, ngx_msec_t *msec);
ngx_int_t ngx_http_conflict_directive_value_limited(ngx_conf_t *cf,
    ngx_str_t *value, size_t skip, ngx_int_t min, ngx_int_t max,
    const char *limits, ngx_msec_t *msec);

/*
 * Compile a text that may have variables, or the path in "get=PATH"; "or_else"
 * begins what else is valid, for the error.  NULL: an error, already logged.
 */
ngx_http_complex_value_t *ngx_http_conflict_directive_value_complex(
    ngx_conf_t *cf, ngx_str_t *text);
ngx_http_complex_value_t *ngx_http_conflict_directive_value_get(
    ngx_conf_t *cf, ngx_str_t *value, const char *or_else);

char *ngx_http_conflict_directive_value_latest(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_conflict_directive_value_time(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_conflict_directive_value_size(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_conflict_directive_value_values(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_conflict_directive_value_word(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* Completes a location whose policy is not "off". */
ngx_int_t ngx_http_conflict_location(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);

/*
 * Warns of directives without effect: of a policy if "own" is 1, of "needs",
 * a directive that needs one, and of "rules" that are not inherited; both may
 * be NULL.
 */
void ngx_http_conflict_location_warn(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, ngx_uint_t own, const char *needs,
    ngx_array_t *rules);

/*
 * 1 if the location may write, or lead to another one that does.  Only "return"
 * and files do not.
 */
ngx_uint_t ngx_http_conflict_location_leads(ngx_conf_t *cf);

/* 1 if the location of the request has "try_files". */
ngx_uint_t ngx_http_conflict_location_try_files(ngx_http_request_t *r);

/* Completes a lock endpoint, or one of versions. */
ngx_int_t ngx_http_conflict_location_lock(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);
ngx_int_t ngx_http_conflict_location_versions(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);


/* Completes a change stream. */
ngx_int_t ngx_http_conflict_location_events(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);


/* Completes an inbox. */
ngx_int_t ngx_http_conflict_location_inbox(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);


/* Sets name, label, entity and entity_id. */
ngx_int_t ngx_http_conflict_location_name(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *prev, ngx_http_conflict_loc_conf_t *conf);


/*
 * Called when the new cycle can no longer fail: finds routes whose keys had
 * another meaning in the old one, and makes their stores wait for its workers.
 */
ngx_int_t ngx_http_conflict_reload_init_module(ngx_cycle_t *cycle);


/* Add a location to nmcf->routes; to ->statuses or ->unguarded. */
ngx_int_t ngx_http_conflict_route_add(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *conf);
ngx_int_t ngx_http_conflict_route_add_unguarded(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);

/* 1 if the location may get requests for the path, on the same server. */
ngx_uint_t ngx_http_conflict_route_has(ngx_http_conflict_route_t *route,
    ngx_str_t *server, ngx_str_t *path);

/* All locations are known: warns of locks that no write is checked against. */
void ngx_http_conflict_route_warn(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf);

/* 1 if two routes have the same place and the same meaning. */
ngx_uint_t ngx_http_conflict_route_same(ngx_http_conflict_route_t *a,
    ngx_http_conflict_route_t *b);

/*
 * What tells a store from others of its name in another configuration; set on
 * the first call.  NULL: no memory.
 */
ngx_str_t *ngx_http_conflict_route_store_identity(ngx_pool_t *pool,
    ngx_http_conflict_store_t *store);

/* 1 if a route of "mcf" guards the requests of "place". */
ngx_uint_t ngx_http_conflict_route_guarded(ngx_http_conflict_route_t *place,
    ngx_http_conflict_main_conf_t *mcf);

/*
 * 1 if "route" guards requests of "left", which the old configuration did not
 * guard.
 */
ngx_uint_t ngx_http_conflict_route_returns(ngx_http_conflict_route_t *route,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *left,
    ngx_http_conflict_main_conf_t *omcf);

/* The element of a list with the place of "route", or NULL. */
ngx_http_conflict_route_t *ngx_http_conflict_route_find(ngx_array_t *routes,
    ngx_http_conflict_route_t *route);

/*
 * 1 if "route" may get requests that "old" got under keys of another meaning.
 * "unmatched" must have been set in all routes.
 */
ngx_uint_t ngx_http_conflict_route_moved(ngx_http_conflict_route_t *route,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *old,
    ngx_http_conflict_main_conf_t *omcf);


/* A directive of this level that is of no use without a policy, or NULL. */
const char *ngx_http_conflict_warn_needs(ngx_http_conflict_loc_conf_t *conf);

/* Warns if what conflict_history of this level sets is not kept. */
void ngx_http_conflict_warn_history(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);

/* Warns of settings of a guarded location by which it does not guard. */
void ngx_http_conflict_warn_guarded(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);

/* All are known: warns of paths that none has, and of bodies none shows. */
void ngx_http_conflict_warn_unused(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf);


/* Prepares any location for the second function. */
ngx_int_t ngx_http_conflict_open_files(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);

/* What is guarded gets no file of open_file_cache: NGX_DECLINED. */
ngx_int_t ngx_http_conflict_open_files_bypass(ngx_http_request_t *r);


/*
 * Adds a variable to proxy_cache_bypass and its like, so that no cache answers
 * the own GET, nor a POST that is a write or has an Idempotency-Key, and sets
 * nlcf->unbuffered and nlcf->upstream.
 */
ngx_int_t ngx_http_conflict_upstream_conf(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *nlcf);

/*
 * Sets nlcf->sent_method, also where nothing is guarded: the own GET may be
 * sent from there.
 */
ngx_int_t ngx_http_conflict_upstream_conf_method(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *prev, ngx_http_conflict_loc_conf_t *nlcf);

/* NGX_ERROR, and it is logged: the own GET would be sent as a write. */
ngx_int_t ngx_http_conflict_upstream_conf_get(ngx_http_request_t *r);

/* NGX_ERROR, logged: nginx has other structures than it was built with. */
ngx_int_t ngx_http_conflict_upstream_conf_check(ngx_conf_t *cf);


extern ngx_module_t  ngx_http_conflict_module;


#endif /* _NGX_HTTP_CONFLICT_CONF_H_INCLUDED_ */
