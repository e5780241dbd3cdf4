/* Elements, numbers, times; and what the address of the page selects. */

const SVG = 'http://www.w3.org/2000/svg';
const LOCALE = 'en-GB';
const PATIENCE = 30000;     /* milliseconds, for a response */

/* of the bins, milliseconds */

const SPANS = { minutes: 3600e3, hours: 48 * 3600e3, days: 90 * 86400e3 };

/* a label, a color, and what became of the write */

const ACTIONS = {
    conflict_version: ['refused as stale', 1,
        'Refused: nothing was changed. The client got the latest body, and '
        + 'has to merge the two and write again.'],
    conflict_lww: ['overwrote a change', 2,
        'It passed, and overwrote the version of the server, which its client '
        + 'had not seen.'],
    conflict_client_wins: ['overwrote a change (client wins)', 2,
        'It passed, and overwrote the version of the server, which its client '
        + 'had not seen.'],
    conflict_server_wins: ['dropped', 3,
        'Dropped: the version of the server stays. The client got the latest '
        + 'body.'],
    conflict_merge: ['merged', 5,
        'Merged with the version of the server. In the fields named here a '
        + 'rule has decided; in all others the edits of both are kept.'],
    conflict_deleted: ['written after a delete', 8,
        'The resource had been deleted meanwhile.'],
    conflict_locked: ['locked by another user', 4,
        'Refused: another user holds the lock.'],
    conflict_busy: ['met another write', 6,
        'It waited for another write that was in flight, and that took too '
        + 'long.'],
    conflict_required: ['refused without a base', 7,
        'Refused: it did not say which version it had edited.'],
    conflict_unchecked: ['passed unchecked', 6,
        'It passed without a check, as the store did not answer or its body '
        + 'could not be read. It may have overwritten a change.'],
    conflict_external: ['changed bypassing the proxy', 7,
        'Not a write through this proxy: a read has found that the resource '
        + 'was changed elsewhere.'],
    conflict_overlapped: ['overlapped', 1,
        'The upstream has carried it out after another write had been '
        + 'accepted. One of the two may be lost: look at the resource.'],
    lock_taken: ['lock taken over', 4,
        'The same user took the lock over from another device.'],
    lock_forced: ['lock released by force', 4,
        'The lock of another user was released.']
};

const GAPS = {
    without_base: 'without a base',
    unchecked: 'that could not be checked',
    unguarded: 'by methods that are not guarded'
};

let data = null;

/* in the address; null: any */

const state = {
    range: 'hours',
    open: null,             /* a route, by its key() */
    route: null,
    user: null,             /* '': unknown */
    action: null,
    resource: null,
    id: null,               /* what is searched */
    conflict: null          /* the one that is open */
};

const KEYS = Object.keys(state);

function $(id) {
    return document.getElementById(id);
}

/* a response that does not come is no reason to show what is outdated */

async function ask(url, who) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(
        new Error(who + ' has not responded')), PATIENCE);

    try {
        const r = await fetch(url, { cache: 'no-store', signal: abort.signal,
                                     credentials: 'same-origin' });

        if (!r.ok) {
            throw new Error(who + ' responded with status ' + r.status);
        }

        return await r.text();

    } finally {
        clearTimeout(timer);
    }
}

/* inserts strings as text, so that no data becomes markup */

function make(tag, attrs, ...children) {
    const el = document.createElement(tag);

    for (const [name, value] of Object.entries(attrs)) {
        el.setAttribute(name, value);
    }

    el.append(...children.filter(c => c !== null && c !== undefined));

    return el;
}

function draw(tag, attrs, text) {
    const el = document.createElementNS(SVG, tag);

    for (const [name, value] of Object.entries(attrs)) {
        el.setAttribute(name, value);
    }

    if (text !== undefined) {
        el.textContent = text;
    }

    return el;
}

/* "id" finds it again once the data has changed, to keep the focus */

function button(id, text, run, attrs) {
    const el = make('button', Object.assign({ type: 'button', 'data-id': id },
                                            attrs), text);

    el.addEventListener('click', run);

    return el;
}

function empty(text) {
    return make('p', { class: 'empty' }, text);
}

function quiet(text) {
    return make('p', { class: 'quiet' }, text);
}

/*
 * Shows items { id, sig, make } in a box.  An element stays as it is while its
 * "sig" does not change, so that nothing that is read, selected or focused is
 * replaced without a reason.
 */

const shownItems = new WeakMap();

