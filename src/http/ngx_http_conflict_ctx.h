
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The context of a request and the values of its members, for this folder and
 * those above it; ngx_http_conflict_handler.c runs the states.
 */


#ifndef _NGX_HTTP_CONFLICT_CTX_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_CTX_H_INCLUDED_


#include "config/ngx_http_conflict_conf.h"


/*
 * The states of a request.  The function of each, listed in
 * ngx_http_conflict_handler.c, returns the next one; only the loop there sets
 * ctx->flow.state.
 */

typedef enum {
    /* a write */

    NGX_HTTP_CONFLICT_STATE_PARSE_HEADERS = 0,    /* preconditions there */
    NGX_HTTP_CONFLICT_STATE_RECEIVE_BODY,         /* and base in the body */
    NGX_HTTP_CONFLICT_STATE_CHECK_REQUEST,        /* refuse invalid ones */
    NGX_HTTP_CONFLICT_STATE_STORE_BEGIN,          /* ask for verdict, lease */
    NGX_HTTP_CONFLICT_STATE_STORE_VERDICT,        /* act on the verdict */
    NGX_HTTP_CONFLICT_STATE_WAIT_FOR_WRITE,       /* another is in flight */
    NGX_HTTP_CONFLICT_STATE_GET_LATEST,           /* make the own GET */
    NGX_HTTP_CONFLICT_STATE_STORE_OBSERVE,        /* report what it showed */
    NGX_HTTP_CONFLICT_STATE_LATEST_VERDICT,       /* needs the latest body */
    NGX_HTTP_CONFLICT_STATE_HISTORY_LOOKUP,       /* ask for the base's body */
    NGX_HTTP_CONFLICT_STATE_MERGE_WRITE,          /* three-way merge */
    NGX_HTTP_CONFLICT_STATE_RESOLVER_ASK,         /* fields have clashed */
    NGX_HTTP_CONFLICT_STATE_RESOLVER_CLIENT,      /* the client's document */
    NGX_HTTP_CONFLICT_STATE_RESOLVER_QUESTION,
    NGX_HTTP_CONFLICT_STATE_RESOLVER_ANSWER,
    NGX_HTTP_CONFLICT_STATE_RESOLVER_CHECK,       /* the answer's document */
    NGX_HTTP_CONFLICT_STATE_RESOLVER_COMPARE,     /* with the client's */
    NGX_HTTP_CONFLICT_STATE_RESOLVER_FORWARD,     /* as the client's body is */
    NGX_HTTP_CONFLICT_STATE_FORWARD,              /* pass to the upstream */
    NGX_HTTP_CONFLICT_STATE_REDIRECTED,           /* after that, internally */

    /* a write whose body, or the one that it overwrites, is held */

    NGX_HTTP_CONFLICT_STATE_HOLD_PUT,             /* keep the body */
    NGX_HTTP_CONFLICT_STATE_HOLD_DONE,            /* forward or respond */

    /* a read */

    NGX_HTTP_CONFLICT_STATE_READ_START,
    NGX_HTTP_CONFLICT_STATE_READ_STORE_PEEK,      /* ask for the version */
    NGX_HTTP_CONFLICT_STATE_READ_GET_LATEST,      /* the version is unknown */
    NGX_HTTP_CONFLICT_STATE_READ_STORE_OBSERVE,
    NGX_HTTP_CONFLICT_STATE_READ_LIST_MARK,       /* before a list */
    NGX_HTTP_CONFLICT_STATE_READ_LIST_MARKED,
    NGX_HTTP_CONFLICT_STATE_READ_FORWARD,

    /* a request to a lock endpoint */

    NGX_HTTP_CONFLICT_STATE_LOCK_START,           /* parse verb and caller */
    NGX_HTTP_CONFLICT_STATE_LOCK_TARGET,          /* path of the resource */
    NGX_HTTP_CONFLICT_STATE_LOCK_GET_LATEST,      /* may the client see it */
    NGX_HTTP_CONFLICT_STATE_LOCK_STORE_PEEK,      /* it gets a version */
    NGX_HTTP_CONFLICT_STATE_LOCK_STORE_CALL,      /* acquire, release, show */

    /* a request for versions */

    NGX_HTTP_CONFLICT_STATE_VERSIONS_START,       /* path of the resource */
    NGX_HTTP_CONFLICT_STATE_VERSIONS_GET_LATEST,  /* may the client see it */
    NGX_HTTP_CONFLICT_STATE_VERSIONS_STORE_PEEK,  /* the current version */
    NGX_HTTP_CONFLICT_STATE_VERSIONS_STORE_CALL,  /* the list, or a body */

    /* a change stream */

    NGX_HTTP_CONFLICT_STATE_EVENTS_START,         /* parse caller, resources */
    NGX_HTTP_CONFLICT_STATE_EVENTS_TARGET,        /* the next resource */
    NGX_HTTP_CONFLICT_STATE_EVENTS_GET_LATEST,    /* may the client see it */

    /* a request to an inbox */

    NGX_HTTP_CONFLICT_STATE_INBOX_START,          /* parse the arguments */
    NGX_HTTP_CONFLICT_STATE_INBOX_RECEIVE_BODY,   /* of a POST */
    NGX_HTTP_CONFLICT_STATE_INBOX_STORE_CALL,     /* list, get or remove */
    NGX_HTTP_CONFLICT_STATE_INBOX_STORE_CALLED,
    NGX_HTTP_CONFLICT_STATE_INBOX_STORE_PEEK,     /* version of the resource */
    NGX_HTTP_CONFLICT_STATE_INBOX_STORE_PEEKED,
    NGX_HTTP_CONFLICT_STATE_INBOX_GET_LATEST,     /* may the client see it */
    NGX_HTTP_CONFLICT_STATE_INBOX_RESOLVE,        /* becomes a write */

    /* a request with an Idempotency-Key; of a write all but "body" */

    NGX_HTTP_CONFLICT_STATE_KEY_START,           /* check the key */
    NGX_HTTP_CONFLICT_STATE_KEY_RECEIVE_BODY,     /* read the body */
    NGX_HTTP_CONFLICT_STATE_KEY_STORE_CLAIM,     /* ask whether it is new */
    NGX_HTTP_CONFLICT_STATE_KEY_STORE_CLAIMED,

    /* the loop ends and nginx continues */

    NGX_HTTP_CONFLICT_STATE_FORWARDED,            /* with its own handler */
    NGX_HTTP_CONFLICT_STATE_RESPOND,              /* with flow.content */

    /* returned, never entered */

    NGX_HTTP_CONFLICT_STATE_AGAIN,                /* same state, later */
    NGX_HTTP_CONFLICT_STATE_ERROR                 /* flow.error_status */
} ngx_http_conflict_state_e;


