/* What needs action, totals, stores; loads the data periodically. */

const INTERVAL = 5000;      /* milliseconds, at least */
const MINUTE = 60000;
const LINES = 100;          /* of the log, unless they are filtered */
const MAX_LINES = 1000;

let paused = false;
let timer = 0;
let loads = 0;              /* the number of the last load */

/* sums over all routes in the range shown */

function all() {
    const n = { writes: 0, conflicts: 0, unchecked: 0, overlapped: 0,
                gaps: {} };

    for (const route of data.routes) {
        const t = totals(route), bins = route[state.range];

        n.writes += t.writes;
        n.conflicts += t.conflicts;
        n.unchecked += t.unchecked;
        n.overlapped += sum(bins.actions.conflict_overlapped || []);

        for (const [name, list] of Object.entries(bins.not_checked)) {
            n.gaps[name] = (n.gaps[name] || 0) + sum(list);
        }
    }

    return n;
}

/* the routes for which a condition holds, as buttons that open them */

function culprits(condition) {
    const list = data.routes.filter(condition);

    return list.slice(0, 4).map(route => button(key(route), routeName(route),
        () => {
            select({ open: key(route) }, true);
            jump('h-routes');
        })).concat(list.length > 4 ? [quiet('and ' + (list.length - 4)
                                            + ' more')] : []);
}

function hasGap(name) {
    return route => sum(route[state.range].not_checked[name] || []) > 0;
}

/* by store: requests without an answer, and when they became more */

const unanswered = {}, undetermined = {};

function noteErrors({ name, errors }) {
    note(unanswered, name, errors ? errors.down + errors.generation : 0);
    note(undetermined, name, errors ? errors.get : 0);
}

function note(list, name, count) {
    const before = list[name];

    list[name] = {
        count,
        grown: !before ? -Infinity
                       : count > before.count ? Date.now() : before.grown
    };
}

/* what a store has lost: counter, level, one, many, what became of it */

const LOST = [
    ['unsettled', 'bad', 'outcome', 'outcomes', 'did not reach it'],
    ['stream_dropped', 'bad', 'line', 'lines',
     'of the audit stream did not reach it'],
    ['not_held', 'watch', 'body', 'bodies',
     'that lost a conflict could not be held'],
    ['blobs_evicted', 'watch', 'stored response or held body',
     'stored responses or held bodies', 'evicted early: enlarge its blobs']
];

/* items: level, text, word of the help, buttons */

function storeActions(store) {
    const list = [];

    if (!store.up) {
        list.push(['bad', 'The store ' + store.name + ' does not answer: '
                   + store.error + '. Its writes are refused, or pass '
                   + 'unchecked. What it has counted is unknown.',
                   'unknown']);

    } else if (store.settling) {

        /* without a countdown, which would be announced at each update */

        list.push(['bad', 'The store ' + store.name + ' is new or was '
                   + 'restarted: for some seconds it knows no earlier version '
                   + 'and holds back writes.', 'settling']);

    } else if (Date.now() - unanswered[store.name].grown < MINUTE) {
        list.push(['bad', 'The store ' + store.name + ' has not answered, or '
                   + 'has refused, requests of this minute: their writes are '
                   + 'refused, or pass unchecked. The error log says why.',
                   null]);
    }

    if (Date.now() - undetermined[store.name].grown < MINUTE) {
        list.push(['bad', 'Writes of the store ' + store.name + ' were refused '
                   + 'in this minute, as the API did not answer a GET of their '
                   + 'resource, or not with a version.', null]);
    }

    if (store.errors && store.errors.full) {
        list.push(['bad', 'The store ' + store.name + ' was full for '
                   + plural(store.errors.full, 'request') + ' since nginx was '
                   + 'started: enlarge its zone, or blobs= if the error log '
                   + 'says so.', null]);
    }

    for (const [name, level, one, many, became] of LOST) {

        if (store[name]) {
            list.push([level, 'The store ' + store.name + ', since nginx was '
                       + 'started: ' + plural(store[name], one, many) + ' '
                       + became + '.', null]);
        }
    }

    if (store.uncounted) {
        list.push(['bad', 'The store ' + store.name + ' does not take counts: '
                   + plural(store.uncounted, 'request') + ' of this host '
                   + 'are missing here.', 'unknown']);
    }

    if (store.dirty) {
        list.push(['watch', plural(store.dirty, 'unresolved write')
                   + ' in the store ' + store.name + ': nobody knows whether '
                   + 'they were done, and their resources are closed to '
                   + 'writes.', 'unresolved']);
    }

    return list;
}

