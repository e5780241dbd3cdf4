
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The configuration: of all servers, and of a location.
 */


#ifndef _NGX_HTTP_CONFLICT_CONF_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "core/policy/conflict_advice.h"
#include "core/policy/conflict_decide.h"
#include "core/text/conflict_hash.h"
#include "core/json/conflict_scan.h"
#include "core/merge/conflict_merge.h"
#include "core/merge/conflict_part.h"
#include "core/patch/conflict_patch.h"
#include "core/text/conflict_text.h"
#include "core/text/conflict_time.h"
#include "core/json/conflict_compare.h"
#include "core/policy/conflict_mtime.h"
#include "core/policy/conflict_version.h"
#include "redis_client/ngx_http_conflict_redis_client.h"
#include "store/ngx_http_conflict_store.h"
#include "store/ngx_http_conflict_snapshot.h"


/* beside those of conflict_policy_e */
#define NGX_HTTP_CONFLICT_OFF          CONFLICT_POLICIES

#define NGX_HTTP_CONFLICT_LATEST_OFF   0
#define NGX_HTTP_CONFLICT_LATEST_FETCH 1

/* bytes of names of request fields that Vary may have */
#define NGX_HTTP_CONFLICT_VARY         256

#define NGX_HTTP_CONFLICT_ON_STORE_ERROR_REFUSE       0
#define NGX_HTTP_CONFLICT_ON_STORE_ERROR_PASS         1


/* where a value is: counter, auto or off by default, else in a message */

typedef enum {
    NGX_HTTP_CONFLICT_DEFAULT = 0,
    NGX_HTTP_CONFLICT_JSON,
    NGX_HTTP_CONFLICT_HEADER
} ngx_http_conflict_place_e;


typedef struct {
    ngx_http_conflict_place_e      place;
    ngx_str_t                      name;       /* of a header, lower case,
                                                  or the pointer's text */
    conflict_pointer_t            *pointer;
} ngx_http_conflict_source_t;


typedef struct {
    ngx_open_file_t               *file;       /* NULL: off, or syslog */
    ngx_syslog_peer_t             *syslog;
    ngx_uint_t                     failed;
    ngx_msec_t                     logged;
    unsigned                       fields:1;   /* a GET may be made for them */
    unsigned                       torn:1;     /* the last line, in the file */
} ngx_http_conflict_log_t;


/* a guarded location, to be found again in the next configuration */

typedef struct ngx_http_conflict_loc_conf_s  ngx_http_conflict_loc_conf_t;


typedef struct {
    ngx_http_conflict_loc_conf_t  *conf;       /* until its cycle ends */
    ngx_str_t                      server;
    ngx_str_t                      location;
    ngx_str_t                      begins;     /* as all its URIs do */
    ngx_str_t                      meaning;    /* of its keys */
    ngx_http_conflict_store_t     *store;
    ngx_msec_t                     quarantine;
    unsigned                       lock:1;     /* it is a lock endpoint */
    unsigned                       regex:1;
    unsigned                       exact:1;
    unsigned                       strict:1;   /* no regex is asked first */
    unsigned                       alone:1;    /* the other configuration has
                                                  none that is the same */
} ngx_http_conflict_route_t;


typedef struct {
    ngx_array_t                       stores;  /* ngx_http_conflict_store_t * */
    ngx_array_t                       routes;    /* ngx_http_conflict_route_t */
    ngx_array_t                       unguarded;  /* the same, of the others */
    ngx_array_t                      *gone;  /* such as "predecessors" may have */
    ngx_http_conflict_predecessor_t  *predecessors;
    ngx_uint_t                        n_predecessors;
    ngx_http_conflict_log_t          *log;        /* the default one */
    ngx_array_t                       created;    /* ngx_open_file_t *, logs */
    ngx_uint_t                        guarded;    /* any location is */
    ngx_uint_t                        risky;      /* quarantine 0, counter */
    ngx_str_t                         ruled;      /* conflict_field or _fields,
                                                     above all locations */
    ngx_uint_t                        merges;     /* any location does */
    ngx_http_complex_value_t         *fetch;      /* $conflict_fetch */
    ngx_uint_t                        captures;   /* what filters have made */
    ngx_module_t                     *charset;    /* nginx's filters, or NULL */
    ngx_module_t                     *addition;
    ngx_module_t                     *ssi;
    ngx_shm_zone_t                   *ledger;     /* NULL: nobody asks for it */
} ngx_http_conflict_main_conf_t;


