
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The rule "text": texts merged line by line by libgit2.  A build without
 * libgit2 (CONFLICT_LIBGIT2 is set by "config") does not have this rule.
 */


#include <stdlib.h>
#include <string.h>

#if (CONFLICT_LIBGIT2)
#include <git2.h>
#endif

#include "core/merge/conflict_merge_state.h"
#include "core/text/conflict_hash.h"


#if (CONFLICT_LIBGIT2)


/* limit of a text, in decoded bytes */
#define CONFLICT_LINES_MAX    65536
#define CONFLICT_LINES_BLOCK   256

/* a line costs libgit2 at worst as much as so many values cost a merge */
#define CONFLICT_LINES_VALUES  8

/* bytes of a line's number, with 6 bits each, and a newline */
#define CONFLICT_LINES_NUMBER  4


enum {
    TEXT_BASE = 0,
    TEXT_SERVER,
    TEXT_CLIENT,
    TEXTS
};


typedef struct {
    const unsigned char     *data;
    size_t                   len;          /* with the newline, if it has one */
} conflict_line_t;


/*
 * The distinct lines of three texts.  libgit2 receives their numbers, because
 * its own hash of lines is known to authors of hostile texts.
 */

typedef struct {
    conflict_buffer_t        text[TEXTS];
    conflict_buffer_t        numbers[TEXTS];
    conflict_line_t         *lines;
    size_t                   n;
    uint32_t                *slots;        /* of lines, from 1; 0: free */
    size_t                   mask;
} conflict_lines_t;


static int conflict_lines_read(conflict_walk_t *walk, conflict_lines_t *lines,
    const conflict_trio_t *trio);
static int conflict_lines_decode(conflict_buffer_t *out,
    conflict_value_t value);
static size_t conflict_lines_count(const conflict_buffer_t *text);
static void conflict_lines_number(conflict_lines_t *lines, size_t text,
    uint64_t seed);
static size_t conflict_lines_find(conflict_lines_t *lines,
    const unsigned char *data, size_t len, uint64_t seed);
static void conflict_lines_write(const conflict_lines_t *lines,
    const unsigned char *numbers, size_t len, conflict_buffer_t *out);


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
conflict_lines_merge(conflict_walk_t *walk, const conflict_trio_t *trio,
    conflict_buffer_t *made)
{
    size_t                  i;
    conflict_buffer_t      *numbers;
    conflict_take_e         take;
    conflict_lines_t        lines;
    git_merge_file_input    input[TEXTS];
    git_merge_file_result   result;

    memset(&lines, 0, sizeof(conflict_lines_t));
    memset(&result, 0, sizeof(git_merge_file_result));

    take = CONFLICT_TAKE_CLASH;

    if (!conflict_lines_available()
        || conflict_lines_read(walk, &lines, trio) != 0)
    {
        goto done;
    }

    for (i = 0; i < TEXTS; i++) {
        numbers = &lines.numbers[i];

        if (numbers->failed
            || git_merge_file_input_init(&input[i],
                                         GIT_MERGE_FILE_INPUT_VERSION)
               != 0)
        {
            goto done;
        }

        input[i].ptr = numbers->data ? (char *) numbers->data : "";
        input[i].size = numbers->len;
    }

    if (git_merge_file(&result, &input[TEXT_BASE], &input[TEXT_SERVER],
                       &input[TEXT_CLIENT], NULL)
        == 0)
    {
        if (result.automergeable) {
            conflict_lines_write(&lines, (const unsigned char *) result.ptr,
                                 result.len, made);
            take = CONFLICT_TAKE_MADE;
        }

        git_merge_file_result_free(&result);
    }

done:

    for (i = 0; i < TEXTS; i++) {
        conflict_buffer_free(&lines.text[i]);
        conflict_buffer_free(&lines.numbers[i]);
    }

    free(lines.lines);
    free(lines.slots);

    return take;
}


/* -1: one is not a string or too long, or there is no memory */