/* how the module handles a request, by its method */

typedef enum {
    NGX_HTTP_CONFLICT_KIND_NONE = 0,
    NGX_HTTP_CONFLICT_KIND_READ,
    NGX_HTTP_CONFLICT_KIND_WRITE,
    NGX_HTTP_CONFLICT_KIND_POST,         /* not guarded; its ETag is noted */
    NGX_HTTP_CONFLICT_KIND_UNCHECKED,    /* not guarded, but may write */
    NGX_HTTP_CONFLICT_KIND_KEYLESS       /* not guarded, of no resource */
} ngx_http_conflict_kind_e;


#define NGX_HTTP_CONFLICT_HOLD_ID  32   /* bytes of an id, hexadecimal */


/* the token of the Conflict field; ngx_http_conflict_names.c has the names */

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


/* why the module responds itself */

typedef enum {
    NGX_HTTP_CONFLICT_ANSWER_NONE = 0,
    NGX_HTTP_CONFLICT_ANSWER_STALE,
    NGX_HTTP_CONFLICT_ANSWER_IN_PROGRESS,
    NGX_HTTP_CONFLICT_ANSWER_NO_BASE,
    NGX_HTTP_CONFLICT_ANSWER_BAD_BASE,
    NGX_HTTP_CONFLICT_ANSWER_BAD_DESTINATION,
    NGX_HTTP_CONFLICT_ANSWER_BAD_EDIT_TIME,
    NGX_HTTP_CONFLICT_ANSWER_BAD_JSON,
    NGX_HTTP_CONFLICT_ANSWER_TOO_LARGE,
    NGX_HTTP_CONFLICT_ANSWER_ENCODED,
    NGX_HTTP_CONFLICT_ANSWER_UNMERGEABLE,
    NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE,
    NGX_HTTP_CONFLICT_ANSWER_UNKNOWN_OUTCOME,
    NGX_HTTP_CONFLICT_ANSWER_GENERATION,
    NGX_HTTP_CONFLICT_ANSWER_LOCKED,         /* by another client */
    NGX_HTTP_CONFLICT_ANSWER_TOO_MANY_LOCKS,
    NGX_HTTP_CONFLICT_ANSWER_NOT_ALLOWED,    /* method of an endpoint */
    NGX_HTTP_CONFLICT_ANSWER_NO_TARGET,      /* no path for the own GET */
    NGX_HTTP_CONFLICT_ANSWER_BAD_VERSION,
    NGX_HTTP_CONFLICT_ANSWER_NO_VERSION,     /* not held for this caller */
    NGX_HTTP_CONFLICT_ANSWER_NO_RESOURCE,    /* no path for the own GET */
    NGX_HTTP_CONFLICT_ANSWER_BAD_RESOURCE,   /* of a change stream */
    NGX_HTTP_CONFLICT_ANSWER_TOO_MANY_STREAMS,
    NGX_HTTP_CONFLICT_ANSWER_EVENTS_FULL,
    NGX_HTTP_CONFLICT_ANSWER_NOT_HELD,       /* no such item of an inbox */
    NGX_HTTP_CONFLICT_ANSWER_BAD_REQUEST,    /* arguments of an inbox */
    NGX_HTTP_CONFLICT_ANSWER_NO_KEY,         /* Idempotency-Key */
    NGX_HTTP_CONFLICT_ANSWER_BAD_KEY,
    NGX_HTTP_CONFLICT_ANSWER_KEY_REUSED,     /* for another request */
    NGX_HTTP_CONFLICT_ANSWER_KEY_RUNNING,    /* its request is in progress */
    NGX_HTTP_CONFLICT_ANSWER_KEY_UNKNOWN,    /* its outcome is unknown */
    NGX_HTTP_CONFLICT_ANSWER_NOT_KEPT,       /* its response was not kept */
    NGX_HTTP_CONFLICT_ANSWER_RELAY,          /* the own GET's 401 or 403 */
    NGX_HTTP_CONFLICT_ANSWER_LATEST          /* 200 with the latest body */
} ngx_http_conflict_answer_e;


