'use strict';

/* Shows the data of ?format=json, and reloads it periodically. */

(function () {
    var INTERVAL = 5000;    /* milliseconds */
    var MAX_ROUTES = 20;    /* unless all are shown */
    var MAX_CONFLICTS = matchMedia('(max-width: 44rem)').matches ? 6 : 15;

    var ACTIONS = {
        conflict_version: ['refused as stale', 1],
        conflict_lww: ['overwritten', 2],
        conflict_client_wins: ['overwritten (client wins)', 2],
        conflict_server_wins: ['dropped', 3],
        conflict_merge: ['merged', 5],
        conflict_deleted: ['written after a delete', 8],
        conflict_locked: ['locked by another user', 4],
        conflict_busy: ['gave up waiting', 6],
        conflict_required: ['refused without a base', 7],
        conflict_unchecked: ['passed unchecked', 6],
        conflict_external: ['changed bypassing the proxy', 7],
        conflict_overlapped: ['overlapped', 1],
        lock_taken: ['lock taken over', 4],
        lock_forced: ['lock released by force', 4]
    };

    var GAPS = {
        without_base: 'without a base',
        unchecked: 'that could not be checked',
        unguarded: 'by methods that are not guarded'
    };

    var LEVELS = { keep: 'keep', watch: 'watch', change: 'change' };

    var SVG = 'http://www.w3.org/2000/svg';

    var data = null;
    var range = 'hours';
    var allConflicts = false;
    var allRoutes = false;
    var paused = false;
    var timer = 0;
    var knownIds = null;    /* of conflicts shown before */
    var banners = '';       /* the text announced last */
    var cards = {};         /* elements of routes, by key() */

    function $(id) {
        return document.getElementById(id);
    }

    /* inserts strings as text, so that no data becomes markup */

    function make(tag, attrs) {
        var i, k, child, el = document.createElement(tag);

        for (k in attrs) {
            el.setAttribute(k, attrs[k]);
        }

        for (i = 2; i < arguments.length; i++) {
            child = arguments[i];

            if (child !== null && child !== undefined) {
                el.append(child);
            }
        }

        return el;
    }

    function draw(tag, attrs, text) {
        var k, el = document.createElementNS(SVG, tag);

        for (k in attrs) {
            el.setAttribute(k, attrs[k]);
        }

        if (text !== undefined) {
            el.textContent = text;
        }

        return el;
    }

    function number(n) {
        if (n === null || n === undefined) {
            return '–';
        }

        return n < 1e5 ? n.toLocaleString('en')
                       : n.toLocaleString('en', { notation: 'compact',
                                                  maximumFractionDigits: 1 });
    }

    function bytes(n) {
        var units = ['bytes', 'KB', 'MB', 'GB', 'TB'], i = 0;

        if (n === null) {
            return '–';
        }

        while (n >= 1024 && i < 4) {
            n /= 1024;
            i++;
        }

        return (i && n < 10 ? n.toFixed(1) : Math.round(n)) + ' ' + units[i];
    }

    function plural(n, one, many) {
        return number(n) + ' ' + (n === 1 ? one : many);
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

    function sum(list) {
        return list.reduce(function (a, b) { return a + b; }, 0);
    }

    function action(name) {
        return ACTIONS[name] || [name, 7];
    }

    function now() {
        return Date.parse(data.time);
    }

    /* logged locks are not conflicts */

    function counts(name) {
        return name.indexOf('lock_') !== 0;
    }

    /* totals of a route in the range shown */

    function totals(route) {
        var name, n = 0, bins = route[range];

        for (name in bins.actions) {
            n += counts(name) ? sum(bins.actions[name]) : 0;
        }

        return { writes: sum(bins.writes), conflicts: n,
                 unchecked: sum(Object.values(bins.not_checked).map(sum)) };
    }

    function stamp(bins, i) {
        var at = new Date(Date.parse(bins.start) + i * bins.step * 1000);

        return bins.step < 86400
               ? at.toLocaleTimeString([], { hour: '2-digit',
                                             minute: '2-digit' })
               : at.toLocaleDateString([], { month: 'short',
                                             day: 'numeric' });
    }

    /* a round upper limit of an axis */

    function ceiling(n) {
        var step = Math.pow(10, Math.floor(Math.log10(Math.max(n, 1))));

        return Math.max(4, [1, 2, 4, 10].map(function (k) {
            return k * step;
        }).find(function (k) {
            return k >= n;
        }));
    }

    function perBin(bins) {
        return bins.writes.map(function (_, i) {
            var name, n = 0;

            for (name in bins.actions) {
                n += counts(name) ? bins.actions[name][i] : 0;
            }

            return n;
        });
    }

    function spark(bins) {
        var list = perBin(bins), top = Math.max.apply(null, list.concat(1));
        var svg = draw('svg', { 'class': 'spark', 'aria-hidden': 'true',
                                preserveAspectRatio: 'none',
                                viewBox: '0 0 ' + list.length + ' 28' });

        list.forEach(function (n, i) {
            var h = n ? Math.max(2, 26 * n / top) : 0;

            if (h) {
                svg.append(draw('rect', { x: i, y: 28 - h, width: .8,
                                          height: h, 'class': 'k1' }));
            }
        });

        svg.append(draw('line', { x1: 0, x2: list.length, y1: 28, y2: 28,
                                  'class': 'axis' }));
        return svg;
    }

    function chart(bins, title) {
        var W = Math.max(280, $('routes').clientWidth - 36);
        var H = 190, L = 44, B = 22, T = 8;
        var list = perBin(bins), n = list.length;
        var top = ceiling(Math.max.apply(null, list.concat(1)));
        var step = (W - L) / n, scale = (H - B - T) / top;
        var names = Object.keys(bins.actions).filter(counts);
        var svg = draw('svg', { role: 'img', 'aria-label': title,
                                viewBox: '0 0 ' + W + ' ' + H });

        [0, .5, 1].forEach(function (k) {
            var y = H - B - k * top * scale;

            svg.append(draw('line', { x1: L, x2: W, y1: y, y2: y,
                                      'class': 'axis' }));
            svg.append(draw('text', { x: L - 6, y: y + 4,
                                      'text-anchor': 'end' },
                            number(k * top)));
        });

        list.forEach(function (count, i) {
            var y = H - B, group;

            if (!count) {
                return;
            }

            group = draw('g', {});
            group.append(draw('title', {}, stamp(bins, i) + ': '
                + names.filter(function (name) {
                    return bins.actions[name][i];
                }).map(function (name) {
                    return number(bins.actions[name][i]) + ' '
                           + action(name)[0];
                }).join(', ') + ' of '
                + plural(bins.writes[i], 'write', 'writes')));

            names.forEach(function (name) {
                var h = bins.actions[name][i] * scale;

                y -= h;
                group.append(draw('rect', { x: L + i * step + step * .1,
                                            y: y, width: step * .8,
                                            height: h,
                                            'class': 'k' + action(name)[1]
                                          }));
            });

            svg.append(group);
        });

        [0, 1, 2].forEach(function (k) {
            svg.append(draw('text', {
                x: L + k * (W - L) / 2, y: H - 6,
                'text-anchor': ['start', 'middle', 'end'][k]
            }, stamp(bins, Math.round(k * (n - 1) / 2))));
        });

        return svg;
    }

    function legend(bins) {
        var list = make('ul', { 'class': 'legend' });

        Object.keys(bins.actions).forEach(function (name) {
            list.append(make('li', {},
                make('i', { 'class': 'k' + action(name)[1] }),
                action(name)[0] + ': '
                + number(sum(bins.actions[name]))));
        });

        return list;
    }

    function table(heads, rows, options) {
        var body = make('tbody', {});
        var el = make('table', options && options.stack
                               ? { 'class': 'stack' } : {},
            make('thead', {}, make.apply(null, ['tr', {}].concat(
                heads.map(function (head) {
                    return make('th', { scope: 'col',
                                        'class': head[1] || '' }, head[0]);
                })))), body);

        rows.forEach(function (row) {
            body.append(make.apply(null, ['tr', row.attrs || {}].concat(
                row.cells.map(function (cell, i) {
                    return make('td', { 'class': heads[i][1] || '',
                                        'data-label': heads[i][0] },
                                make('span', {}, cell));
                }))));
        });

        return make('div', { 'class': 'scroll', tabindex: '0', role: 'region',
                             'aria-label': options.label }, el);
    }

    function empty(text) {
        return make('p', { 'class': 'empty' }, text);
    }

    function put(id, node) {
        $(id).replaceChildren(node);
    }

    function key(route) {
        return JSON.stringify([route.store, route.server, route.location,
                               route.entity]);
    }

    function routeName(route) {
        return route.location || route.entity || '(server)';
    }

    function notes(text) {
        var list = make('ul', {});

        text.split('\n').forEach(function (note) {
            if (note) {
                list.append(make('li', {}, note));
            }
        });

        return text ? list : null;
    }

    /* writes that passed unchecked in the range shown */

    function unchecked(bins) {
        var list = Object.keys(bins.not_checked).map(function (name) {
            return number(sum(bins.not_checked[name])) + ' '
                   + (GAPS[name] || name);
        });

        return list.length ? make('p', { 'class': 'unchecked' },
                                  'Not checked: ' + list.join(', ') + '.')
                           : null;
    }

    function advice(route) {
        var a = route.advice;

        if (!a) {
            return null;
        }

        return make('div', { 'class': 'advice is-' + LEVELS[a.level] },
                    make('p', {}, a.text),
                    a.config ? make('pre', { tabindex: '0',
                                             'aria-label': 'Directives '
                                                           + 'for nginx.conf' },
                                    a.config) : null,
                    a.cost ? make('p', { 'class': 'cost' },
                                  'Cost:') : null,
                    notes(a.cost || ''),
                    a.cost && a.notes ? make('p', { 'class': 'cost' },
                                             'Notes:') : null,
                    notes(a.notes));
    }

    function inside(route) {
        var bins = route[range], t = totals(route);
        var title = plural(t.conflicts, 'conflict', 'conflicts') + ' of '
                    + plural(t.writes, 'write', 'writes') + ' on '
                    + routeName(route);

        return make('div', { 'class': 'inside' }, advice(route),
            t.conflicts ? chart(bins, title)
                        : make('p', { 'class': 'quiet' },
                               'No conflicts in this period, '
                               + plural(t.writes, 'write', 'writes') + '.'),
            legend(bins), unchecked(bins),
            make('p', { 'class': 'quiet' },
                 'Total: ' + plural(route.writes, 'write', 'writes') + ', '
                 + number(route.waited) + ' waited ('
                 + (route.wait_ms / 1000).toFixed(1) + ' s in total), '
                 + number(route.unknown_outcomes) + ' of unknown '
                 + 'outcome, ' + number(route.fetches)
                 + ' GETs by the module, since '
                 + new Date(route.since).toLocaleString() + '.'));
    }

    function summary(route, t) {
        var a = route.advice, name = routeName(route);
        var more = [route.server, route.entity !== name ? route.entity : '',
                    data.stores.length > 1 ? 'store ' + route.store : '']
                   .filter(Boolean).join(' · ');

        return make('summary', {},
            make('div', { 'class': 'name' }, make('h3', {}, name),
                 more ? make('div', { 'class': 'quiet' }, more) : null),
            make('div', {},
                 make('span', { 'class': 'badge policy' },
                      (route.policy === 'off' ? 'locks' : route.policy)
                      + (route.report ? ' (report)' : '')), ' ',
                 a ? make('span', { 'class': 'badge ' + LEVELS[a.level] },
                          LEVELS[a.level]) : null),
            spark(route[range]),
            make('div', { 'class': 'figure' },
                 make('b', {}, number(t.conflicts)),
                 make('div', { 'class': 'quiet' }, 'of '
                      + plural(t.writes, 'write', 'writes')),
                 t.unchecked ? make('div', { 'class': 'unchecked' },
                                    number(t.unchecked) + ' not checked')
                             : null));
    }

    function showRoutes() {
        var box = $('routes'), find = $('filter').querySelector('input');
        var pattern = find.value.toLowerCase(), shown = {}, last = null;
        var list = data.routes.map(function (route) {
            return { route: route, t: totals(route) };
        }).sort(function (a, b) {
            return b.t.conflicts - a.t.conflicts
                   || b.t.unchecked - a.t.unchecked
                   || b.t.writes - a.t.writes;
        });

        $('filter').hidden = data.routes.length < 8;
        $('rest').hidden = pattern || data.routes.length <= MAX_ROUTES;
        $('rest').textContent = allRoutes ? 'Show fewer'
                                          : 'Show all ' + data.routes.length;

        if (!list.length) {
            cards = {};
            box.replaceChildren(empty('No guarded write was counted yet. '
                + 'Each route appears here after its first write.'));
            return;
        }

        if (box.firstChild && box.firstChild.tagName === 'P') {
            box.replaceChildren();
        }

        list.forEach(function (item, i) {
            var id = key(item.route), card = cards[id], focus;
            var text = (item.route.server + ' ' + item.route.location + ' '
                        + item.route.entity).toLowerCase();

            if (!card) {
                card = make('details', { 'class': 'route' });
                card.open = i < 3 && list.length < 8;
                card.addEventListener('toggle', fillOnOpen(id));
                cards[id] = card;
            }

            shown[id] = true;
            focus = card.contains(document.activeElement)
                    && document.activeElement.tagName;

            card.replaceChildren(summary(item.route, item.t));

            if (card.open) {
                card.append(inside(item.route));
            }

            card.hidden = pattern ? text.indexOf(pattern) === -1
                                  : !allRoutes && i >= MAX_ROUTES;

            /* keep the order, and move a card only if necessary */

            if (last ? last.nextSibling !== card : box.firstChild !== card) {
                box.insertBefore(card, last ? last.nextSibling
                                            : box.firstChild);
            }

            if (focus) {
                (card.querySelector(focus) || card.firstChild).focus();
            }

            last = card;
        });

        Object.keys(cards).forEach(function (id) {
            if (!shown[id]) {
                cards[id].remove();
                delete cards[id];
            }
        });
    }

    function fillOnOpen(id) {
        return function () {
            var card = cards[id], route = data.routes.find(function (r) {
                return key(r) === id;
            });

            if (card && route && card.open && card.childNodes.length === 1) {
                card.append(inside(route));
            }
        };
    }

    function showTiles() {
        var writes = 0, conflicts = 0, unchecked = 0, locks = 0;

        data.routes.forEach(function (route) {
            var t = totals(route);

            writes += t.writes;
            conflicts += t.conflicts;
            unchecked += t.unchecked;
        });

        data.stores.forEach(function (store) {
            locks += store.locks || 0;
        });

        put('tiles', '');

        [['Writes', number(writes)],
         ['Conflicts', number(conflicts)],
         ['Share of writes', writes ? (100 * conflicts / writes).toFixed(
             conflicts / writes < .1 ? 2 : 0) + ' %' : '–'],
         ['Not checked', number(unchecked)],
         ['In flight', number(data.writes_in_flight)],
         ['Locks', number(locks)],
         ['Log errors', number(data.audit_errors)]].forEach(function (tile) {
            $('tiles').append(make('div', {}, make('dt', {}, tile[0]),
                                   make('dd', {}, tile[1])));
        });
    }

    function isNew(c) {
        return knownIds && !knownIds[c.conflict_id];
    }

    function version(v) {
        return v === null ? '–' : String(v);
    }

    function showConflicts() {
        var list = data.conflicts.slice().sort(function (a, b) {
            return a.time < b.time ? 1 : -1;
        });
        var limit = allConflicts ? list.length : MAX_CONFLICTS;
        var ids = {}, rows;

        $('more').hidden = list.length <= MAX_CONFLICTS;
        $('more').textContent = allConflicts ? 'Show fewer'
                                             : 'Show all ' + list.length;

        if (!list.length) {
            put('conflicts', empty('None yet.'));
            knownIds = {};
            return;
        }

        rows = list.slice(0, limit).map(function (c) {
            return {
                attrs: isNew(c) ? { 'class': 'fresh' } : {},
                cells: [
                    make('time', { datetime: c.time,
                                   title: new Date(c.time).toLocaleString() },
                         ago((now() - Date.parse(c.time)) / 1000)),
                    c.entity_id,
                    (c.user_id || 'unknown user')
                    + (c.client_origin ? ' on ' + c.client_origin : ''),
                    action(c.action)[0] + (c.report ? ' (report)' : ''),
                    c.method + ' ' + c.status,
                    version(c.base_version) + ' / '
                    + version(c.server_version),
                    c.fields.join(', ') || '–'
                ]
            };
        });

        list.forEach(function (c) { ids[c.conflict_id] = true; });

        if (list.some(isNew)) {
            $('spoken').textContent = 'New conflicts, the latest one on '
                                      + list[0].entity_id;
        }

        knownIds = ids;

        put('conflicts', table([['Ago', 'nowrap'], ['Resource', 'main'],
                                ['User'], ['Action'], ['Response', 'small'],
                                ['Base / server', 'small'],
                                ['Fields', 'small']], rows,
                               { stack: true, label: 'Latest conflicts' }));
    }

    function showResources() {
        var all = {}, list;

        data.resources.forEach(function (r) {
            all[r.resource] = (all[r.resource] || 0) + r.conflicts;
        });

        list = Object.keys(all).sort(function (a, b) {
            return all[b] - all[a];
        }).slice(0, 10);

        put('resources', list.length
            ? table([['Resource'], ['Conflicts', 'n']],
                    list.map(function (name) {
                        return { cells: [name, number(all[name])] };
                    }), { label: 'Resources with the most conflicts' })
            : empty('None.'));
    }

    function showLocks() {
        put('locks', data.locks.length
            ? table([['Resource', 'main'], ['User'], ['Since', 'small'],
                     ['Expires in', 'small']],
                    data.locks.map(function (lock) {
                        return { cells: [
                            lock.resource,
                            (lock.user || 'unknown user')
                            + (lock.client ? ' on ' + lock.client : ''),
                            ago((now() - Date.parse(lock.acquired_at))
                                / 1000) + ' ago',
                            ago(lock.expires_in)
                        ] };
                    }), { stack: true, label: 'Locks held now' })
            : empty('None.'));
    }

    /* upper bound of the bucket with the quantile q, 0 to 1 */

    function quantile(latency, q) {
        var i, n = 0;

        for (i = 0; i < latency.buckets.length; i++) {
            n += latency.buckets[i].count;

            if (n >= q * latency.count) {
                return latency.buckets[i].up_to_us === null
                       ? 'over 250 ms'
                       : 'up to ' + latency.buckets[i].up_to_us / 1000 + ' ms';
            }
        }

        return '–';
    }

    function showStores() {
        put('stores', '');

        data.stores.forEach(function (store) {
            var list = make('dl', {}), latency = store.round_trips;

            function line(name, value) {
                list.append(make('dt', {}, name), make('dd', {}, value));
            }

            line('Counts cover', store.counts_of === 'fleet' ? 'the fleet'
                                                          : 'this host');
            line(store.kind === 'redis' ? 'Keys' : 'Resources',
                 number(store.entries));
            line('Memory', bytes(store.memory_bytes)
                 + (store.size_bytes ? ' of ' + bytes(store.size_bytes)
                                     : ''));
            line('Evicted', number(store.evicted));

            if (store.leases !== null) {
                line('Writes in flight', number(store.leases));
                line('Unresolved', number(store.dirty));
            }

            line('Locks', number(store.locks));

            if (store.errors) {
                line('Requests not answered', number(store.errors.down
                     + store.errors.full + store.errors.generation));
            }

            if (store.kind === 'redis' && latency && latency.count) {
                line('Outcomes lost', number(store.unsettled));
                line('Median round trip', quantile(latency, .5));
                line('99th percentile', quantile(latency, .99));
            }

            $('stores').append(make('div', { 'class': 'card' },
                make('h3', {}, make('span', {}, store.name + ' ('
                                            + store.kind + ')'),
                     make('span', { 'class': 'badge ' + (store.up ? 'keep'
                                                              : 'down') },
                          store.up ? 'up' : 'down')),
                store.error ? make('p', { 'class': 'quiet' }, store.error)
                            : null,
                list));
        });
    }

    /* announced by screen readers, so changed only if the text changes */

    function showBanners() {
        var list = data.stores.map(warning).filter(Boolean);

        if (list.join('\n') !== banners) {
            banners = list.join('\n');
            $('banners').replaceChildren.apply($('banners'),
                list.map(function (text) {
                    return make('p', { 'class': 'banner' }, text);
                }));
        }
    }

    function warning(store) {
        if (!store.up) {
            return 'The store ' + store.name + ' does not answer: '
                   + store.error + '. Its writes are refused, or pass '
                   + 'unchecked.';
        }

        /* without a countdown, which would be announced at each update */

        return store.settling
               ? 'The store ' + store.name + ' is new or was restarted: for '
                 + 'some seconds it knows no earlier version and holds back '
                 + 'writes.'
               : '';
    }

    function show() {
        $('where').textContent = data.host;
        $('updated').textContent = new Date(data.time).toLocaleTimeString();

        showBanners();
        showTiles();
        showRoutes();
        showConflicts();
        showResources();
        showLocks();
        showStores();
    }

    function problem(text) {
        if ($('problem').textContent !== text) {
            $('problem').textContent = text;
        }

        $('problem').hidden = !text;
    }

    function load() {
        clearTimeout(timer);

        fetch('?format=json', { cache: 'no-store', credentials: 'same-origin'
                              }).then(function (r) {
            if (!r.ok) {
                throw new Error('nginx responded with status ' + r.status);
            }

            return r.json();

        }).then(function (json) {
            data = json;
            problem('');
            show();

        }).catch(function (e) {
            problem('Cannot update, the data shown is outdated: ' + e.message);

        }).then(function () {
            if (!paused && !document.hidden) {
                timer = setTimeout(load, INTERVAL);
            }
        });
    }

    document.querySelectorAll('[name=range]').forEach(function (input) {
        input.addEventListener('change', function () {
            range = input.value;

            if (data) {
                show();
            }
        });

        if (input.checked) {
            range = input.value;
        }
    });

    $('filter').querySelector('input').addEventListener('input', function () {
        showRoutes();
    });

    window.addEventListener('resize', function () {
        if (data) {
            showRoutes();
        }
    });

    $('rest').addEventListener('click', function () {
        allRoutes = !allRoutes;
        showRoutes();
    });

    $('more').addEventListener('click', function () {
        allConflicts = !allConflicts;
        showConflicts();
    });

    $('pause').addEventListener('click', function () {
        paused = !paused;
        $('pause').setAttribute('aria-pressed', String(paused));
        $('pause').textContent = paused ? 'Resume' : 'Pause';

        if (!paused) {
            load();
        }
    });

    document.addEventListener('visibilitychange', function () {
        if (!document.hidden && !paused) {
            load();
        }
    });

    load();
}());
