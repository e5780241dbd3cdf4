/*
 * The rule "list": arrays are merged by element, as texts are by line.  The
 * elements that all three have in common divide them into pieces; each piece
 * may be changed by one side.  The algorithm is that of the server (src/core),
 * so that both align the same elements.
 */

import { canonical, isObject, member, equal } from './json.js';

const EDITS = 1000;         /* between two arrays, at most */
const STEPS = 4000000;      /* comparisons of elements in a merge */

/*
 * The elements of the result, in order: { side, at } is an element of a side,
 * { at, trio } an object that both sides have edited.  null: the array clashes.
 */

export function alignLists(trio, budget) {
    const arrays = [trio.base, trio.server, trio.client];
    const numbers = numbered(arrays);
    const places = [common(numbers[0], numbers[1], budget)];

    places[1] = places[0] && common(numbers[0], numbers[2], budget);

    if (!places[1]) {
        return null;
    }

    const work = { arrays, numbers, out: [], differs: false, edited: false };
    let start = [0, 0, 0], end = [0, 0, 0];

    for ( ;; ) {
        while (end[0] < numbers[0].length
               && !(places[0][end[0]] && places[1][end[0]]))
        {
            end[0]++;
        }

        const last = end[0] === numbers[0].length;

        end = last ? numbers.map(n => n.length)
                   : [end[0], places[0][end[0]] - 1, places[1][end[0]] - 1];

        if (!piece(work, start, end)) {
            return null;
        }

        if (last) {
            return work;
        }

        copy(work, 2, end[2], end[2] + 1);

        start = end.map(n => n + 1);
        end = [...start];
    }
}

export function listBudget() {
    return { steps: STEPS };
}

function numbered(arrays) {
    const known = new Map();

    return arrays.map(array => array.map(value => {
        const key = canonical(value);

        if (!known.has(key)) {
            known.set(key, known.size);
        }

        return known.get(key);
    }));
}

/* false: both sides have changed it differently */

function piece(work, start, end) {
    if (same(work, 1, 2, start, end)) {
        copy(work, 2, start[2], end[2]);

    } else if (same(work, 0, 1, start, end)) {
        work.differs = true;
        copy(work, 2, start[2], end[2]);

    } else if (same(work, 0, 2, start, end)) {
        work.edited = true;
        copy(work, 1, start[1], end[1]);

    } else {
        return pairs(work, start, end);
    }

    return true;
}

function same(work, a, b, start, end) {
    const n = end[a] - start[a];

    if (n !== end[b] - start[b]) {
        return false;
    }

    for (let i = 0; i < n; i++) {
        if (work.numbers[a][start[a] + i] !== work.numbers[b][start[b] + i]) {
            return false;
        }
    }

    return true;
}

function copy(work, side, from, to) {
    for (let at = from; at < to; at++) {
        work.out.push({ side, at });
    }
}

/* if all sides have equally many, elements at the same index are paired */

function pairs(work, start, end) {
    const n = end[0] - start[0];

    if (end[1] - start[1] !== n || end[2] - start[2] !== n) {
        return false;
    }

    for (let i = 0; i < n; i++) {
        const from = start.map(at => at + i);
        const to = from.map(at => at + 1);

        if (same(work, 1, 2, from, to) || same(work, 0, 1, from, to)
            || same(work, 0, 2, from, to))
        {
            piece(work, from, to);
            continue;
        }

        const [base, server, client] = work.arrays.map((a, j) => a[from[j]]);

        if (!isEdit(base, server) || !isEdit(base, client)) {
            return false;
        }

        work.differs = work.edited = true;
        work.out.push({ at: from[1], trio: { base, server, client } });
    }

    return true;
}

/* an edit, not another object: at least half of its members are unchanged */

function isEdit(base, now) {
    if (!isObject(base) || !isObject(now)) {
        return false;
    }

    const names = Object.keys(base);
    const kept = names.filter(name => member(now, name) !== undefined
                                      && equal(base[name], now[name])).length;

    return kept > 0 && 2 * kept >= names.length;
}

/*
 * For each number of "a" its place in "b", from 1, or 0 if it is not in a
 * longest common subsequence (E. Myers, "An O(ND) difference algorithm",
 * 1986).  null: there are too many edits between them.
 */

function common(a, b, budget) {
    const most = Math.min(a.length, b.length);
    const places = new Array(a.length).fill(0);
    let first = 0, last = 0;

    if (most > budget.steps) {
        return null;
    }

    budget.steps -= most;

    for ( ; first < most && a[first] === b[first]; first++) {
        places[first] = first + 1;
    }

    for ( ; last < most - first
            && a[a.length - last - 1] === b[b.length - last - 1]; last++)
    {
        places[a.length - last - 1] = b.length - last;
    }

    const walk = {
        a: a.slice(first, a.length - last), b: b.slice(first, b.length - last),
        rows: []
    };

    if (walk.a.length === 0 || walk.b.length === 0) {
        return places;
    }

    const edits = rowsOf(walk, budget);

    if (edits < 0) {
        return null;
    }

    back(walk, edits, first, places);

    return places;
}

/* row by row, with one more edit each; a row has the furthest places in "a" */

function rowsOf(walk, budget) {
    const { a, b, rows } = walk;
    const most = Math.min(a.length + b.length, EDITS);

    for (let d = 0; d <= most; d++) {
        const row = rows[d] = new Int32Array(d + 1);

        for (let i = 0; i <= d; i++) {
            let x = startOf(walk, d, i), y = x - (2 * i - d);

            if (budget.steps-- <= 0) {
                return -1;
            }

            while (x >= 0 && x < a.length && y < b.length && a[x] === b[y]) {
                x++;
                y++;

                if (budget.steps-- <= 0) {
                    return -1;
                }
            }

            row[i] = x;

            if (x === a.length && y === b.length) {
                return d;
            }
        }
    }

    return -1;
}

function startOf(walk, d, i) {
    if (d === 0) {
        return 0;
    }

    const k = 2 * i - d, before = walk.rows[d - 1];
    let x = -1;

    if (i < d && before[i] >= 0 && before[i] - k <= walk.b.length) {
        x = before[i];
    }

    if (i > 0 && before[i - 1] >= 0 && before[i - 1] < walk.a.length
        && before[i - 1] + 1 > x)
    {
        x = before[i - 1] + 1;
    }

    return x;
}

function back(walk, edits, first, places) {
    let x = walk.a.length, y = walk.b.length;

    for (let d = edits; d >= 0; d--) {
        const i = (x - y + d) / 2;
        const start = startOf(walk, d, i);

        while (x > start) {
            x--;
            y--;
            places[first + x] = first + y + 1;
        }

        if (d > 0) {
            if (i < d && walk.rows[d - 1][i] === x
                && x - (2 * i - d) <= walk.b.length)
            {
                y--;

            } else {
                x--;
            }
        }
    }
}