/* the action of the audit log; ngx_http_conflict_names.c has the names */

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


/* the format of a body, by its media type */

typedef enum {
    NGX_HTTP_CONFLICT_MEDIA_OTHER = 0,
    NGX_HTTP_CONFLICT_MEDIA_JSON,
    NGX_HTTP_CONFLICT_MEDIA_UNDECLARED   /* decided by its first byte */
} ngx_http_conflict_media_e;


/*
 * The body of the client's request, scanned and hashed as it arrives.
 * Written by ngx_http_conflict_request_body.c, _held_body.c, _precondition.c,
 * _json_patch.c and _fingerprint.c.
 */

typedef struct {
    conflict_scan_t               *json;         /* NULL: not scanned, or not
                                                    JSON */
    conflict_json_rc_e             error;
    conflict_scan_t               *edited;       /* the same, for the time of
                                                    the edit */
    conflict_json_rc_e             edited_error;
    conflict_hash_t               *hash;         /* NULL: in one piece */
    uint64_t                       sum;          /* hash of the body; 0: empty,
                                                    or not read yet */
    conflict_hash_t               *whole;        /* of every byte, whatever the
                                                    size; NULL: not needed */
    off_t                          size;
    size_t                         error_offset; /* in the body */
    ngx_buf_t                     *held;         /* the body as one text, or
                                                    NULL */
    unsigned                       refilled:1;   /* nginx reads into "held" */
    unsigned                       reading:1;    /* by this module, now */
    unsigned                       done:1;
    unsigned                       hashed:1;
    unsigned                       too_large:1;
    unsigned                       empty:1;      /* it has no base */
    unsigned                       encoded:1;
    unsigned                       undeclared:1;
    unsigned                       begun:1;      /* other than white space */
    unsigned                       has_member:1; /* invalid JSON, but has the
                                                    member of the base */
    unsigned                       tested:1;     /* a "test" of a JSON Patch
                                                    has the base */
    unsigned                       opaque:1;     /* a base in it could not be
                                                    found */
} ngx_http_conflict_body_t;


