
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The context of a request, and the words that its members take.
 * handler.c is where to begin reading.
 */


#ifndef _NGX_HTTP_CONFLICT_CTX_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_CTX_H_INCLUDED_


#include "config/ngx_http_conflict_conf.h"


/*
 * The states of a request.  The function of each, listed in handler.c,
 * returns the next one; nothing but the loop there sets ctx->flow.state.
 */


typedef enum {
    /* a write */

    NGX_HTTP_CONFLICT_STATE_PARSE_HEADERS = 0,    /* bases in its fields */
    NGX_HTTP_CONFLICT_STATE_RECEIVE_BODY,         /* and the base in it */
    NGX_HTTP_CONFLICT_STATE_CHECK_REQUEST,        /* is what it says valid */
    NGX_HTTP_CONFLICT_STATE_STORE_BEGIN,          /* ask for verdict, lease */
    NGX_HTTP_CONFLICT_STATE_STORE_VERDICT,        /* has the store decided */
    NGX_HTTP_CONFLICT_STATE_WAIT_FOR_WRITE,       /* another is in flight */
    NGX_HTTP_CONFLICT_STATE_GET_LATEST,           /* by the module's own GET */
    NGX_HTTP_CONFLICT_STATE_CHECK_LATEST,         /* that GET has ended */
    NGX_HTTP_CONFLICT_STATE_STORE_OBSERVE,        /* report what it showed */
    NGX_HTTP_CONFLICT_STATE_STORE_OBSERVED,
    NGX_HTTP_CONFLICT_STATE_LATEST_VERDICT,       /* its body is needed */
    NGX_HTTP_CONFLICT_STATE_HISTORY_LOOKUP,       /* ask for the base's body */
    NGX_HTTP_CONFLICT_STATE_HISTORY_FOUND,
    NGX_HTTP_CONFLICT_STATE_MERGE_WRITE,          /* base, latest, client's */
    NGX_HTTP_CONFLICT_STATE_FORWARD,              /* hand it to the upstream */
    NGX_HTTP_CONFLICT_STATE_REDIRECTED,           /* and after a redirect */

    /* a read */

    NGX_HTTP_CONFLICT_STATE_READ_STORE_PEEK,      /* ask for the version */
    NGX_HTTP_CONFLICT_STATE_READ_STORE_PEEKED,
    NGX_HTTP_CONFLICT_STATE_READ_GET_LATEST,      /* the version is unknown */
    NGX_HTTP_CONFLICT_STATE_READ_STORE_OBSERVE,
    NGX_HTTP_CONFLICT_STATE_READ_STORE_OBSERVED,
    NGX_HTTP_CONFLICT_STATE_READ_FORWARD,

    /* a request to a lock endpoint */

    NGX_HTTP_CONFLICT_STATE_LOCK_START,           /* which verb, who asks */
    NGX_HTTP_CONFLICT_STATE_LOCK_TARGET,          /* the resource's path */
    NGX_HTTP_CONFLICT_STATE_LOCK_GET_LATEST,
    NGX_HTTP_CONFLICT_STATE_LOCK_CHECK_LATEST,    /* may the client see it */
    NGX_HTTP_CONFLICT_STATE_LOCK_STORE_PEEK,      /* it gets a version */
    NGX_HTTP_CONFLICT_STATE_LOCK_STORE_PEEKED,
    NGX_HTTP_CONFLICT_STATE_LOCK_STORE_CALL,      /* acquire, release, show */
    NGX_HTTP_CONFLICT_STATE_LOCK_STORE_CALLED,

    /* nginx goes on */

    NGX_HTTP_CONFLICT_STATE_FORWARDED,            /* with its own handler */
    NGX_HTTP_CONFLICT_STATE_RESPOND,              /* with the module's answer */
    NGX_HTTP_CONFLICT_STATE_LOCK_RESPOND,

    /* returned, and never entered */

    NGX_HTTP_CONFLICT_STATE_AGAIN,                /* the same state, later */
    NGX_HTTP_CONFLICT_STATE_ERROR                 /* see ctx->flow.error_status */
} ngx_http_conflict_state_e;


