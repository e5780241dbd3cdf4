
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The entity of a request and its identifier, for the audit log.
 */


#include "http/ngx_http_conflict_http.h"


/*
 * Called when the audit log needs it, but before the request leaves its
 * location, as captures and $uri may change then.
 */

void
ngx_http_conflict_entity(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    if (ctx->target.entity.data) {
        return;
    }

    if (nlcf->entity == NULL
        || ngx_http_conflict_evaluate(r, nlcf->entity,
                                      &ctx->target.entity) != NGX_OK)
    {
        ctx->target.entity = nlcf->label;
    }

    if (nlcf->entity_id
        && ngx_http_conflict_evaluate(r, nlcf->entity_id,
                                      &ctx->target.entity_id)
           != NGX_OK)
    {
        ngx_str_null(&ctx->target.entity_id);
    }
}