/* a search for "_method", which goes on with the next piece of a form */

typedef struct {
    const ngx_str_t               *wanted;
    size_t                         matched;     /* bytes of it */
    ngx_uint_t                     digits;      /* to come, of an escaped
                                                   character */
    u_char                         code;        /* of it, so far */
    unsigned                       found:1;
} ngx_http_conflict_form_t;


/* the result of a merge, and its inputs; texts are in the request's pool */

typedef struct {
    ngx_str_t                      text;        /* replaces the body */
    ngx_str_t                      names;       /* of "fields": tags title */
    ngx_str_t                      fields;      /* a list of JSON pointers */
    ngx_str_t                      clashes;     /* conflict_clash_t */
    ngx_str_t                      values;      /* texts of the clashes */
    ngx_chain_t                   *sent;        /* forwarded, "text" empty */
    conflict_form_e                form;        /* of the client's body */
    ngx_str_t                      client;      /* client's body as read for the
                                                   merge */
    conflict_document_t            base;        /* zeros: not in the history */
    ngx_array_t                   *parts;       /* conflict_document_t, parts of
                                                   the base, newest first */
    uint64_t                       version;     /* base version of "parts" */
    unsigned                       mergeable:1; /* the body can be merged */
    unsigned                       recorded:1;  /* it is kept in the history */
    unsigned                       base_held:1; /* the base could be used */
    unsigned                       clashed:1;
    ngx_uint_t                     omitted;     /* clashes not in "clashes" */
} ngx_http_conflict_merge_t;


/*
 * A question to the resolver, and its answer.  Written by resolver/; texts are
 * in the request's pool.
 */

typedef struct {
    ngx_http_request_t            *request;    /* the subrequest */
    ngx_event_t                    timer;
    ngx_event_t                    pause;      /* between two steps */
    ngx_str_t                      uri;
    ngx_str_t                      args;
    ngx_str_t                      server;     /* the server's document */
    ngx_str_t                      client;     /* the client's, whole */
    ngx_str_t                      merged;     /* what the rules make of them */
    ngx_uint_t                     status;     /* of the answer */
    ngx_str_t                      document;   /* of the answer: its body, or
                                                  what a patch makes of it */
    size_t                         size;       /* allocated */
    ngx_str_t                      names;      /* of its fields that are not */
    ngx_str_t                      fields;     /* the client's, as in a merge */
    ngx_str_t                      detail;     /* JSON of a refusal */
    const char                    *failure;    /* for the error log; NULL: it
                                                  has answered */
    unsigned                       page:1;     /* error_page is in progress */
    unsigned                       done:1;
    unsigned                       paused:1;
    unsigned                       based:1;    /* the base is a document */
    unsigned                       json:1;
    unsigned                       patch:1;    /* a merge patch of "merged" */
    unsigned                       encoded:1;
    unsigned                       too_large:1;
} ngx_http_conflict_resolver_t;


/* the latest body as the filters of the location have changed it */