function actions(n) {
    const list = data.stores.flatMap(storeActions);
    const change = data.routes.filter(r => r.advice
                                           && r.advice.level === 'change');

    if (n.overlapped) {
        list.push(['bad', plural(n.overlapped, 'write') + ' overlapped: of '
                   + 'each pair one may be lost.', 'overlapped',
                   [button('overlapped', 'Show them', () => {
                       select({ action: 'conflict_overlapped', route: null,
                                user: null, resource: null, id: null }, true);
                       jump('h-conflicts');
                   })]]);
    }

    if (n.gaps.unchecked) {
        list.push(['bad', plural(n.gaps.unchecked, 'write')
                   + ' passed unchecked.', 'unchecked',
                   culprits(hasGap('unchecked'))]);
    }

    if (n.gaps.without_base) {
        list.push(['watch', plural(n.gaps.without_base, 'write')
                   + ' passed without a base: nobody knows what was '
                   + 'overwritten.', 'unchecked',
                   culprits(hasGap('without_base'))]);
    }

    if (n.gaps.unguarded) {
        list.push(['watch', plural(n.gaps.unguarded, 'request')
                   + ' passed with a method that is not guarded.',
                   'unchecked', culprits(hasGap('unguarded'))]);
    }

    if (change.length) {
        list.push(['watch', (change.length === 1 ? 'A route' : number(
                       change.length) + ' routes') + ' should have another '
                   + 'policy.', 'advice',
                   culprits(r => change.includes(r))]);
    }

    if (data.audit_errors) {
        list.push(['bad', plural(data.audit_errors, 'line') + ' of the audit '
                   + 'log could not be written since nginx was started.',
                   null]);
    }

    if (data.resolver.failed) {
        list.push(['watch', plural(data.resolver.failed, 'question')
                   + ' had no usable answer of a resolver since nginx was '
                   + 'started: the writes were refused. The error log says '
                   + 'why.', null]);
    }

    return list;
}

/* announced by screen readers, so changed only if it is another one */

function showActions(n) {
    const list = actions(n);
    const items = list.map(([level, text, word, buttons]) => ({
        id: text,
        sig: JSON.stringify((buttons || []).map(b => b.dataset.id)),
        make: () => make('div', { class: 'act is-' + level },
            make('p', {}, text, ' ', word ? make('a', { href: '#help-' + word },
                                                 'What is this?') : null),
            buttons && buttons.length
                ? make('p', { class: 'links' }, ...buttons) : null)
    }));

    if (!items.length) {
        items.push({ id: 'none', sig: String(data.routes.length > 0),
                     make: () =>
            data.routes.length
                ? make('p', { class: 'act is-good' }, 'Nothing.')
                : quiet('Nothing was counted yet.') });
    }

    fill($('action'), items);
}

function showTiles(n) {
    const held = data.stores.map(store => store.locks);
    const dirty = data.stores.map(store => store.dirty);
    const total = list => list.some(k => k === null) ? null : sum(list);

    const tiles = [
        ['Conflict rate', counted() ? share(n.conflicts, n.writes)
                                    : 'unknown'],
        ['Conflicts', atLeast(n.conflicts)],
        ['Writes', atLeast(n.writes)],
        ['Not checked', atLeast(n.unchecked)],
        ['Writes in flight', number(data.writes_in_flight)],
        ['Unresolved writes', number(total(dirty))],
        ['Locks held', number(total(held))]
    ];

    fill($('tiles'), tiles.map(([name, value]) => ({
        id: name,
        sig: value,
        make: () => make('div', {}, make('dt', {}, name),
            make('dd', { class: value === 'unknown' ? 'unknown' : '' },
                 value))
    })));
}

