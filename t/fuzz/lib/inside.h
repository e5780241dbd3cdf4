
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A fuzz target as a module of nginx: it begins where a worker would wait
 * for events.  Each target includes this once.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include "lock/ngx_http_conflict_lock.h"
#include "answer/ngx_http_conflict_answer.h"
#include "response/ngx_http_conflict_response.h"
#include "write/ngx_http_conflict_write.h"
#include "history/ngx_http_conflict_history.h"
#include "audit/ngx_http_conflict_audit.h"
#include "latest/ngx_http_conflict_latest.h"
#include "status/ngx_http_conflict_status.h"
#include "ngx_http_conflict_module.h"


#define FUZZ_ARGS  64


int LLVMFuzzerRunDriver(int *argc, char ***argv,
    int (*one)(const uint8_t *data, size_t size));
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ngx_int_t fuzz_process(ngx_cycle_t *cycle);


static ngx_core_module_t  fuzz_ctx = {
    ngx_string("fuzz"),
    NULL,
    NULL
};


static ngx_module_t  fuzz_module = {
    NGX_MODULE_V1,
    &fuzz_ctx,                             /* module context */
    NULL,                                  /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    fuzz_process,                          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* what the build makes for a module of its own */

extern ngx_module_t  ngx_http_conflict_capture_filter_module;

ngx_module_t  *ngx_modules[] = {
    &ngx_http_conflict_module,
    &ngx_http_conflict_capture_filter_module,
    &fuzz_module,
    NULL
};

char  *ngx_module_names[] = {
    "ngx_http_conflict_module",
    "ngx_http_conflict_capture_filter_module",
    "fuzz",
    NULL
};

char  *ngx_module_order[] = {
    "ngx_http_conflict_capture_filter_module",
    "ngx_http_ssi_filter_module",
    NULL
};


/* the arguments are in the environment, a line each */

static ngx_int_t
fuzz_process(ngx_cycle_t *cycle)
{
    int    argc;
    char  *arg, **argv;

    static char  *args[FUZZ_ARGS];

    /* nginx has made the error log of it, which is nowhere */
    (void) dup2(3, STDERR_FILENO);

    argc = 0;
    argv = args;

    for (arg = strtok(strdup(getenv("FUZZ_ARGS")), "\n");
         arg && argc < FUZZ_ARGS - 1;
         arg = strtok(NULL, "\n"))
    {
        args[argc++] = arg;
    }

    exit(LLVMFuzzerRunDriver(&argc, &argv, LLVMFuzzerTestOneInput));
}


/* the server that nginx.conf has */

static ngx_inline ngx_http_core_srv_conf_t *
fuzz_server(void)
{
    ngx_http_core_srv_conf_t   **servers;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_core_module);
    servers = cmcf->servers.elts;

    return servers[0];
}