typedef struct {
    ngx_uint_t                     status;     /* by a filter; 0: none */
    ngx_str_t                      content_type;
    ngx_str_t                      body;       /* data is NULL: unchanged so
                                                  far */
    size_t                         size;       /* allocated */
    unsigned                       header:1;   /* header was captured */
    unsigned                       ended:1;
    unsigned                       failed:1;   /* incomplete */
} ngx_http_conflict_shown_t;


/* header of the module's own response, restored after filters cleared it */

typedef struct {
    off_t                          length;
    ngx_table_elt_t               *etag;
    ngx_str_t                      tag;
    ngx_uint_t                     pending;    /* header not sent yet */
} ngx_http_conflict_own_t;


/* the client's request before it was changed for the upstream */

typedef struct {
    ngx_list_t                     headers;    /* if "hidden" */
    ngx_chain_t                   *bufs;       /* NULL: body unchanged */
    off_t                          length;
    ngx_str_t                      content_length;
    ngx_uint_t                     hidden;     /* some headers are */
} ngx_http_conflict_original_t;


/*
 * The latest representation, from the own GET.  Written by latest/, but
 * "version", "valid" and "revalidate" by write/ and the handler; write/ also
 * clears "started" for another GET.  "saved" and "buffered" are filter.c's.
 */

typedef struct {
    ngx_http_request_t            *request;    /* the subrequest */
    ngx_uint_t                     status;     /* upstream's; 502: cut */
    ngx_uint_t                     sent;       /* status in its header */
    ngx_uint_t                     refused;    /* status before error_page */
    ngx_http_upstream_t           *upstream;   /* of "refused" */
    ngx_str_t                      content_type;
    ngx_str_t                      etag;
    time_t                         last_modified;
    ngx_str_t                      version_header;
    ngx_str_t                      mtime_header;
    ngx_str_t                      body;
    size_t                         size;       /* allocated */
    uint64_t                       version;    /* the body is as new or newer */
    uint64_t                       view;       /* 0: none */
    ngx_uint_t                     access;     /* access handlers passed */
    void                         **loc_conf;   /* the location of "access" */
    ngx_uint_t                     uri_changes;   /* left then */
    void                         **saved;      /* module contexts */
    ngx_uint_t                     buffered;   /* of the connection, saved */
    ngx_http_variable_value_t      memcached_key;   /* saved */
    ngx_http_conflict_shown_t      shown;
    unsigned                       started:1;
    unsigned                       done:1;
    unsigned                       cached:1;   /* or has an Age */
    unsigned                       delegate_cached:1; /* or what its handler
                                                         has made it of */
    unsigned                       encoded:1;
    unsigned                       json:1;
    unsigned                       too_large:1;
    unsigned                       failed:1;   /* could not be read */
    unsigned                       valid:1;    /* responses may show it */
    unsigned                       reached:1;  /* a location other than that of
                                                  an error page */
    unsigned                       denied:1;   /* "refused" is 401 or 403 of a
                                                  guarded location */
    unsigned                       guarded:1;  /* a guarded location has the
                                                  key of the endpoint */
    unsigned                       revalidate:1;
    unsigned                       filters:1;  /* one reads the body, even if
                                                  it does not change it */
} ngx_http_conflict_latest_t;


/*
 * The body of a response on its way to the client.  "Document" is the latest
 * body, or the part at "root=" of conflict_latest.
 */

typedef struct {
    conflict_scan_t               *version;     /* NULL: not scanned for */
    conflict_scan_t               *mtime;
    conflict_scan_t               *inject;
    conflict_hash_t                hash;
    off_t                          size;
    ngx_str_t                      record;      /* body for the history */
    size_t                         record_size; /* allocated */
    conflict_scan_t               *root;        /* of the document; NULL: the
                                                   body is the document */
    conflict_hash_t                document_hash;
    unsigned                       recording:1; /* the body */
    unsigned                       observing:1; /* the history needs to know
                                                   what was shown */
    unsigned                       document_hashing:1;
    unsigned                       hashing:1;   /* updates "hash" */
    unsigned                       failed:1;    /* not JSON, or too large */
    unsigned                       injected:1;
    unsigned                       skipping:1;  /* rest of a replaced value */
    unsigned                       ended:1;
} ngx_http_conflict_response_t;