function table(name, heads, rows) {
    return make('div', { class: 'scroll' },
        make('table', { class: 'stack plain', 'aria-label': name },
             make('thead', {}, make('tr', {}, ...heads.map(([text, kind]) =>
                 make('th', { scope: 'col', class: kind }, text)))),
             make('tbody', {}, ...rows.map(row => make('tr', { class: 'row' },
                 ...row.map((text, i) => i ? cell(...heads[i], text)
                     : make('th', { scope: 'row' }, text)))))));
}

function showResources() {
    const n = new Map();

    for (const r of data.resources) {
        n.set(r.resource, (n.get(r.resource) || 0) + r.conflicts);
    }

    const list = [...n].sort((a, b) => b[1] - a[1]).slice(0, 10);

    put($('resources'), JSON.stringify([list, down().length]), () =>
        list.length ? table('Resources with the most conflicts',
                            [['Resource', ''], ['Conflicts', 'n']],
                            list.map(([name, k]) => [name, number(k)]))
                    : empty(down().length ? 'Unknown: a store does not answer.'
                                          : 'None.'));
}

function showLocks() {
    const rows = data.locks.map(lock => [
        lock.resource, who(lock.user, lock.client),
        ago((now() - Date.parse(lock.acquired_at)) / 1000) + ' ago',
        'in ' + ago(lock.expires_in)
    ]);

    put($('locks'), JSON.stringify([rows, down().length]), () => rows.length
        ? table('Locks held now', [['Resource', ''], ['Who', ''],
                                   ['Acquired', ''], ['Expires', '']], rows)
        : empty(down().length ? 'Unknown: a store does not answer.'
                              : 'None.'));
}

/* upper bound of the bucket with the quantile q, 0 to 1 */

function quantile(latency, q) {
    let n = 0;

    if (!latency.count) {
        return 'unknown';
    }

    for (const bucket of latency.buckets) {
        n += bucket.count;

        if (n >= q * latency.count) {
            return bucket.up_to_us === null
                   ? 'over 250 ms' : '≤ ' + bucket.up_to_us / 1000 + ' ms';
        }
    }
}

function storeCard(store) {
    const list = make('dl', {}), latency = store.round_trips;

    fact(list, 'Counts cover', store.counts_of === 'fleet' ? 'the fleet'
                                                           : 'this host');
    fact(list, store.kind === 'redis' ? 'Keys' : 'Resources',
         number(store.entries));
    fact(list, 'Memory', bytes(store.memory_bytes)
         + (store.size_bytes ? ' of ' + bytes(store.size_bytes) : ''));
    fact(list, 'Evicted', number(store.evicted));
    fact(list, 'Writes in flight', number(store.leases));
    fact(list, 'Unresolved writes', number(store.dirty));
    fact(list, 'Locks held', number(store.locks));

    if (store.errors) {
        fact(list, 'Requests not answered', number(store.errors.down
             + store.errors.full + store.errors.generation));
    }

    if (store.kind === 'redis') {
        fact(list, 'Outcomes lost', number(store.unsettled));
    }

    if (store.kind === 'redis' && latency) {
        fact(list, 'p50', quantile(latency, .5));
        fact(list, 'p99', quantile(latency, .99));
    }

    return make('div', { class: 'card' },
        make('h3', {}, make('span', {}, store.name + ' (' + store.kind + ')'),
             make('span', { class: 'badge ' + (store.up ? 'keep' : 'down') },
                  store.up ? 'up' : 'down')),
        store.error ? quiet(store.error) : null,
        store.leases === null && store.up
            ? quiet('Redis does not tell what is in flight or unresolved.')
            : null,
        list);
}

function showStores() {
    fill($('stores'), data.stores.map(store => ({
        id: store.name,
        sig: JSON.stringify(store),
        make: () => storeCard(store)
    })));
}