/* whether the upstream has entity tags of its own */

typedef enum {
    NGX_HTTP_CONFLICT_TAGS_UNKNOWN = 0,
    NGX_HTTP_CONFLICT_TAGS_NONE,
    NGX_HTTP_CONFLICT_TAGS_OWN
} ngx_http_conflict_tags_e;


/* a rule of conflict_field, or of a file of conflict_fields */

typedef struct {
    conflict_field_t               field;
    ngx_str_t                      directive;
    ngx_str_t                      place;      /* FILE:LINE, of conflict_fields
                                                  FILE:LINE:COLUMN */
} ngx_http_conflict_rule_t;


typedef struct ngx_http_conflict_origins_s  ngx_http_conflict_origins_t;


struct ngx_http_conflict_loc_conf_s {
    ngx_uint_t                     policy;
    ngx_flag_t                     report;
    ngx_str_t                      store_name;
    ngx_http_conflict_store_t     *store;

    ngx_http_complex_value_t      *key;        /* NULL: $uri */
    ngx_http_complex_value_t      *user;       /* NULL: $remote_user */
    ngx_uint_t                     named;      /* by conflict_user */
    ngx_http_complex_value_t      *client;     /* NULL: $http_x_client */
    ngx_http_complex_value_t      *entity;     /* NULL: the label */
    ngx_http_complex_value_t      *entity_id;  /* NULL: the resource */

    ngx_array_t                   *methods;    /* ngx_str_t, those that write */
    ngx_http_conflict_source_t    *base;
    ngx_http_conflict_source_t    *version;
    ngx_http_conflict_source_t    *mtime;
    ngx_http_conflict_source_t    *inject;
    conflict_pointer_t            *root;
    conflict_pointer_t            *row_inject; /* NULL: not in the row */

    ngx_flag_t                     strip;      /* as the directive says */
    ngx_uint_t                     strip_base; /* what follows from it */
    ngx_flag_t                     require;
    ngx_uint_t                     latest;
    ngx_uint_t                     header_status;
    ngx_uint_t                     store_error;
    ngx_msec_t                     lease;
    ngx_msec_t                     wait;
    ngx_msec_t                     quarantine;
    size_t                         max_body;
    ngx_uint_t                     max_values; /* of all that is merged */

    ngx_array_t                   *rules;      /* ngx_http_conflict_rule_t,
                                                  as configured, or NULL */
    ngx_array_t                   *fields;     /* conflict_field_t, of a
                                                  merge */
    ngx_uint_t                     put;        /* conflict_form_e of its body */
    ngx_uint_t                     patch;      /* the same, of plain JSON;
                                                  whole: nobody has said */
    ngx_uint_t                     history;    /* bodies of a resource */
    ngx_msec_t                     history_ttl;
    ngx_uint_t                     server_rules;   /* a field has it */
    ngx_uint_t                     sum_rules;      /* the same */

    ngx_uint_t                     lock;       /* it is a lock endpoint */
    ngx_uint_t                     lock_force;
    ngx_uint_t                     lock_blind; /* without a GET first */
    ngx_uint_t                     lock_quota; /* of a user; 0: none */
    ngx_msec_t                     lock_idle;
    ngx_http_complex_value_t      *lock_get;   /* NULL: the key */
    ngx_uint_t                     lock_status;    /* of a guarded write */

    ngx_uint_t                     status;     /* what it shows; 0: none */