/* a response that may be a list whose items get versions; list.c */

typedef struct {
    ngx_http_conflict_op_t        *op;         /* NULL: it cannot be one */
    ngx_str_t                      prefix;     /* of an item's path */
    ngx_str_t                      suffix;
    ngx_str_t                      body;
    size_t                         size;       /* allocated */
    conflict_item_t               *items;
    ngx_uint_t                     n;
    ngx_uint_t                    *index;      /* in op->items, by item */
    unsigned                       marked:1;   /* before the upstream ran */
    unsigned                       reading:1;  /* the body is held */
    unsigned                       waiting:1;  /* for the store */
    unsigned                       complete:1; /* to be sent */
} ngx_http_conflict_list_t;


/* an entity tag in If, and the resource that must, or must not, have it */

typedef struct {
    ngx_str_t                      path;
    ngx_str_t                      tag;
    uint64_t                       version;
    unsigned                       weak:1;
    unsigned                       not:1;
    unsigned                       used:1;    /* by an operation */
} ngx_http_conflict_when_t;


/* MOVE and COPY: the resource that ctx->op is not about at the moment */

typedef struct {
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_op_t        *source;     /* this "op" or ctx->op */
    ngx_str_t                      resource;
    ngx_str_t                      key;
    ngx_str_t                      target;     /* of the own GET; empty: the
                                                  request's */
    ngx_event_t                    timer;      /* renews its lease */
    unsigned                       second:1;   /* the first may pass */
} ngx_http_conflict_pair_t;


/* a change stream */

typedef struct ngx_http_conflict_events_s  ngx_http_conflict_events_t;


/* writes of this worker that wait for the same key */

typedef struct ngx_http_conflict_queue_s  ngx_http_conflict_queue_t;


/* a request to an inbox: inbox/ngx_http_conflict_inbox.h */

typedef struct ngx_http_conflict_inbox_s  ngx_http_conflict_inbox_t;


/* the key of a request that is carried out once; idempotency/ */

typedef struct ngx_http_conflict_idempotency_s
    ngx_http_conflict_idempotency_t;


typedef void (*ngx_http_conflict_ctx_pt)(ngx_http_conflict_ctx_t *ctx);


/*
 * The context of the main request, in its pool.  The comment of each group
 * names the files that write it; all files read it.
 */

struct ngx_http_conflict_ctx_s {
    ngx_http_request_t                *request;
    ngx_http_conflict_loc_conf_t      *conf;      /* of the guarded location */
    ngx_http_conflict_op_t            *op;
    ngx_http_conflict_pair_t          *pair;      /* NULL: one resource */
    ngx_http_conflict_op_t            *destination;  /* of a MOVE or COPY that
                                                        is not guarded */
    ngx_http_conflict_events_t        *events;    /* NULL: no change stream */
    ngx_http_conflict_idempotency_t   *idempotency;   /* NULL: no key */
    ngx_http_conflict_ctx_pt           cleanup;
    ngx_http_conflict_kind_e           kind;
    ngx_uint_t                         method;    /* of the client's request */
    ngx_str_t                          method_name;
    unsigned                           write:1;

    /* the resource; handler.c, pair.c and entity.c */

    struct {
        ngx_str_t                      resource;  /* as clients see it */
        ngx_str_t                      key;       /* in the store */
        ngx_str_t                      entity;    /* for the audit log; NULL:
                                                     not evaluated yet */
        ngx_str_t                      entity_id; /* empty: the resource */
    } target;

    /*
     * The client; caller.c, view.c, fingerprint.c, latest_verdict.c and
     * lock_endpoint.c.
     */

