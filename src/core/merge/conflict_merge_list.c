
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The rule "list": arrays merged by element, as texts are by line.  The
 * elements that all three have in common divide them into pieces; each piece
 * may be changed by one side.
 */


#include <stdlib.h>
#include <string.h>

#include "core/merge/conflict_list.h"
#include "core/merge/conflict_merge_state.h"
#include "core/merge/conflict_set.h"


/* elements of the three arrays from "start" to before "end" */

typedef struct {
    uint32_t                       start[CONFLICT_SET_ARRAYS];
    uint32_t                       end[CONFLICT_SET_ARRAYS];
} conflict_piece_t;


typedef struct {
    conflict_walk_t               *walk;
    conflict_set_t                 set;
    conflict_list_t                numbers[CONFLICT_SET_ARRAYS];
    uint32_t                      *nodes[CONFLICT_SET_ARRAYS];

    /* by side, for each element of the base: its place, from 1; 0: removed */
    uint32_t                      *places[CONFLICT_SET_ARRAYS];

    conflict_buffer_t             *made;     /* NULL: a trial run */
    size_t                         n;        /* elements in it */
    unsigned                       differs;  /* from the server's */
    unsigned                       edited;   /* from the client's */
} conflict_lists_t;


static int conflict_merge_list_read(conflict_lists_t *lists,
    const conflict_trio_t *trio);
static void conflict_merge_list_free(conflict_lists_t *lists);
static int conflict_merge_list_merge(conflict_lists_t *lists);
static int conflict_merge_list_piece(conflict_lists_t *lists,
    const conflict_piece_t *piece);
static int conflict_merge_list_same(const conflict_lists_t *lists,
    const conflict_piece_t *piece, conflict_set_array_e a,
    conflict_set_array_e b);
static int conflict_merge_list_pairs(conflict_lists_t *lists,
    const conflict_piece_t *piece);
static int conflict_merge_list_object(conflict_lists_t *lists,
    const conflict_trio_t *trio, uint32_t at);
static int conflict_merge_list_edited(conflict_value_t base,
    conflict_value_t now);
static conflict_value_t conflict_merge_list_value(
    const conflict_lists_t *lists, conflict_set_array_e array, uint32_t at);
static void conflict_merge_list_copy(conflict_lists_t *lists,
    const conflict_piece_t *piece, conflict_set_array_e array);
static void conflict_merge_list_next(conflict_lists_t *lists);


conflict_take_e
conflict_merge_list(conflict_walk_t *walk, const conflict_trio_t *trio,
    conflict_buffer_t *made)
{
    conflict_take_e   take;
    conflict_lists_t  lists;

    if (conflict_tree_type(trio->base) != CONFLICT_JSON_ARRAY
        || conflict_tree_type(trio->server) != CONFLICT_JSON_ARRAY
        || conflict_tree_type(trio->client) != CONFLICT_JSON_ARRAY)
    {
        return CONFLICT_TAKE_CLASH;
    }

    memset(&lists, 0, sizeof(conflict_lists_t));

    lists.walk = walk;
    take = CONFLICT_TAKE_CLASH;

    /* a trial run first: an array clashes as a whole, and nothing is written */

    if (conflict_merge_list_read(&lists, trio) != 0
        || conflict_merge_list_merge(&lists) != 0)
    {
        goto done;
    }

    if (!lists.edited) {
        take = CONFLICT_TAKE_CLIENT;
        goto done;
    }

    if (!lists.differs) {
        take = CONFLICT_TAKE_SERVER;
        goto done;
    }

    lists.made = made;

    conflict_buffer_text(made, "[");
    (void) conflict_merge_list_merge(&lists);
    conflict_buffer_text(made, "]");

    take = CONFLICT_TAKE_MADE;

done:

    conflict_merge_list_free(&lists);

    return take;
}


/* -1: a limit is exceeded, or no memory; both count as a clash */

