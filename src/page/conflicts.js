/* The list of the latest conflicts: filters, the search, one that is open. */

const FEW = matchMedia('(max-width: 44rem)').matches ? 6 : 15;
const ID = /^[0-9a-f]{32}$/;

let allConflicts = false;
let knownIds = null;        /* of conflicts shown before */
const found = {};           /* lines that were searched, by conflict_id */

function who(user, client) {
    return (user || 'unknown user') + (client ? ' on ' + client : '');
}

/* the name of an entity is truncated in a route, to 127 bytes */

function ofRoute(c, id) {
    const [server, , entity] = id.split('\t');
    const name = clean(c.entity);

    return clean(c.server_name) === server
           && (name === entity
               || (entity.length > 60 && name.startsWith(entity.slice(0, 60))));
}

function isOpen(c) {
    return state.conflict !== null && c.conflict_id === state.conflict;
}

function wanted(c) {
    return (state.id === null || c.conflict_id.includes(state.id))
           && (state.route === null || ofRoute(c, state.route))
           && (state.user === null || (c.user_id || '') === state.user)
           && (state.action === null || c.action === state.action)
           && (state.resource === null || c.entity_id === state.resource)
           && (state.id !== null
               || now() - Date.parse(c.time) < SPANS[state.range]);
}

function filtered() {
    return ['route', 'user', 'action', 'resource', 'id'].some(
        name => state[name] !== null);
}

/* a line may be in the stream twice */

function distinct(lines) {
    const list = new Map();

    lines.map(readable).filter(Boolean).forEach(
        c => list.set(c.conflict_id + ' ' + c.action, c));

    return [...list.values()];
}

/*
 * A line of a stream that others can write to need not be one of the module's:
 * what it lacks is unknown.
 */

function readable(c, i) {
    const text = name => typeof c[name] === 'string' ? c[name] : null;

    if (Number.isNaN(Date.parse(text('time')))) {
        return null;
    }

    for (const name of ['conflict_id', 'action', 'policy', 'entity',
                        'entity_id', 'user_id', 'client_origin', 'method',
                        'remote_addr', 'server_name', 'client_ts',
                        'server_ts'])
    {
        c[name] = text(name);
    }

    for (const name of ['action', 'policy', 'entity']) {
        c[name] = c[name] || 'unknown';
    }

    c.conflict_id = c.conflict_id || 'unknown ' + i;

    c.fields = Array.isArray(c.fields) ? c.fields.map(String) : [];

    return c;
}

/* one that the server has found for us is not among the latest */

function conflictList() {
    const list = data.conflicts.slice();

    for (const id of [state.id, state.conflict]) {
        if (id && found[id] && !list.some(c => c.conflict_id === id)) {
            list.push(found[id]);
        }
    }

    return list;
}

/* options [text, value], the first of them null: any */

function options(id, list, value) {
    const el = $(id);

    if (!list.some(option => option[1] === value)) {
        list.push([String(value).replace(/\t/g, ' '), value]);
    }

    if (JSON.stringify(list) !== el.dataset.sig) {
        el.dataset.sig = JSON.stringify(list);
        el.replaceChildren(...list.map(option => make('option', {},
                                                      option[0])));
    }

    el.selectedIndex = list.findIndex(option => option[1] === value);
}

function chosen(id) {
    return JSON.parse($(id).dataset.sig)[$(id).selectedIndex][1];
}

function showFilters() {
    const users = new Set(data.conflicts.map(c => c.user_id || ''));
    const names = new Set(data.conflicts.map(c => c.action));

    options('f-route', [['all', null]].concat(data.routes.map(route =>
        [[routeName(route), routeMore(route)].filter(Boolean).join(' · '),
         key(route)])), state.route);

    options('f-user', [['all', null]].concat([...users].sort().map(user =>
        [user || 'unknown', user])), state.user);

    options('f-action', [['all', null]].concat([...names].sort().map(name =>
        [action(name)[0], name])), state.action);

    if (document.activeElement !== $('f-id')) {
        $('f-id').value = state.id || '';
    }

    $('clear').hidden = !filtered();
}