/* what the module has to do with a request, by its method */

typedef enum {
    NGX_HTTP_CONFLICT_KIND_NONE = 0,
    NGX_HTTP_CONFLICT_KIND_READ,
    NGX_HTTP_CONFLICT_KIND_WRITE,
    NGX_HTTP_CONFLICT_KIND_POST,         /* not guarded: its tag is watched */
    NGX_HTTP_CONFLICT_KIND_UNCHECKED     /* it may write what nobody guards */
} ngx_http_conflict_kind_e;


/* the token of the Conflict field; the names are in names.c */

typedef enum {
    NGX_HTTP_CONFLICT_OUTCOME_NONE = 0,
    NGX_HTTP_CONFLICT_OUTCOME_PASSED,
    NGX_HTTP_CONFLICT_OUTCOME_MERGED,
    NGX_HTTP_CONFLICT_OUTCOME_OVERWROTE,
    NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
    NGX_HTTP_CONFLICT_OUTCOME_DROPPED,
    NGX_HTTP_CONFLICT_OUTCOME_REPLAYED,
    NGX_HTTP_CONFLICT_OUTCOME_BUSY,
    NGX_HTTP_CONFLICT_OUTCOME_REQUIRED,
    NGX_HTTP_CONFLICT_OUTCOME_LOCKED,
    NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED
} ngx_http_conflict_outcome_e;


/* why the module answers itself */

typedef enum {
    NGX_HTTP_CONFLICT_ANSWER_NONE = 0,
    NGX_HTTP_CONFLICT_ANSWER_STALE,
    NGX_HTTP_CONFLICT_ANSWER_IN_PROGRESS,
    NGX_HTTP_CONFLICT_ANSWER_NO_BASE,
    NGX_HTTP_CONFLICT_ANSWER_BAD_BASE,
    NGX_HTTP_CONFLICT_ANSWER_BAD_DESTINATION,
    NGX_HTTP_CONFLICT_ANSWER_BAD_JSON,
    NGX_HTTP_CONFLICT_ANSWER_TOO_LARGE,
    NGX_HTTP_CONFLICT_ANSWER_ENCODED,
    NGX_HTTP_CONFLICT_ANSWER_UNMERGEABLE,
    NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE,
    NGX_HTTP_CONFLICT_ANSWER_UNKNOWN_OUTCOME,
    NGX_HTTP_CONFLICT_ANSWER_GENERATION,
    NGX_HTTP_CONFLICT_ANSWER_LOCKED,       /* by somebody else */
    NGX_HTTP_CONFLICT_ANSWER_TOO_MANY_LOCKS,
    NGX_HTTP_CONFLICT_ANSWER_NOT_ALLOWED,  /* another method */
    NGX_HTTP_CONFLICT_ANSWER_NO_TARGET,    /* of a lock's GET */
    NGX_HTTP_CONFLICT_ANSWER_RELAY,        /* the GET's own, 401 or 403 */
    NGX_HTTP_CONFLICT_ANSWER_LATEST        /* 200 with the latest body */
} ngx_http_conflict_answer_e;


/* the action of the audit log; the names are in audit.c */

typedef enum {
    NGX_HTTP_CONFLICT_ACTION_NONE = 0,
    NGX_HTTP_CONFLICT_ACTION_LWW,
    NGX_HTTP_CONFLICT_ACTION_CLIENT_WINS,
    NGX_HTTP_CONFLICT_ACTION_SERVER_WINS,
    NGX_HTTP_CONFLICT_ACTION_VERSION,
    NGX_HTTP_CONFLICT_ACTION_MERGE,
    NGX_HTTP_CONFLICT_ACTION_BUSY,
    NGX_HTTP_CONFLICT_ACTION_DELETED,
    NGX_HTTP_CONFLICT_ACTION_REQUIRED,
    NGX_HTTP_CONFLICT_ACTION_UNCHECKED,
    NGX_HTTP_CONFLICT_ACTION_EXTERNAL,
    NGX_HTTP_CONFLICT_ACTION_LOCKED,
    NGX_HTTP_CONFLICT_ACTION_LOCK_TAKEN,
    NGX_HTTP_CONFLICT_ACTION_LOCK_FORCED,
    NGX_HTTP_CONFLICT_ACTION_OVERLAPPED
} ngx_http_conflict_action_e;