function fill(box, items) {
    const before = shownItems.get(box) || new Map();
    const after = new Map();
    let last = null;

    for (const item of items) {
        const was = before.get(item.id);
        let el = was && was.el;

        if (!was || was.sig !== item.sig) {
            const focus = el && el.contains(document.activeElement)
                          && document.activeElement.dataset.id;

            el = item.make();

            if (was) {
                was.el.replaceWith(el);
            }

            if (focus) {
                const next = el.querySelector('[data-id='
                                              + CSS.escape(focus) + ']');

                (next || el).focus({ preventScroll: true });
            }
        }

        const place = last ? last.nextSibling : box.firstChild;

        if (place !== el) {
            box.insertBefore(el, place);
        }

        after.set(item.id, { sig: item.sig, el });
        last = el;
    }

    while (box.lastChild !== last) {
        box.lastChild.remove();
    }

    shownItems.set(box, after);
}

/* the same for one element */

function put(box, sig, build) {
    fill(box, [{ id: 'all', sig, make: build }]);
}

function number(n) {
    if (n === null || n === undefined) {
        return 'unknown';
    }

    return n < 1e5 ? n.toLocaleString('en')
                   : n.toLocaleString('en', { notation: 'compact',
                                              maximumFractionDigits: 1 });
}

function share(n, all) {
    if (!all) {
        return '–';
    }

    return (100 * n / all).toFixed(n && n / all < .1 ? 2 : 0) + ' %';
}

function bytes(n) {
    const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
    let i = 0;

    if (n === null) {
        return 'unknown';
    }

    while (n >= 1024 && i < 4) {
        n /= 1024;
        i++;
    }

    return (i && n < 10 ? n.toFixed(1) : Math.round(n)) + ' ' + units[i];
}

function plural(n, one, many) {
    return number(n) + ' ' + (n === 1 ? one : many || one + 's');
}

function ago(seconds) {
    if (seconds < 60) {
        return Math.max(0, Math.round(seconds)) + ' s';
    }

    if (seconds < 3600) {
        return Math.round(seconds / 60) + ' min';
    }

    if (seconds < 86400 * 2) {
        return Math.round(seconds / 3600) + ' h';
    }

    return Math.round(seconds / 86400) + ' days';
}

/* date and time of a timestamp, for reading */

function date(text, options) {
    return new Date(text).toLocaleString(LOCALE, options || {
        weekday: 'short', day: 'numeric', month: 'short', year: 'numeric',
        hour: '2-digit', minute: '2-digit', second: '2-digit'
    });
}

function now() {
    return Date.parse(data.time);
}

function sum(list) {
    return list.reduce((a, b) => a + b, 0);
}

function action(name) {
    return Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : [name, 7, ''];
}

/* logged locks are not conflicts */

function counts(name) {
    return !name.startsWith('lock_');
}

/* the stores that do not answer: what they know is unknown */

function down() {
    return data.stores.filter(store => !store.up);
}

/* whether stores know all that was counted */

function counted() {
    return data.stores.every(store => store.up && !store.uncounted);
}

function atLeast(n) {
    return (counted() ? '' : '≥ ') + number(n);
}

/* without control characters, as in the names of routes */

function clean(text) {
    return (text || '').replace(/[\x00-\x1f\x7f]/g, '?');
}

/* copies a text; without the clipboard of a secure page, by selecting it */

function copyButton(text, name) {
    const el = button('copy', 'Copy', () => {
        const done = good => {
            el.textContent = good ? 'Copied' : 'Press Ctrl+C';
            setTimeout(() => { el.textContent = 'Copy'; }, 2000);
        };

        if (navigator.clipboard) {
            navigator.clipboard.writeText(text).then(() => done(true),
                                                     () => done(byHand()));
        } else {
            done(byHand());
        }
    }, { class: 'copy', 'aria-label': 'Copy ' + name });

    function byHand() {
        const area = make('textarea', { class: 'hidden', readonly: '' });

        area.value = text;
        el.after(area);
        area.select();

        const good = document.execCommand('copy');

        area.remove();
        el.focus({ preventScroll: true });

        return good;
    }

    return el;
}

function code(text, name) {
    return make('div', { class: 'code' },
                make('pre', { tabindex: '0', 'aria-label': name }, text),
                copyButton(text, name));
}

/* the address */

function readAddress() {
    const args = new URLSearchParams(location.search);

    for (const name of KEYS) {
        state[name] = args.get(name);
    }

    if (!Object.hasOwn(SPANS, state.range)) {
        state.range = 'hours';
    }
}

/* "step": the way back leads to where it was */

function select(change, step) {
    const args = new URLSearchParams();

    Object.assign(state, change);

    for (const name of KEYS) {
        if (state[name] !== null
            && !(name === 'range' && state.range === 'hours'))
        {
            args.set(name, state[name]);
        }
    }

    const address = location.pathname + (String(args) && '?' + args);

    history[step ? 'pushState' : 'replaceState'](null, '', address);
    show();
}

function jump(id) {
    $(id).focus({ preventScroll: true });
    $(id).scrollIntoView({ block: 'start' });
}