static int
conflict_merge_list_read(conflict_lists_t *lists, const conflict_trio_t *trio)
{
    size_t            i;
    uint32_t          n;
    conflict_value_t  array, v;

    if (conflict_set_init(&lists->set, trio, NULL, 0) != 0
        || conflict_set_fill(&lists->set) != 0)
    {
        return -1;
    }

    for (i = 0; i < CONFLICT_SET_ARRAYS; i++) {
        array = lists->set.arrays[i];
        n = array.tree->nodes[array.node].children;

        lists->numbers[i].data = lists->set.order[i];
        lists->numbers[i].n = n;

        lists->nodes[i] = malloc((n + 1) * sizeof(uint32_t));
        if (lists->nodes[i] == NULL) {
            return -1;
        }

        n = 0;

        for (v = conflict_tree_first(array); v.tree;
             v = conflict_tree_next(array, v))
        {
            lists->nodes[i][n++] = v.node;
        }
    }

    n = lists->numbers[CONFLICT_SET_BASE].n;

    for (i = CONFLICT_SET_SERVER; i <= CONFLICT_SET_CLIENT; i++) {
        lists->places[i] = malloc((n + 1) * sizeof(uint32_t));
        if (lists->places[i] == NULL) {
            return -1;
        }

        if (conflict_list_common(&lists->numbers[CONFLICT_SET_BASE],
                                 &lists->numbers[i], lists->places[i],
                                 &lists->walk->steps)
            != 0)
        {
            return -1;
        }
    }

    return 0;
}


static void
conflict_merge_list_free(conflict_lists_t *lists)
{
    size_t  i;

    for (i = 0; i < CONFLICT_SET_ARRAYS; i++) {
        free(lists->nodes[i]);
        free(lists->places[i]);
    }

    conflict_set_free(&lists->set);
}


/* -1: both sides have changed a piece differently */

static int
conflict_merge_list_merge(conflict_lists_t *lists)
{
    uint32_t          n, *server, *client, *end;
    conflict_piece_t  piece;

    memset(&piece, 0, sizeof(conflict_piece_t));

    server = lists->places[CONFLICT_SET_SERVER];
    client = lists->places[CONFLICT_SET_CLIENT];
    end = piece.end;
    n = lists->numbers[CONFLICT_SET_BASE].n;

    for ( ;; ) {

        /* up to the next element that all three have */

        while (end[CONFLICT_SET_BASE] < n
               && !(server[end[CONFLICT_SET_BASE]]
                    && client[end[CONFLICT_SET_BASE]]))
        {
            end[CONFLICT_SET_BASE]++;
        }

        if (end[CONFLICT_SET_BASE] == n) {
            end[CONFLICT_SET_SERVER] = lists->numbers[CONFLICT_SET_SERVER].n;
            end[CONFLICT_SET_CLIENT] = lists->numbers[CONFLICT_SET_CLIENT].n;

            return conflict_merge_list_piece(lists, &piece);
        }

        end[CONFLICT_SET_SERVER] = server[end[CONFLICT_SET_BASE]] - 1;
        end[CONFLICT_SET_CLIENT] = client[end[CONFLICT_SET_BASE]] - 1;

        if (conflict_merge_list_piece(lists, &piece) != 0) {
            return -1;
        }

        memcpy(piece.start, end, sizeof(piece.start));

        end[CONFLICT_SET_BASE]++;
        end[CONFLICT_SET_SERVER]++;
        end[CONFLICT_SET_CLIENT]++;

        conflict_merge_list_copy(lists, &piece, CONFLICT_SET_CLIENT);
        memcpy(piece.start, end, sizeof(piece.start));
    }
}


static int
conflict_merge_list_piece(conflict_lists_t *lists,
    const conflict_piece_t *piece)
{
    if (conflict_merge_list_same(lists, piece, CONFLICT_SET_SERVER,
                                 CONFLICT_SET_CLIENT))
    {
        conflict_merge_list_copy(lists, piece, CONFLICT_SET_CLIENT);
        return 0;
    }

    if (conflict_merge_list_same(lists, piece, CONFLICT_SET_BASE,
                                 CONFLICT_SET_SERVER))
    {
        lists->differs = 1;
        conflict_merge_list_copy(lists, piece, CONFLICT_SET_CLIENT);
        return 0;
    }

    if (conflict_merge_list_same(lists, piece, CONFLICT_SET_BASE,
                                 CONFLICT_SET_CLIENT))
    {
        lists->edited = 1;
        conflict_merge_list_copy(lists, piece, CONFLICT_SET_SERVER);
        return 0;
    }

    return conflict_merge_list_pairs(lists, piece);
}


static int
conflict_merge_list_same(const conflict_lists_t *lists,
    const conflict_piece_t *piece, conflict_set_array_e a,
    conflict_set_array_e b)
{
    uint32_t  n;

    n = piece->end[a] - piece->start[a];

    return n == piece->end[b] - piece->start[b]
           && (n == 0
               || memcmp(&lists->numbers[a].data[piece->start[a]],
                         &lists->numbers[b].data[piece->start[b]],
                         n * sizeof(uint32_t))
                  == 0);
}