    struct {
        ngx_str_t                      user;          /* conflict_user */
        ngx_str_t                      client;        /* conflict_client */
        uint64_t                       selected;      /* view without Vary */
        unsigned                       known:1;       /* user or credentials */
        unsigned                       credentials:1; /* Authorization */
        unsigned                       nameless:1;    /* no user, client or
                                                         Idempotency-Key */
        unsigned                       may_see:1;     /* the own GET showed the
                                                         resource */
    } caller;

    /* preconditions; precondition.c, entity_tags.c, dav_if.c, verdict.c */

    struct {
        ngx_str_t                      base;        /* as the client sent it */
        ngx_array_t                   *when;        /* tags of If */
        ngx_str_t                      dav_rest;    /* If without its tags */
        int64_t                        client_time; /* usec, or
                                                       CONFLICT_TIME_NONE */
        uint64_t                       bare_tag;    /* base's tag without a
                                                       front end's suffix */
        uint64_t                       matched;     /* current version, as
                                                       compared to If-Match */
        unsigned                       dav_parsed:1;
    } pre;

    /*
     * The functions of the states, filters and the audit; "state" is set by
     * handler.c alone.
     */

    struct {
        ngx_http_conflict_state_e      state;
        ngx_http_handler_pt            content;        /* of "respond" */
        ngx_uint_t                     error_status;   /* 0: 500 */
        ngx_uint_t                     status;         /* of the response, when
                                                          it was filtered */
        ngx_http_conflict_outcome_e    outcome;
        ngx_http_conflict_answer_e     answer;
        ngx_http_conflict_action_e     action;
        const char                    *reason;         /* detail, or NULL */
        unsigned                       unbased:1;      /* passed, no base */
        unsigned                       unguarded:1;    /* not a guarded write,
                                                          may have written */
        unsigned                       existed:1;      /* before the write */
        unsigned                       recalled:1;     /* history looked up */
        unsigned                       diff_pending:1; /* own GET for the audit
                                                          log */
        unsigned                       filtered:1;     /* by header filter */
        unsigned                       answered:1;     /* by the module */
        unsigned                       audited:1;
        unsigned                       error_page:1;   /* not forwarded */
        unsigned                       ended:1;        /* only to be logged */
    } flow;

    /*
     * Versions, 0: none; verdict.c, read.c, lock_endpoint.c, outcome.c,
     * revalidate.c and filter.c.  "conflict_id" is set by audit.c, "offered"
     * by precondition.c, "upstream_tagged" by latest_verdict.c, "body" and its
     * view by pass.c.
     */

    struct {
        uint64_t                       current;           /* for responses */
        uint64_t                       compared;          /* with the base */
        int64_t                        compared_time;     /* its mtime, usec */
        uint64_t                       body;              /* hash, before the
                                                             write */
        uint64_t                       body_view;
        ngx_str_t                      conflict_id;
        ngx_str_t                      upstream_tag;      /* upstream's ETag */
        unsigned                       upstream_tagged:1; /* If-Match or If has
                                                             the tag of the own
                                                             GET */
        unsigned                       offered:1;         /* If-Match has a
                                                             version, in report
                                                             mode */
    } version;

    /* outcome.c and pass.c */

    struct {
        unsigned                       settled:1;
        unsigned                       committed:1;
        unsigned                       abandoned:1;
        unsigned                       in_flight:1;       /* counted as such */
        unsigned                       got_2xx:1;         /* before the
                                                             settle */
        unsigned                       applied:1;         /* an attempt got
                                                             2xx */
        unsigned                       denied:1;          /* client got 504
                                                             instead of it */
        unsigned                       expiry_deferred:1; /* by one turn of the
                                                             event loop */
        unsigned                       redirected:1;      /* redirected, may be
                                                             done already */
        unsigned                       unsent:1;          /* expired, nothing
                                                             is sent any more */
        unsigned                       missing:1;         /* the store has not
                                                             given one */
    } lease;

    /*
     * pass.c and read.c; "first_attempt" by outcome.c, "rewritten" by
     * merge_write.c as well, those of delegates by delegate.c.
     */

