
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The one user of libgit2: texts merged line by line, as git does.  Builds
 * without it (CONFLICT_LIBGIT2 is set by "config") have no such rule.
 */


#include <stdlib.h>
#include <string.h>

#if (CONFLICT_LIBGIT2)
#include <git2.h>
#endif

#include "conflict_merge_state.h"


#if (CONFLICT_LIBGIT2)


/* bytes of a text: what a merge takes grows faster than that */

#define CONFLICT_LINES_MOST  65536


static int conflict_lines_decode(conflict_out_t *out, conflict_value_t value);


int
conflict_lines_available(void)
{
    static int  started;

    if (!started) {
        started = (git_libgit2_init() > 0);
    }

    return started;
}


conflict_take_e
conflict_merge_lines(const conflict_trio_t *trio, conflict_out_t *made)
{
    size_t                  i;
    conflict_out_t          text[3];
    conflict_take_e         take;
    git_merge_file_input    input[3];
    git_merge_file_result   result;

    memset(text, 0, sizeof(text));
    memset(&result, 0, sizeof(git_merge_file_result));

    take = CONFLICT_TAKE_NONE;

    if (!conflict_lines_available()
        || conflict_lines_decode(&text[0], trio->base) != 0
        || conflict_lines_decode(&text[1], trio->server) != 0
        || conflict_lines_decode(&text[2], trio->client) != 0)
    {
        goto done;
    }

    for (i = 0; i < 3; i++) {

        if (git_merge_file_input_init(&input[i], GIT_MERGE_FILE_INPUT_VERSION)
            != 0)
        {
            goto done;
        }

        input[i].ptr = text[i].data ? (char *) text[i].data : "";
        input[i].size = text[i].len;
    }

    if (git_merge_file(&result, &input[0], &input[1], &input[2], NULL) == 0) {

        if (result.automergeable) {
            conflict_out_text(made, "\"");
            conflict_out_quoted(made, (const unsigned char *) result.ptr,
                                 result.len);
            conflict_out_text(made, "\"");

            take = CONFLICT_TAKE_MADE;
        }

        git_merge_file_result_free(&result);
    }

done:

    for (i = 0; i < 3; i++) {
        conflict_out_free(&text[i]);
    }

    return take;
}


/* -1: it is not a string, or too long, or there is no memory */

static int
conflict_lines_decode(conflict_out_t *out, conflict_value_t value)
{
    size_t                n, len;
    unsigned char         rune[4];
    const unsigned char  *p, *last, *piece;

    if (conflict_tree_type(value) != CONFLICT_JSON_STRING) {
        return -1;
    }

    p = conflict_value_text(value, &len) + 1;
    last = p + len - 2;

    while ((n = conflict_text_next(&p, last, rune, &piece)) > 0) {
        conflict_out_add(out, piece, n);
    }

    return (out->failed || out->len > CONFLICT_LINES_MOST) ? -1 : 0;
}


#else


int
conflict_lines_available(void)
{
    return 0;
}


conflict_take_e
conflict_merge_lines(const conflict_trio_t *trio, conflict_out_t *made)
{
    (void) trio;
    (void) made;

    return CONFLICT_TAKE_NONE;
}


#endif