function showElsewhere() {
    const here = location.origin + location.pathname;
    const list = $('elsewhere');

    fact(list, 'The numbers, as JSON',
         code("curl '" + here + "?format=json&view=badge&since=24h'",
              'a command'));
    fact(list, 'The latest conflicts',
         code("curl '" + here + "?format=json&since=1h&limit=20'",
              'a command'));
    fact(list, 'A widget for another page, of an origin that '
               + 'conflict_status_frames names',
         code('<iframe src="' + here + '?view=badge" title="Write conflicts" '
              + 'width="320" height="120"></iframe>', 'the lines for a page'));
}

function openHelp() {
    if (location.hash.startsWith('#help')) {
        $('help').querySelector('details').open = true;
        $(location.hash.slice(1))?.scrollIntoView({ block: 'start' });
    }
}

function show() {
    if (!data) {
        return;
    }

    const n = all();

    $('where').textContent = data.host + ' ·';
    $('updated').textContent = date(data.time, { hour: '2-digit',
                                                 minute: '2-digit',
                                                 second: '2-digit' });

    document.querySelector('[name=range][value=' + state.range + ']')
            .checked = true;

    showActions(n);
    showTiles(n);
    showRoutes();
    showConflicts();
    showResources();
    showLocks();
    showStores();
    showHeld();

    search(state.id);
    search(state.conflict);
}

function problem(text) {
    if ($('problem').textContent !== text) {
        $('problem').textContent = text;
    }

    $('problem').hidden = !text;
}

/* a server that needs long for it is asked less often */

async function load() {
    const turn = ++loads, begin = performance.now();
    const limit = filtered() || allConflicts ? MAX_LINES : LINES;

    clearTimeout(timer);

    try {
        const json = JSON.parse(await ask('?format=json&limit=' + limit,
                                          'nginx'));

        if (turn !== loads) {
            return;
        }

        data = json;
        data.conflicts = distinct(data.conflicts);
        data.limit = limit;
        data.stores.forEach(noteErrors);
        problem('');
        show();

        if (data.inbox) {
            loadHeld();
        }

    } catch (e) {
        if (turn !== loads) {
            return;
        }

        problem((data ? 'Cannot update, the data shown is outdated: '
                      : 'Cannot load: ') + e.message);
    }

    if (!paused && !document.hidden) {
        timer = setTimeout(load, Math.max(INTERVAL,
                                          20 * (performance.now() - begin)));
    }
}

function choose(change, step) {
    const more = filtered();

    select(change, step);

    if (data && filtered() && !more) {
        load();
    }
}

for (const input of document.querySelectorAll('[name=range]')) {
    input.addEventListener('change',
                           () => select({ range: input.value }, true));
}

$('f-route').addEventListener('change',
    () => choose({ route: chosen('f-route') }, true));
$('f-user').addEventListener('change',
    () => choose({ user: chosen('f-user') }, true));
$('f-action').addEventListener('change',
    () => choose({ action: chosen('f-action') }, true));
$('f-id').addEventListener('input', () => {
    const id = $('f-id').value.trim().toLowerCase();

    choose({ id: id || null, conflict: ID.test(id) ? id : null });
});

$('filters').addEventListener('submit', e => e.preventDefault());
$('filters').addEventListener('reset', e => {
    e.preventDefault();
    $('f-id').value = '';
    select({ route: null, user: null, action: null, resource: null, id: null },
           true);
});

$('find').querySelector('input').addEventListener('input', () => showRoutes());

$('rest').addEventListener('click', () => {
    allRoutes = !allRoutes;
    showRoutes();
});

$('more').addEventListener('click', () => {
    allConflicts = !allConflicts;
    showConflicts();

    if (allConflicts) {
        load();
    }
});

$('pause').addEventListener('click', () => {
    paused = !paused;
    $('pause').setAttribute('aria-pressed', String(paused));
    $('pause').textContent = paused ? 'Resume' : 'Pause';

    if (!paused) {
        load();
    }
});

window.addEventListener('resize', () => data && showRoutes());

window.addEventListener('popstate', () => {
    readAddress();
    show();
});

document.addEventListener('visibilitychange', () => {
    if (!document.hidden && !paused) {
        load();
    }
});

/* a word of the help that is linked */

window.addEventListener('hashchange', openHelp);

readAddress();
openHelp();
showElsewhere();
load();