    struct {
        ngx_http_handler_pt            content_handler;
        ngx_http_client_body_handler_pt
                                       body_handler;  /* for the body */
        ngx_http_upstream_t           *upstream;      /* before the pass */
        ngx_uint_t                     first_attempt; /* index in
                                                         upstream_states */
        ngx_uint_t                     err_status;    /* before the pass */
        ngx_array_t                   *delegates;     /* NULL: none */
        unsigned                       error_page:1;  /* before the pass */
        unsigned                       forwarded:1;
        unsigned                       entered:1;     /* the handler was, and
                                                         may fail unnoticed */
        unsigned                       rewritten:1;   /* the body */
        unsigned                       delegate_cached:1; /* a part of the
                                                             response is */
    } pass;

    /*
     * write_wait.c, verdict.c, read.c, pair.c, outcome.c, held_response.c,
     * diff.c, store_call.c and latest_get.c; milliseconds.
     */

    struct {
        ngx_event_t                    timer;       /* waits, then renews */
        ngx_event_t                    held;        /* the response is */
        ngx_event_t                   *diff_timer;  /* of the own GET for the
                                                       audit log */
        ngx_msec_t                     wait_start;  /* ngx_current_msec */
        ngx_msec_t                     wait_step;
        ngx_msec_t                     wait_time;   /* waited so far */
        ngx_msec_t                     settling;    /* remaining, by the last
                                                       call; 0: not settling */
        ngx_msec_t                     store_start; /* ngx_current_msec */
        ngx_msec_t                     store_time;  /* of all calls */
        ngx_uint_t                     fetches;     /* own GETs made */
        unsigned                       waited:1;    /* the timer has expired */
        unsigned                       calling:1;   /* the store, for ctx->op */
    } timing;

    /* the turn of a write among those that wait; write_queue.c, pair.c */

    struct {
        ngx_http_conflict_queue_t     *queue;     /* NULL: it does not wait */
        ngx_queue_t                    link;
        uint64_t                       number;    /* by arrival; 0: new */
        uint64_t                       fence;     /* of the lease found last */
        unsigned                       begun:1;   /* not waiting for a turn */
        unsigned                       woken:1;   /* begun by another write */
    } turn;

    /*
     * held bodies; hold.c, "resolves" by inbox_resolve.c, "key" by
     * idempotency_key.c
     */

    struct {
        ngx_http_conflict_op_t        *op;        /* keeps or removes one */
        ngx_str_t                      key;       /* digest of caller and
                                                     Idempotency-Key; empty:
                                                     none */
        ngx_str_t                      id;        /* of a new item */
        ngx_str_t                      resolves;  /* id of the item that this
                                                     write resolves */
        ngx_http_conflict_state_e      next;      /* once it is kept */
        unsigned                       kept:1;    /* the item of "id" is */
        unsigned                       overwritten:1; /* its body was */
    } hold;

    ngx_http_conflict_inbox_t         *inbox;     /* NULL: not an inbox */

    /*
     * The target of the own GET, if it is not the request's; else empty.
     * lock_endpoint.c, versions_endpoint.c, events_endpoint.c,
     * inbox_endpoint.c and pair.c.
     */

    struct {
        ngx_str_t                      uri;
        ngx_str_t                      args;
        ngx_str_t                      target;    /* as a client sends it, for
                                                     a view; empty: none */
    } get;

    ngx_http_conflict_body_t           body;
    ngx_http_conflict_form_t          *form;      /* NULL: the body is none */
    ngx_http_conflict_latest_t         latest;
    ngx_http_conflict_merge_t          merge;
    ngx_http_conflict_resolver_t      *resolver;  /* NULL: not asked */
    ngx_http_conflict_response_t      *response;  /* NULL: not scanned */
    ngx_http_conflict_list_t          *list;      /* NULL: no list */
    ngx_http_conflict_own_t            own;
    ngx_http_conflict_original_t       original;
};


#endif /* _NGX_HTTP_CONFLICT_CTX_H_INCLUDED_ */