/* what a body is, by its media type */

typedef enum {
    NGX_HTTP_CONFLICT_MEDIA_OTHER = 0,
    NGX_HTTP_CONFLICT_MEDIA_JSON,
    NGX_HTTP_CONFLICT_MEDIA_UNDECLARED   /* nobody said: its bytes tell */
} ngx_http_conflict_media_e;


/* the client's body, scanned and hashed while it arrives */

typedef struct {
    conflict_scan_t               *json;       /* NULL: not looked into, or
                                                  in vain */
    conflict_json_rc_e             error;
    conflict_hash_t                hash;
    off_t                          size;
    size_t                         wrong;      /* where it is no JSON */
    unsigned                       reading:1;  /* by this module, now */
    unsigned                       done:1;
    unsigned                       hashed:1;
    unsigned                       too_large:1;
    unsigned                       empty:1;    /* no base can be in there */
    unsigned                       encoded:1;
    unsigned                       undeclared:1;
    unsigned                       begun:1;    /* its first byte was seen */
    unsigned                       based:1;    /* it has the member, but it is
                                                  no JSON as a whole */
    unsigned                       opaque:1;   /* a base may be in there, and
                                                  cannot be found */
} ngx_http_conflict_body_t;


/* what a merge has made, or could not */

typedef struct {
    ngx_str_t                      text;       /* instead of the body */
    ngx_str_t                      names;      /* fields: tags title */
    ngx_str_t                      fields;     /* a list of JSON pointers */
    ngx_str_t                      clashes;    /* conflict_clash_t */
    ngx_str_t                      values;     /* their texts */
    ngx_chain_t                   *sent;       /* what a PUT has sent on */
    conflict_form_e                form;       /* of the client's body */
    ngx_str_t                      client;     /* that, where "text" is not */
    conflict_document_t            base;       /* all zeros: it is not held */
    ngx_array_t                   *parts;      /* conflict_document_t, that it
                                                  is made of, newest first */
    uint64_t                       version;    /* of the base then */
    unsigned                       able:1;     /* the body can be merged */
    unsigned                       held:1;     /* its base was */
    unsigned                       clashed:1;
    ngx_uint_t                     omitted;    /* clashes not in the list */
} ngx_http_conflict_merge_t;


/* the latest body once the location's filters have had it */

typedef struct {
    ngx_str_t                      content_type;
    u_char                        *data;       /* NULL: so far the upstream's */
    size_t                         len;
    size_t                         size;
    unsigned                       header:1;   /* it has come */
    unsigned                       ended:1;
    unsigned                       failed:1;   /* not all of it is here */
} ngx_http_conflict_shown_t;


/* an answer of the module, as it is sent whatever filters do */

typedef struct {
    off_t                          length;
    ngx_table_elt_t               *etag;
    ngx_str_t                      tag;
    ngx_uint_t                     pending;    /* its header is on its way */
} ngx_http_conflict_own_t;


/* of the client's request, before the upstream was to see another */

typedef struct {
    ngx_list_t                     headers;
    ngx_chain_t                   *bufs;       /* NULL: as they were */
    off_t                          length;
    ngx_str_t                      content_length;
    ngx_uint_t                     hidden;     /* headers were */
} ngx_http_conflict_original_t;


/* the latest representation, from a GET with the caller's credentials */

