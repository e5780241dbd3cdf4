
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Myers' algorithm: one row for each number of edits, with the furthest place
 * in "a" reached on each diagonal.  All rows are kept to trace the path back.
 */


#include <stdlib.h>

#include "core/merge/conflict_list.h"


/* the place of a row: the rows before it form a triangle */
#define conflict_list_row(edits)  ((edits) * ((edits) + 1) / 2)


/* both sequences without their common prefix and suffix */

typedef struct {
    const uint32_t          *a;
    const uint32_t          *b;
    int32_t                  n;
    int32_t                  m;
    int32_t                 *rows;
    size_t                   size;
} conflict_list_walk_t;


static int32_t conflict_list_edits(conflict_list_walk_t *walk, size_t *steps);
static int conflict_list_grow(conflict_list_walk_t *walk, size_t size);
static int32_t conflict_list_start(const conflict_list_walk_t *walk,
    int32_t edits, int32_t i);
static void conflict_list_trace(const conflict_list_walk_t *walk,
    int32_t edits, uint32_t first, uint32_t *places);


int
conflict_list_common(const conflict_list_t *a, const conflict_list_t *b,
    uint32_t *places, size_t *steps)
{
    int32_t               edits;
    uint32_t              i, first, last, min;
    conflict_list_walk_t  walk;

    min = (a->n < b->n) ? a->n : b->n;

    if (min > *steps) {
        return -1;
    }

    *steps -= min;

    for (first = 0; first < min && a->data[first] == b->data[first]; first++) {
        places[first] = first + 1;
    }

    for (last = 0;
         last < min - first
         && a->data[a->n - last - 1] == b->data[b->n - last - 1];
         last++)
    {
        places[a->n - last - 1] = b->n - last;
    }

    for (i = first; i < a->n - last; i++) {
        places[i] = 0;
    }

    walk.a = a->data + first;
    walk.b = b->data + first;
    walk.n = (int32_t) (a->n - first - last);
    walk.m = (int32_t) (b->n - first - last);
    walk.rows = NULL;
    walk.size = 0;

    if (walk.n == 0 || walk.m == 0) {
        return 0;
    }

    edits = conflict_list_edits(&walk, steps);

    if (edits >= 0) {
        conflict_list_trace(&walk, edits, first, places);
    }

    free(walk.rows);

    return (edits >= 0) ? 0 : -1;
}


/* the number of edits from "a" to "b"; -1: a limit is exceeded */

static int32_t
conflict_list_edits(conflict_list_walk_t *walk, size_t *steps)
{
    int32_t   d, i, x, y, *row;
    uint32_t  limit;

    limit = (uint32_t) (walk->n + walk->m);
    limit = (limit < CONFLICT_LIST_EDITS) ? limit : CONFLICT_LIST_EDITS;

    for (d = 0; d <= (int32_t) limit; d++) {

        if (conflict_list_grow(walk, conflict_list_row((size_t) d + 1)) != 0) {
            return -1;
        }

        row = &walk->rows[conflict_list_row((size_t) d)];

        for (i = 0; i <= d; i++) {
            x = conflict_list_start(walk, d, i);
            y = x - (2 * i - d);

            if (*steps == 0) {
                return -1;
            }

            (*steps)--;

            while (x >= 0 && x < walk->n && y < walk->m
                   && walk->a[x] == walk->b[y])
            {
                x++;
                y++;

                if (*steps == 0) {
                    return -1;
                }

                (*steps)--;
            }

            row[i] = x;

            if (x == walk->n && y == walk->m) {
                return d;
            }
        }
    }

    return -1;
}


static int
conflict_list_grow(conflict_list_walk_t *walk, size_t size)
{
    int32_t  *rows;

    if (size <= walk->size) {
        return 0;
    }

    size *= 2;

    rows = realloc(walk->rows, size * sizeof(int32_t));
    if (rows == NULL) {
        return -1;
    }

    walk->rows = rows;
    walk->size = size;

    return 0;
}


/*
 * The start on diagonal i of a row: one step right of or below the end on a
 * neighbouring diagonal of the previous row.  -1: outside.
 */

static int32_t
conflict_list_start(const conflict_list_walk_t *walk, int32_t edits, int32_t i)
{
    int32_t        x, k;
    const int32_t *before;

    if (edits == 0) {
        return 0;
    }

    x = -1;
    k = 2 * i - edits;
    before = &walk->rows[conflict_list_row((size_t) edits - 1)];

    if (i < edits && before[i] >= 0 && before[i] - k <= walk->m) {
        /* an insertion */
        x = before[i];
    }

    if (i > 0 && before[i - 1] >= 0 && before[i - 1] < walk->n
        && before[i - 1] + 1 > x)
    {
        x = before[i - 1] + 1;
    }

    return x;
}


static void
conflict_list_trace(const conflict_list_walk_t *walk, int32_t edits,
    uint32_t first, uint32_t *places)
{
    int32_t  d, i, x, y, start;

    x = walk->n;
    y = walk->m;

    for (d = edits; d >= 0; d--) {
        i = (x - y + d) / 2;
        start = conflict_list_start(walk, d, i);

        while (x > start) {
            x--;
            y--;
            places[first + (uint32_t) x] = first + (uint32_t) y + 1;
        }

        /* the edit itself */

        if (d > 0) {

            if (i < d && walk->rows[conflict_list_row((size_t) d - 1)
                                    + (size_t) i] == x
                && x - (2 * i - d) <= walk->m)
            {
                y--;

            } else {
                x--;
            }
        }
    }
}
