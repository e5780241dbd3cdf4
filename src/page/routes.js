/* The table of the routes, of which one at a time is open. */

const MAX_ROUTES = 20;      /* unless all are shown */

let allRoutes = false;

function key(route) {
    return [route.server, route.location, route.entity, route.store]
           .join('\t');
}

function routeName(route) {
    return route.location || route.entity || '(server)';
}

/* what was counted together, as there are too many routes */

function isOthers(route) {
    return !route.location && route.entity === '(others)';
}

function policyOf(route) {
    return isOthers(route) ? 'several'
           : (route.policy === 'off' ? 'locks' : route.policy)
             + (route.report ? ' (report)' : '');
}

/* the rest of its name, if there is more than one of that name */

function routeMore(route) {
    return [route.server,
            route.entity !== routeName(route) ? route.entity : '',
            data.stores.length > 1 ? 'store ' + route.store : '']
           .filter(Boolean).join(' · ');
}

/* totals of a route in the range shown */

function totals(route) {
    const bins = route[state.range];
    const names = Object.keys(bins.actions).filter(counts);

    return {
        writes: sum(bins.writes),
        conflicts: sum(names.map(name => sum(bins.actions[name]))),
        unchecked: sum(Object.values(bins.not_checked).map(sum))
    };
}

function notes(name, text) {
    return text ? [make('p', { class: 'cost' }, name),
                   make('ul', {}, ...text.split('\n').filter(Boolean)
                                         .map(note => make('li', {}, note)))]
                : [];
}

function advice(route) {
    const a = route.advice;

    if (!a) {
        return null;
    }

    return make('div', { class: 'advice is-' + a.level },
                make('p', {}, a.text),
                a.config ? code(a.config, 'directives for nginx.conf') : null,
                ...notes('Cost:', a.cost), ...notes('Notes:', a.notes));
}

function gaps(bins) {
    const list = Object.keys(bins.not_checked).map(name =>
        number(sum(bins.not_checked[name])) + ' ' + (GAPS[name] || name));

    return list.length ? make('p', { class: 'unchecked' },
                              'Not checked: ' + list.join(', ') + '.')
                       : null;
}

function clashes(route) {
    const list = route.fields.slice().sort((a, b) => b.count - a.count)
                      .slice(0, 8);

    return list.length
        ? make('p', {}, 'Fields in which bodies differed: '
               + list.map(f => f.field + ' (' + number(f.count) + ')')
                     .join(', ') + '.')
        : null;
}

function routeDetail(route, t, width) {
    const bins = route[state.range];
    const title = plural(t.conflicts, 'conflict') + ' of '
                  + plural(t.writes, 'write') + ' on ' + routeName(route);

    return make('div', { class: 'inside' }, advice(route),
        ...(t.conflicts
            ? [chart(bins, title, width), quiet(period(bins)), legend(bins)]
            : [quiet('No conflicts in this time, '
                     + plural(t.writes, 'write') + '.')]),
        gaps(bins), clashes(route),
        button('conflicts', 'Show its ' + plural(t.conflicts, 'conflict'),
            () => {
                select({ route: key(route), user: null, action: null, id: null,
                         resource: null, conflict: null }, true);
                jump('h-conflicts');
            }),
        quiet('Since ' + date(route.since) + ': '
              + plural(route.writes, 'write') + ', ' + number(route.waited)
              + ' waited (' + (route.wait_ms / 1000).toFixed(1)
              + ' s in total), ' + number(route.unknown_outcomes)
              + ' of unknown outcome, ' + number(route.fetches)
              + ' GETs by the module.'));
}

function cell(label, name, ...children) {
    return make('td', { class: name, 'data-label': label }, ...children);
}

function routeRow(route, t, open) {
    const a = route.advice, more = routeMore(route);

    return make('tr', { class: open ? 'row open' : 'row' },
        make('th', { scope: 'row' },
             button('open', routeName(route), () => {
                 select({ open: open ? null : key(route) }, true);
                 document.activeElement.scrollIntoView({ block: 'nearest' });
             }, { class: 'opener', 'aria-expanded': String(open) }),
             more ? make('div', { class: 'quiet' }, more) : null),
        cell('Policy', 'badges',
             make('span', { class: 'badge policy' }, policyOf(route)), ' ',
             a ? make('span', { class: 'badge ' + a.level }, a.level) : null),
        cell('Conflicts', 'n', make('b', {}, number(t.conflicts))),
        cell('Conflict rate', 'n', share(t.conflicts, t.writes)),
        cell('Writes', 'n', number(t.writes)),
        cell('Not checked', t.unchecked ? 'n unchecked' : 'n',
             number(t.unchecked)),
        cell('Over time', 'trend', spark(route[state.range])));
}

function routeTable() {
    const heads = ['Route', 'Policy', 'Conflicts', 'Conflict rate', 'Writes',
                   'Not checked', 'Over time'];

    return make('div', { class: 'scroll' },
        make('table', { class: 'routes stack', 'aria-label': 'Routes' },
             make('thead', {}, make('tr', {}, ...heads.map((text, i) =>
                 make('th', { scope: 'col', class: i > 1 && i < 6 ? 'n' : '' },
                      text)))),
             make('tbody', {})));
}

function showRoutes() {
    const find = $('find').querySelector('input').value.toLowerCase();
    const width = Math.max(260, $('routes').clientWidth - 36);
    const rows = [];
    let list = data.routes.map(route => ({ route, t: totals(route) }));

    $('find').hidden = data.routes.length < 8;
    $('rest').hidden = Boolean(find) || list.length <= MAX_ROUTES;
    $('rest').textContent = allRoutes ? 'Show fewer'
                                      : 'Show all ' + list.length;

    if (!list.length) {
        put($('routes'), 'none' + down().length, () => empty(down().length
            ? 'Unknown: a store does not answer.'
            : 'No guarded write was counted yet. Each route appears here '
              + 'after its first write.'));
        return;
    }

    list.sort((a, b) => b.t.conflicts - a.t.conflicts
                        || b.t.unchecked - a.t.unchecked
                        || b.t.writes - a.t.writes
                        || (key(a.route) < key(b.route) ? -1 : 1));

    list = find ? list.filter(item => key(item.route).toLowerCase()
                                      .includes(find))
                : list.filter((item, i) => allRoutes || i < MAX_ROUTES
                                           || key(item.route) === state.open);

    for (const { route, t } of list) {
        const id = key(route), open = id === state.open;
        const bins = route[state.range];

        rows.push({
            id: 'row ' + id,
            sig: JSON.stringify([t, open, route.policy, route.report,
                                 route.advice && route.advice.level,
                                 perBin(bins), data.stores.length > 1]),
            make: () => routeRow(route, t, open)
        });

        if (open) {
            rows.push({
                id: 'detail ' + id,
                sig: JSON.stringify([width, t, bins, route.advice,
                                     route.fields]),
                make: () => make('tr', { class: 'detail' },
                    make('td', { colspan: '7' },
                         routeDetail(route, t, width)))
            });
        }
    }

    put($('routes'), 'table', routeTable);
    fill($('routes').querySelector('tbody'), rows);
}