function fact(list, name, ...value) {
    list.append(make('dt', {}, name), make('dd', {}, ...value));
}

function stamp(text) {
    return text ? make('time', { datetime: text, title: text }, date(text))
                : 'unknown';
}

/*
 * A version that the module has minted is the time, in milliseconds, or just
 * after that of the version before.
 */

function minted(version, c) {
    const age = Date.parse(c.time) - version;

    return typeof version === 'number' && age > -60e3 && age < 3650 * 86400e3
           ? new Date(version).toISOString() : null;
}

/* of the writer, or of the server */

function side(title, c, version, at, none) {
    const list = make('dl', {}), own = minted(version, c);

    fact(list, 'Version', version === null ? none : String(version));
    fact(list, 'Changed', ...(at || !own ? [stamp(at)]
                                         : [stamp(own), ' (by its number)']));

    return make('div', { class: 'side' }, make('h4', {}, title), list);
}

function became(c) {
    const text = action(c.action)[2];

    if (c.report) {
        return 'It passed (' + c.status + '): the policy is not enforced. '
               + 'Otherwise: ' + text;
    }

    return text + (c.action === 'conflict_external' ? ''
                                           : ' Response: ' + c.status + '.');
}

function conflictDetail(c) {
    const list = make('dl', { class: 'facts' });
    const route = data.routes.find(r => ofRoute(c, key(r)));

    fact(list, 'Conflict ID', make('code', {}, c.conflict_id), ' ',
         copyButton(c.conflict_id, 'the conflict ID'));
    fact(list, 'Time', stamp(c.time));
    fact(list, 'User', c.user_id || 'unknown');
    fact(list, 'Device', c.client_origin || 'unknown');
    fact(list, 'Address', c.remote_addr || 'unknown');
    fact(list, 'Request', c.method + ' ' + c.entity_id);
    fact(list, 'Entity', c.entity);
    fact(list, 'Policy', c.policy + (c.report ? ' (report)' : ''));
    fact(list, 'Fields', c.fields.length ? c.fields.join(', ')
                                           : 'unknown');

    return make('div', { class: 'inside' },
        make('p', { class: 'became' }, became(c)),
        make('div', { class: 'sides' },
             side('What the client had edited', c, c.base_version, c.client_ts,
                  c.client_ts ? 'by its date' : 'none was sent'),
             side('What the server had', c, c.server_version, c.server_ts,
                  'unknown')),
        list,
        make('p', { class: 'links' },
            button('resource', 'All of this resource', () => {
                select({ resource: c.entity_id, route: null, user: null,
                         action: null, id: null }, true);
            }),
            button('user', 'All of this user', () => {
                select({ user: c.user_id || '', route: null, resource: null,
                         action: null, id: null }, true);
            }),
            route ? button('route', 'Open its route', () => {
                select({ open: key(route) }, true);
                jump('h-routes');
            }) : null));
}

function conflictRow(c, open, fresh) {
    const t = make('time', { datetime: c.time, title: date(c.time) }, when(c));

    return make('tr', { class: (open ? 'row open' : 'row')
                               + (fresh ? ' fresh' : '') },
        make('th', { scope: 'row' },
             button('open', c.entity_id || 'unknown', () => {
                 select({ conflict: open ? null : c.conflict_id }, true);
             }, { class: 'opener', 'aria-expanded': String(open) })),
        cell('Who', 'who', who(c.user_id, c.client_origin)),
        cell('What became of it', 'what',
             make('i', { class: 'dot k' + action(c.action)[1] }),
             action(c.action)[0] + (c.report ? ' (report)' : '')),
        cell('Fields', 'small', c.fields.join(', ') || 'unknown'),
        cell('When', 'when', t));
}