static int
conflict_lines_read(conflict_walk_t *walk, conflict_lines_t *lines,
    const conflict_trio_t *trio)
{
    size_t  i, n, slots;

    if (conflict_lines_decode(&lines->text[TEXT_BASE], trio->base) != 0
        || conflict_lines_decode(&lines->text[TEXT_SERVER], trio->server) != 0
        || conflict_lines_decode(&lines->text[TEXT_CLIENT], trio->client) != 0)
    {
        return -1;
    }

    n = 0;

    for (i = 0; i < TEXTS; i++) {
        n += conflict_lines_count(&lines->text[i]);
    }

    if (n > walk->values_left / CONFLICT_LINES_VALUES) {
        return -1;
    }

    walk->values_left -= n * CONFLICT_LINES_VALUES;

    for (slots = 8; slots < 2 * n; slots *= 2) { /* void */ }

    lines->mask = slots - 1;
    lines->slots = calloc(slots, sizeof(uint32_t));
    lines->lines = malloc(n * sizeof(conflict_line_t));

    if (lines->slots == NULL || lines->lines == NULL) {
        return -1;
    }

    for (i = 0; i < TEXTS; i++) {
        conflict_lines_number(lines, i, walk->in->seed);
    }

    return 0;
}


static int
conflict_lines_decode(conflict_buffer_t *out, conflict_value_t value)
{
    size_t                n, len;
    unsigned char         block[CONFLICT_LINES_BLOCK];
    const unsigned char  *p, *last;

    if (conflict_tree_type(value) != CONFLICT_JSON_STRING) {
        return -1;
    }

    p = conflict_tree_text(value, &len) + 1;
    last = p + len - 2;

    while (out->len <= CONFLICT_LINES_MAX
           && (n = conflict_text_decode(block, sizeof(block), &p, last)) > 0)
    {
        conflict_buffer_add(out, block, n);
    }

    return (out->failed || out->len > CONFLICT_LINES_MAX) ? -1 : 0;
}


/* one more than there are if the text ends with a newline */

static size_t
conflict_lines_count(const conflict_buffer_t *text)
{
    size_t  i, n;

    n = 1;

    for (i = 0; i < text->len; i++) {
        n += (text->data[i] == '\n');
    }

    return n;
}


static void
conflict_lines_number(conflict_lines_t *lines, size_t text, uint64_t seed)
{
    size_t                i, n, len;
    unsigned char         number[CONFLICT_LINES_NUMBER];
    const unsigned char  *p, *last, *end;

    if (lines->text[text].len == 0) {
        return;
    }

    p = lines->text[text].data;
    last = p + lines->text[text].len;

    while (p < last) {
        end = memchr(p, '\n', (size_t) (last - p));
        len = (size_t) ((end ? end + 1 : last) - p);

        n = conflict_lines_find(lines, p, len, seed);

        for (i = 0; i < CONFLICT_LINES_NUMBER - 1; i++) {
            number[i] = (unsigned char) ('0' + (n & 0x3f));
            n >>= 6;
        }

        number[i] = '\n';

        conflict_buffer_add(&lines->numbers[text], number, sizeof(number));
        p += len;
    }
}


static size_t
conflict_lines_find(conflict_lines_t *lines, const unsigned char *data,
    size_t len, uint64_t seed)
{
    size_t            i;
    conflict_line_t  *line;

    for (i = (size_t) conflict_hash_64(data, len, seed) & lines->mask;
         lines->slots[i]; i = (i + 1) & lines->mask)
    {
        line = &lines->lines[lines->slots[i] - 1];

        if (line->len == len && memcmp(line->data, data, len) == 0) {
            return lines->slots[i] - 1;
        }
    }

    line = &lines->lines[lines->n++];
    line->data = data;
    line->len = len;

    lines->slots[i] = (uint32_t) lines->n;

    return lines->n - 1;
}


static void
conflict_lines_write(const conflict_lines_t *lines,
    const unsigned char *numbers, size_t len, conflict_buffer_t *out)
{
    size_t                 i, j, n;
    const conflict_line_t  *line;

    conflict_buffer_text(out, "\"");

    for (i = 0; i + CONFLICT_LINES_NUMBER <= len; i += CONFLICT_LINES_NUMBER) {
        n = 0;

        for (j = CONFLICT_LINES_NUMBER - 1; j > 0; j--) {
            n = n << 6 | (size_t) (numbers[i + j - 1] - '0');
        }

        line = &lines->lines[n];
        conflict_buffer_quoted(out, line->data, line->len);

        if (line->data[line->len - 1] != '\n'
            && i + CONFLICT_LINES_NUMBER < len)
        {
            /* the last line of its text, now followed by another one */
            conflict_buffer_text(out, "\\u000a");
        }
    }

    conflict_buffer_text(out, "\"");
}


#else


int
conflict_lines_available(void)
{
    return 0;
}


conflict_take_e
conflict_lines_merge(conflict_walk_t *walk, const conflict_trio_t *trio,
    conflict_buffer_t *made)
{
    (void) walk;
    (void) trio;
    (void) made;

    return CONFLICT_TAKE_CLASH;
}


#endif
