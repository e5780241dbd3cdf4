/*
 * Texts by words: what differs between two of them, and the merge of two
 * changes of a third.
 */

function words(text) {
    return text.match(/\s+|[^\s]+/g) || [];
}

const MOST = 4e6;          /* pairs of words that are compared */

/* pairs of indices of a common subsequence: the one with most words in it */

function common(a, b) {
    if (a.length * b.length > MOST) {
        return [];
    }

    const length = Array.from({ length: a.length + 1 },
                              () => new Uint32Array(b.length + 1));
    const weight = word => word.trim() === '' ? 1 : 3;
    const pairs = [];

    for (let i = a.length - 1; i >= 0; i--) {
        for (let k = b.length - 1; k >= 0; k--) {
            length[i][k] = Math.max(length[i + 1][k], length[i][k + 1],
                a[i] === b[k] ? length[i + 1][k + 1] + weight(a[i]) : 0);
        }
    }

    for (let i = 0, k = 0; i < a.length && k < b.length; ) {
        if (a[i] === b[k] && length[i][k] === length[i + 1][k + 1]
                                              + weight(a[i]))
        {
            pairs.push([i++, k++]);

        } else if (length[i + 1][k] >= length[i][k + 1]) {
            i++;

        } else {
            k++;
        }
    }

    return pairs;
}

/* [text, whether it differs from the other one], in pieces */

export function differences(text, other) {
    const a = words(text);
    const same = new Set(common(a, words(other)).map(([i]) => i));
    const pieces = [];

    for (const [i, word] of a.entries()) {
        const differs = !same.has(i);

        if (pieces.length > 0 && pieces.at(-1)[1] === differs) {
            pieces.at(-1)[0] += word;

        } else {
            pieces.push([word, differs]);
        }
    }

    return pieces;
}

/* null: both have changed the same words */

export function mergeWords(base, mine, theirs) {
    const [b, m, t] = [base, mine, theirs].map(words);
    const inMine = new Map(common(b, m)), inTheirs = new Map(common(b, t));
    const merged = [];
    let at = { b: 0, m: 0, t: 0 };

    /* the pieces between words that all three have */

    for (let i = 0; i <= b.length; i++) {
        const next = i === b.length
                     ? { b: i, m: m.length, t: t.length }
                     : { b: i, m: inMine.get(i), t: inTheirs.get(i) };

        if (next.m === undefined || next.t === undefined) {
            continue;
        }

        const was = b.slice(at.b, next.b).join('');
        const my = m.slice(at.m, next.m).join('');
        const their = t.slice(at.t, next.t).join('');

        if (my !== was && their !== was && my !== their) {
            return null;
        }

        merged.push(my === was ? their : my, b[i] ?? '');
        at = { b: next.b + 1, m: next.m + 1, t: next.t + 1 };
    }

    return merged.join('');
}