function when(c) {
    return ago((now() - Date.parse(c.time)) / 1000) + ' ago';
}

function conflictTable() {
    return make('div', { class: 'scroll' },
        make('table', { class: 'conflicts stack', 'aria-label': 'Conflicts' },
             make('thead', {}, make('tr', {},
                 ...['Resource', 'Who', 'What became of it', 'Fields', 'When']
                     .map(text => make('th', { scope: 'col' }, text)))),
             make('tbody', {})));
}

/* none, or unknown */

function noConflicts(kept) {
    const box = make('div', { class: 'empty' });

    if (state.id) {
        box.append(make('p', {}, 'No conflict with this ID is among those '
            + 'that are kept here' + (down().length ? ', but a store does not '
            + 'answer' : '') + '. Older ones are in the audit log:'),
            code("grep '" + state.id.replace(/[^\w-]/g, '')
                 + "' /var/log/nginx/conflict.log", 'a command'));

    } else if (down().length) {
        box.append('Unknown: a store does not answer.');

    } else if (kept) {
        box.append('None of the latest ' + number(kept) + ' is like this.');

    } else {
        box.append('None yet.');
    }

    return box;
}

function told(rows, kept) {
    const of = state.resource === null ? '' : ' of ' + state.resource;

    return plural(rows, 'conflict') + of + ', of the latest ' + number(kept)
           + (kept >= data.limit ? '; there may be more in the audit log.'
                                 : '.');
}

function announce() {
    const fresh = data.conflicts.filter(c => knownIds
                                             && !knownIds.has(c.conflict_id));

    if (fresh.length) {
        $('spoken').textContent = 'New conflicts, the latest one on '
                                  + fresh[0].entity_id;
    }

    knownIds = new Set(data.conflicts.map(c => c.conflict_id));

    return new Set(fresh.map(c => c.conflict_id));
}

function showConflicts() {
    const fresh = announce(), kept = data.conflicts.length;
    const list = conflictList().filter(c => wanted(c)
                                       || (isOpen(c) && !filtered()));
    const limit = allConflicts ? list.length : FEW;
    const rows = [];

    list.sort((a, b) => a.time < b.time ? 1 : -1);

    showFilters();

    $('more').hidden = list.length <= FEW;
    $('more').textContent = allConflicts ? 'Show fewer'
                                         : 'Show all ' + list.length;
    $('shown').textContent = list.length ? told(list.length, kept) : '';

    if (!list.length) {
        const sig = [kept, state.id, down().length].join();

        put($('conflicts'), sig, () => noConflicts(kept));
        return;
    }

    list.forEach((c, i) => {
        const open = isOpen(c);

        if (i >= limit && !open) {
            return;
        }

        rows.push({
            id: 'row ' + c.conflict_id + c.action,
            sig: String(open),
            make: () => conflictRow(c, open, fresh.has(c.conflict_id))
        });

        if (open) {
            rows.push({
                id: 'detail ' + c.conflict_id + c.action,
                sig: '',
                make: () => make('tr', { class: 'detail' },
                    make('td', { colspan: '5' }, conflictDetail(c)))
            });
        }
    });

    put($('conflicts'), 'table', conflictTable);

    const body = $('conflicts').querySelector('tbody');

    fill(body, rows);

    for (const t of body.querySelectorAll('.when time')) {
        t.textContent = when({ time: t.dateTime });
    }
}

/* asks the server for one that is not among the latest */

function search(id) {
    if (!id || !ID.test(id) || id in found
        || data.conflicts.some(c => c.conflict_id === id))
    {
        return;
    }

    found[id] = null;

    fetch('?format=json&limit=1&id=' + id, { cache: 'no-store',
                                             credentials: 'same-origin' })
        .then(r => r.ok ? r.json() : Promise.reject())
        .then(json => {
            found[id] = distinct(json.conflicts)[0] || null;
            show();
        })
        .catch(() => { delete found[id]; });
}