typedef struct {
    ngx_http_request_t            *request;    /* the subrequest */
    ngx_uint_t                     status;
    ngx_uint_t                     sent;       /* in its header */
    ngx_uint_t                     refused;    /* status before its page */
    ngx_http_upstream_t           *upstream;   /* that said so */
    ngx_str_t                      content_type;
    ngx_str_t                      etag;
    time_t                         last_modified;
    ngx_str_t                      version_header;
    ngx_str_t                      mtime_header;
    u_char                        *data;
    size_t                         len;
    size_t                         size;       /* allocated */
    uint64_t                       version;    /* not newer than the body */
    uint64_t                       view;       /* 0: none */
    ngx_uint_t                     access;     /* access handlers run */
    void                         **loc_conf;   /* those of this location */
    void                         **saved;      /* contexts of the modules */
    ngx_uint_t                     buffered;   /* of the connection, before */
    ngx_http_conflict_shown_t      shown;
    unsigned                       started:1;
    unsigned                       done:1;
    unsigned                       cached:1;   /* or older by its Age */
    unsigned                       encoded:1;
    unsigned                       json:1;
    unsigned                       too_large:1;
    unsigned                       failed:1;   /* it could not be read */
    unsigned                       valid:1;    /* answers may show it */
    unsigned                       revalidate:1;
} ngx_http_conflict_latest_t;


/* the body of a response on its way to the client */

typedef struct {
    conflict_scan_t               *version;    /* NULL: not wanted */
    conflict_scan_t               *mtime;
    conflict_scan_t               *inject;
    conflict_hash_t                hash;
    off_t                          size;
    u_char                        *kept;       /* for the history */
    size_t                         kept_len;
    size_t                         kept_size;
    conflict_scan_t               *root;       /* of the row; NULL: all */
    conflict_hash_t                row;        /* of what would be kept */
    unsigned                       keeping:1;
    unsigned                       looking:1;  /* the history is to know it */
    unsigned                       summing:1;  /* "row" */
    unsigned                       hashing:1;
    unsigned                       failed:1;   /* not JSON, or too large */
    unsigned                       injected:1;
    unsigned                       dropping:1; /* the rest of the value */
    unsigned                       ended:1;
} ngx_http_conflict_response_t;


/* an entity tag in If, and the resource that must have it, or must not */

typedef struct {
    ngx_str_t                      path;
    ngx_str_t                      tag;
    uint64_t                       version;
    unsigned                       not:1;
    unsigned                       taken:1;    /* into an operation */
} ngx_http_conflict_when_t;


/* of MOVE and COPY: the resource that is not that of ctx->op now */

typedef struct {
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_op_t        *source;     /* one of both operations */
    ngx_str_t                      resource;
    ngx_str_t                      key;
    ngx_str_t                      target;     /* of a GET; empty: as sent */
    ngx_event_t                    timer;      /* renewal, until the settle */
    unsigned                       second:1;   /* the first may pass */
} ngx_http_conflict_pair_t;


typedef void (*ngx_http_conflict_ctx_pt)(ngx_http_conflict_ctx_t *ctx);


/*
 * The context of a request.  Each group is written by the files that its
 * comment names, and read by all.
 */

struct ngx_http_conflict_ctx_s {
    ngx_http_request_t                *request;
    ngx_http_conflict_loc_conf_t      *conf;      /* of the guarded location */
    ngx_http_conflict_op_t            *op;
    ngx_http_conflict_pair_t          *pair;      /* NULL: one resource */
    ngx_http_conflict_ctx_pt           cleanup;
    ngx_http_conflict_kind_e           kind;
    ngx_uint_t                         method;    /* of the client's request */
    ngx_str_t                          method_name;
    unsigned                           write:1;

    /* the resource; ctx.c and pair.c, entity.c */

    struct {
        ngx_str_t                      resource;  /* as clients see it */
        ngx_str_t                      key;       /* in the store */
        ngx_str_t                      entity;    /* in the log; NULL: not
                                                     evaluated yet */
        ngx_str_t                      entity_id; /* empty: the resource */
    } target;

    /* caller.c and view.c */

    struct {
        ngx_str_t                      user;
        ngx_str_t                      client;
        uint64_t                       selected;  /* the view without Vary */
        unsigned                       known:1;   /* by any of its names */
        unsigned                       credentials:1;  /* Authorization */
        unsigned                       nameless:1;     /* no user, client or
                                                          key */
        unsigned                       may_see:1; /* a GET showed it the
                                                     resource */
    } caller;

    /* what the client edited; precondition.c, entity_tags.c, dav_if.c */