    ngx_http_conflict_log_t          *log;
    ngx_http_conflict_route_stats_t  *tally;      /* in a worker, once known */
    ngx_str_t                         vary;       /* of the last response; in a
                                                  worker */
    ngx_http_conflict_origins_t   *origins;    /* in a worker; NULL: none */
    ngx_msec_t                     weak;       /* when the log has said that
                                                  tags are; in a worker */
    ngx_uint_t                     unbuffered; /* X_request_buffering off */
    ngx_http_conflict_tags_e       tags;       /* of the upstream; in a worker,
                                                  as seen so far */
    ngx_str_t                      name;       /* of the location */
    ngx_str_t                      label;      /* the same, to be read */
};


typedef struct ngx_http_conflict_ctx_s  ngx_http_conflict_ctx_t;


ngx_int_t ngx_http_conflict_audit_file_open(ngx_conf_t *cf,
    ngx_http_conflict_log_t *log, ngx_str_t *name);

/* When the files are open: who owns those that were not there before. */
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
 * Adds the rule of a field, both in the form that conflict_field takes.
 * Errors are logged with the position in cf->conf_file.
 */
ngx_int_t ngx_http_conflict_directive_field_add(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, ngx_str_t *field, ngx_str_t *name);

/* Gives the level rules of its own, so that it inherits none. */
ngx_int_t ngx_http_conflict_directive_field_list(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);

/* What is said of fields at the level above. */
void ngx_http_conflict_directive_field_merge(ngx_http_conflict_loc_conf_t *conf,
    ngx_http_conflict_loc_conf_t *prev);

/* Completes a location whose policy is "merge". */
ngx_int_t ngx_http_conflict_directive_field_complete(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);


char *ngx_http_conflict_directive_field_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


char *ngx_http_conflict_directive_policy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_conflict_directive_policy_store(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_conflict_directive_policy_log(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


char *ngx_http_conflict_directive_value_source(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
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
 * Warns of what a location says in vain: "own" policy, and "rules" that are
 * its own as well, where it inherits neither.
 */
void ngx_http_conflict_location_warn(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, ngx_uint_t own, ngx_array_t *rules);

/* guard.c, too: of a lock endpoint */
ngx_int_t ngx_http_conflict_location_lock(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);


/* How the location is called, and what is in it. */
ngx_int_t ngx_http_conflict_location_name(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *prev, ngx_http_conflict_loc_conf_t *conf);


/*
 * When the new cycle is certain: finds the routes whose keys meant something
 * else in the one before, and lets their stores wait for its workers.
 */
ngx_int_t ngx_http_conflict_reload_init_module(ngx_cycle_t *cycle);


ngx_int_t ngx_http_conflict_route_add(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *conf);
ngx_int_t ngx_http_conflict_route_add_unguarded(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);

/* Of two configurations: in the same place, with the same meaning. */
ngx_uint_t ngx_http_conflict_route_same(ngx_http_conflict_route_t *a,
    ngx_http_conflict_route_t *b);

/*
 * 1 where "route" may have requests that were those of "old", by keys of
 * another meaning.  "alone" must be known of all routes.
 */
ngx_uint_t ngx_http_conflict_route_moved(ngx_http_conflict_route_t *route,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *old,
    ngx_http_conflict_main_conf_t *omcf);


/*
 * Adds $conflict_fetch to X_cache_bypass, so that no cache answers the
 * module's own GET, and notes whether bodies are buffered.
 */
ngx_int_t ngx_http_conflict_upstream_conf(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *nlcf);


extern ngx_array_t  ngx_http_conflict_directive_method_defaults;

char *ngx_http_conflict_directive_method(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* 1 where the method changes no resource by its definition. */
ngx_uint_t ngx_http_conflict_directive_method_safe(ngx_str_t *method);

/* 1 where it is one of the "n" in the list. */
ngx_uint_t ngx_http_conflict_directive_method_listed(ngx_str_t *method,
    const ngx_str_t *list, ngx_uint_t n);


extern ngx_module_t  ngx_http_conflict_module;


#endif /* _NGX_HTTP_CONFLICT_CONF_H_INCLUDED_ */
