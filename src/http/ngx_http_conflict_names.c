
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The names of outcomes, policies and actions, as in the Conflict field,
 * nginx.conf and the audit log.
 */


#include "http/ngx_http_conflict_http.h"


static ngx_str_t  ngx_http_conflict_outcome_names[] = {
    ngx_null_string,
    ngx_string("passed"),
    ngx_string("merged"),
    ngx_string("overwrote"),
    ngx_string("rejected"),
    ngx_string("dropped"),
    ngx_string("replayed"),
    ngx_string("busy"),
    ngx_string("required"),
    ngx_string("locked"),
    ngx_string("unchecked")
};


static ngx_str_t  ngx_http_conflict_policy_names[] = {
    ngx_string("lww"),
    ngx_string("client_wins"),
    ngx_string("server_wins"),
    ngx_string("version"),
    ngx_string("merge"),
    ngx_string("off")
};


static ngx_str_t  ngx_http_conflict_action_names[] = {
    ngx_null_string,
    ngx_string("conflict_lww"),
    ngx_string("conflict_client_wins"),
    ngx_string("conflict_server_wins"),
    ngx_string("conflict_version"),
    ngx_string("conflict_merge"),
    ngx_string("conflict_busy"),
    ngx_string("conflict_deleted"),
    ngx_string("conflict_required"),
    ngx_string("conflict_unchecked"),
    ngx_string("conflict_external"),
    ngx_string("conflict_locked"),
    ngx_string("lock_taken"),
    ngx_string("lock_forced"),
    ngx_string("conflict_overlapped")
};


ngx_str_t *
ngx_http_conflict_names_outcome(ngx_http_conflict_outcome_e outcome)
{
    return &ngx_http_conflict_outcome_names[outcome];
}


ngx_str_t *
ngx_http_conflict_names_policy(ngx_uint_t policy)
{
    return &ngx_http_conflict_policy_names[policy];
}


ngx_str_t *
ngx_http_conflict_names_action(ngx_uint_t action)
{
    return &ngx_http_conflict_action_names[action];
}
