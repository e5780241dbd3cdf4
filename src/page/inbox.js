/* Bodies that are held, from an inbox that shows those of all users. */

const HELD = 100;

const KINDS = {
    refused: 'refused as stale',
    locked: 'refused, locked by another user',
    dropped: 'dropped',
    overwritten: 'was overwritten'
};

let heldItems = null;       /* null: not loaded yet */
let heldMore = false;
let heldProblem = '';
let heldOpen = null;        /* the id of the item that is open */
let heldBodies = null;      /* of that item, or a text */

function heldUrl(query) {
    return data.inbox + '?' + query;
}

/*
 * Numbers as they are written, where the browser tells: two bodies that differ
 * in a large one must not look the same.
 */
function exact(name, value, context) {
    return typeof value === 'number' && context && JSON.rawJSON
           && String(value) !== context.source ? JSON.rawJSON(context.source)
                                               : value;
}

async function askInbox(query) {
    return JSON.parse(await ask(heldUrl(query), 'the inbox'), exact);
}

async function loadHeld() {
    try {
        const page = await askInbox('limit=' + HELD);

        heldItems = page.items;
        heldMore = page.next !== null;
        heldProblem = '';

    } catch (e) {
        heldProblem = e.message;
    }

    showHeld();
}

async function openHeld(id) {
    heldOpen = heldOpen === id ? null : id;
    heldBodies = null;
    showHeld();

    if (heldOpen === null) {
        return;
    }

    try {
        const shown = await askInbox('id=' + id);

        if (heldOpen === id) {
            heldBodies = shown;
        }

    } catch (e) {
        if (heldOpen === id) {
            heldBodies = e.message;
        }
    }

    showHeld();
}

/* one of the two bodies, or why it is not there */

function heldSide(title, body, omitted) {
    return make('div', { class: 'side' }, make('h4', {}, title),
        body === null ? quiet(omitted ? 'Not shown: ' + omitted + '.' : 'None.')
                      : make('pre', { tabindex: '0' },
                             JSON.stringify(body, null, 2)));
}

function heldDetail() {
    if (heldBodies === null) {
        return quiet('Loading …');
    }

    if (typeof heldBodies === 'string') {
        return quiet('Cannot load: ' + heldBodies);
    }

    return make('div', { class: 'sides' },
        heldSide('Held', heldBodies.mine, null),
        heldSide('Latest', heldBodies.theirs,
                 heldBodies.deleted ? 'deleted' : heldBodies.theirs_omitted));
}

function heldRow(item, open) {
    return make('tr', { class: open ? 'row open' : 'row' },
        make('th', { scope: 'row' },
             button('held ' + item.id, item.resource, () => openHeld(item.id),
                    { class: 'opener', 'aria-expanded': String(open) })),
        cell('Who', 'who', who(item.user, item.client)),
        cell('What', 'what', KINDS[item.kind] || item.kind),
        cell('Route', 'small', item.route),
        cell('When', 'when', ago((now() - Date.parse(item.held_at)) / 1000)
                             + ' ago'));
}

function heldTable() {
    const rows = heldItems.flatMap(item => {
        const open = item.id === heldOpen;
        const row = heldRow(item, open);

        return open ? [row, make('tr', { class: 'detail' },
                                 make('td', { colspan: '5' }, heldDetail()))]
                    : [row];
    });

    return make('div', {},
        quiet(plural(heldItems.length, 'body', 'bodies')
              + (heldMore ? ', and older ones.' : '.')),
        make('div', { class: 'scroll' },
            make('table', { class: 'conflicts stack',
                            'aria-label': 'Held bodies' },
                 make('thead', {}, make('tr', {},
                     ...['Resource', 'Who', 'What', 'Route', 'When'].map(
                         text => make('th', { scope: 'col' }, text)))),
                 make('tbody', {}, ...rows))));
}

function showHeld() {
    $('s-held').hidden = !data.inbox;

    if (!data.inbox) {
        return;
    }

    if (heldProblem) {
        put($('held'), heldProblem, () => empty('Cannot load: ' + heldProblem));
        return;
    }

    if (heldItems === null) {
        return;
    }

    const sig = JSON.stringify([heldItems.map(item => [item.id,
        ago((now() - Date.parse(item.held_at)) / 1000)]), heldMore, heldOpen,
        heldBodies]);

    put($('held'), sig, () => heldItems.length ? heldTable() : empty('None.'));
}