/* pieces of equal length: each element was replaced in its place */

static int
conflict_merge_list_pairs(conflict_lists_t *lists,
    const conflict_piece_t *piece)
{
    uint32_t          i, j, n, *at;
    conflict_trio_t   trio;
    conflict_piece_t  pair;

    n = piece->end[CONFLICT_SET_BASE] - piece->start[CONFLICT_SET_BASE];

    if (piece->end[CONFLICT_SET_SERVER] - piece->start[CONFLICT_SET_SERVER]
        != n
        || piece->end[CONFLICT_SET_CLIENT] - piece->start[CONFLICT_SET_CLIENT]
           != n)
    {
        return -1;
    }

    for (i = 0; i < n; i++) {

        for (j = 0; j < CONFLICT_SET_ARRAYS; j++) {
            pair.start[j] = piece->start[j] + i;
            pair.end[j] = pair.start[j] + 1;
        }

        trio.base_known = 1;
        at = pair.start;
        trio.base = conflict_merge_list_value(lists, CONFLICT_SET_BASE,
                                              at[CONFLICT_SET_BASE]);
        trio.server = conflict_merge_list_value(lists, CONFLICT_SET_SERVER,
                                                at[CONFLICT_SET_SERVER]);
        trio.client = conflict_merge_list_value(lists, CONFLICT_SET_CLIENT,
                                                at[CONFLICT_SET_CLIENT]);

        if (conflict_merge_list_same(lists, &pair, CONFLICT_SET_SERVER,
                                     CONFLICT_SET_CLIENT)
            || conflict_merge_list_same(lists, &pair, CONFLICT_SET_BASE,
                                        CONFLICT_SET_SERVER)
            || conflict_merge_list_same(lists, &pair, CONFLICT_SET_BASE,
                                        CONFLICT_SET_CLIENT))
        {
            (void) conflict_merge_list_piece(lists, &pair);

        } else if (conflict_merge_list_object(lists, &trio,
                                              at[CONFLICT_SET_SERVER])
                   != 0)
        {
            return -1;
        }
    }

    return 0;
}


/* an object that both sides have edited, at an index of the server's */

static int
conflict_merge_list_object(conflict_lists_t *lists,
    const conflict_trio_t *trio, uint32_t at)
{
    size_t            path;
    conflict_walk_t  *walk;

    if (!conflict_merge_list_edited(trio->base, trio->server)
        || !conflict_merge_list_edited(trio->base, trio->client))
    {
        return -1;
    }

    lists->differs = 1;
    lists->edited = 1;

    if (lists->made == NULL) {
        return 0;
    }

    walk = lists->walk;
    path = conflict_merge_report_enter_index(walk, at);

    conflict_merge_list_next(lists);
    conflict_merge_rules_object(walk, trio, lists->made);

    walk->path.len = path;

    return 0;
}


/* the same object edited: at least half of its members are unchanged */

static int
conflict_merge_list_edited(conflict_value_t base, conflict_value_t now)
{
    uint32_t          same;
    conflict_value_t  v, w;

    if (conflict_tree_type(base) != CONFLICT_JSON_OBJECT
        || conflict_tree_type(now) != CONFLICT_JSON_OBJECT)
    {
        return 0;
    }

    same = 0;

    for (v = conflict_tree_first(base); v.tree;
         v = conflict_tree_next(base, v))
    {
        w = conflict_tree_member(now, v);
        same += (w.tree && conflict_compare_equal(v, w));
    }

    return same && 2 * same >= base.tree->nodes[base.node].children;
}


static conflict_value_t
conflict_merge_list_value(const conflict_lists_t *lists,
    conflict_set_array_e array, uint32_t at)
{
    conflict_value_t  value;

    value.tree = lists->set.arrays[array].tree;
    value.node = lists->nodes[array][at];

    return value;
}


static void
conflict_merge_list_copy(conflict_lists_t *lists,
    const conflict_piece_t *piece, conflict_set_array_e array)
{
    size_t                len;
    uint32_t              i;
    conflict_value_t      value;
    const unsigned char  *text;

    if (lists->made == NULL) {
        return;
    }

    for (i = piece->start[array]; i < piece->end[array]; i++) {
        value = conflict_merge_list_value(lists, array, i);
        text = conflict_tree_text(value, &len);

        conflict_merge_list_next(lists);
        conflict_buffer_add(lists->made, text, len);
    }
}


static void
conflict_merge_list_next(conflict_lists_t *lists)
{
    if (lists->n++) {
        conflict_buffer_text(lists->made, ",");
    }
}