    struct {
        ngx_str_t                      base;      /* as the client sent it */
        ngx_array_t                   *when;      /* ngx_http_conflict_when_t */
        ngx_str_t                      dav_rest;  /* If without its tags */
        int64_t                        client_time;
        uint64_t                       bare_tag;  /* the base's tag without the
                                                     suffix of a front end;
                                                     0: none */
        uint64_t                       matched;   /* the version that If-Match
                                                     names */
        unsigned                       dav_parsed:1;
    } pre;

    /* the loop of handler.c, by what the functions of states return */

    struct {
        ngx_http_conflict_state_e      state;
        ngx_uint_t                     error_status;   /* 0: 500 */
        ngx_http_conflict_outcome_e    outcome;
        ngx_http_conflict_answer_e     answer;
        ngx_http_conflict_action_e     action;
        const char                    *reason;    /* detail, or NULL */
        unsigned                       unbased:1; /* passed without a base */
        unsigned                       unguarded:1;    /* of a method that is
                                                          not guarded, but may
                                                          have written */
        unsigned                       existed:1; /* the resource, before */
        unsigned                       recalled:1;     /* the history was
                                                          looked up */
        unsigned                       diff_pending:1; /* a GET for the fields
                                                          of the log */
        unsigned                       filtered:1;     /* the header filter
                                                          has run */
        unsigned                       answered:1;     /* by the module */
        unsigned                       audited:1;
        unsigned                       error_page_seen:1;
    } flow;

    /* verdict.c and latest_verdict.c */

    struct {
        uint64_t                       current;   /* for responses; 0: none */
        uint64_t                       compared;  /* with which the base was */
        int64_t                        compared_time;
        ngx_str_t                      conflict_id;
        ngx_str_t                      upstream_tag;   /* the upstream's own */
        unsigned                       upstream_tagged:1;  /* the write names
                                                              that tag */
        unsigned                       offered:1; /* report mode: ETag is the
                                                     module's */
    } version;

    /* outcome.c and fence.c */

    struct {
        unsigned                       settled:1;
        unsigned                       committed:1;
        unsigned                       abandoned:1;
        unsigned                       in_flight:1;    /* counted as such */
        unsigned                       seen_2xx:1;
        unsigned                       carried:1; /* out, by any 2xx */
        unsigned                       denied:1;  /* its 2xx became a 504 */
        unsigned                       expiry_deferred:1;  /* by one turn of
                                                              the event loop */
        unsigned                       handed_on:1;    /* after a 2xx */
    } lease;

    /* pass.c */

    struct {
        ngx_http_handler_pt            content_handler;
        ngx_http_upstream_t           *upstream;  /* before the pass */
        ngx_uint_t                     first_attempt;  /* in its states */
        ngx_uint_t                     err_status;     /* before the pass */
        unsigned                       error_page:1;   /* the same */
        unsigned                       forwarded:1;
        unsigned                       rewritten:1;    /* its body was */
    } pass;

    /* write_wait.c, store_call.c and latest_get.c */

    struct {
        ngx_event_t                    timer;     /* wait, then renewal */
        ngx_event_t                   *diff_timer;     /* of a GET for the
                                                          log */
        ngx_msec_t                     wait_start;
        ngx_msec_t                     wait_step;
        ngx_msec_t                     wait_time;
        ngx_msec_t                     settling;  /* of the store, when it was
                                                     asked; 0: it is not */
        ngx_msec_t                     store_start;
        ngx_msec_t                     store_time;
        ngx_uint_t                     fetches;
        unsigned                       waited:1;  /* for a write, as long as
                                                     conflict_wait allows */
    } timing;

    /* the target of the own GET where it is not that of the request; empty:
       it is; lock_endpoint.c and pair.c */

    struct {
        ngx_str_t                      uri;
        ngx_str_t                      args;
    } get;

    ngx_http_conflict_body_t           body;
    ngx_http_conflict_latest_t         latest;
    ngx_http_conflict_merge_t          merge;
    ngx_http_conflict_response_t      *response;  /* NULL: not looked into */
    ngx_http_conflict_own_t            own;
    ngx_http_conflict_original_t       original;
};


#endif /* _NGX_HTTP_CONFLICT_CTX_H_INCLUDED_ */
