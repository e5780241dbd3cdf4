/*
 * The view of a conflict: both versions side by side with their differences
 * marked, and for each field mine, theirs, or another value.
 */

import { asText, control, fromText } from './documents.js';
import { html } from './html.js';
import { differences, mergeWords } from './words.js';

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/* answer(resolution) is called with what client.resolve() takes */

export function mergeView(conflict, kind, name, answer) {
    const { local, server, keepMine, keepTheirs } = conflict;
    const form = html('form', { class: 'merge' });
    const title = html('h3', { tabindex: '-1' }, 'Two versions: choose one');
    const buttons = html('div', { class: 'buttons' });

    const button = (text, how) => html('button', {
        type: 'button', onclick: () => answer(how)
    }, text);

    if (local === null || server === null) {
        buttons.append(
            button(local === null ? 'Remove it' : 'Write mine again',
                   keepMine),
            button(server === null ? 'Accept' : 'Keep theirs', keepTheirs));
        form.append(title, html('p', {},
            server === null ? 'It was deleted on the server.'
            : 'It has changed since, and you want to remove it.'), buttons);

        return form;
    }

    const picks = Object.entries(kind.fields)
        .filter(([field]) => !same(local[field], server[field]))
        .map(([field, { label, type }]) =>
            pick(conflict, { field, label, type, id: `${name}-${field}` }));

    const save = html('button', { type: 'submit', class: 'primary' },
                      'Save choice');

    const check = () => {
        save.disabled = picks.some(p => p.value() === undefined);
    };

    form.addEventListener('input', check);
    form.addEventListener('submit', event => {
        event.preventDefault();
        answer(Object.assign({ ...server },
                             ...picks.map(p => ({ [p.field]: p.value() }))));
    });
    check();

    buttons.append(save, button('Keep mine', keepMine),
                   button('Keep theirs', keepTheirs));
    form.append(title, ...picks.map(p => p.element), buttons);

    return form;
}

/* one field: its element, and value(), undefined as long as none is chosen */

function pick(conflict, { field, label, type, id }) {
    const { base, local, server, merged } = conflict;
    const was = base?.[field], mine = local[field], theirs = server[field];
    const clash = conflict.conflicts.some(c => c.field === '/' + field);
    let both = clash ? undefined : merged?.[field];

    if (type === 'text' && clash) {
        both = mergeWords(was ?? '', mine ?? '', theirs ?? '') ?? undefined;
    }

    const first = both === undefined ? undefined
                  : same(both, mine) ? 'mine'
                  : same(both, theirs) ? 'theirs' : 'both';

    const radio = value => html('input', {
        type: 'radio', name: id, value, checked: value === first
    });

    const own = radio('both');
    const input = control(type, {
        'aria-label': `${label}: ${both === undefined ? 'another value'
                                                      : 'both'}`
    });

    input.required = false;
    input.value = both !== undefined ? asText(type, both)
                  : type === 'text' ? `${mine}\n${theirs}` : '';
    input.addEventListener('input', () => { own.checked = true; });

    const side = (value, who, of, other) => html('label',
        { class: 'side ' + value }, radio(value),
        html('span', { class: 'who' }, who),
        html('span', { class: 'value' }, marked(type, of, other)));

    const element = html('fieldset', { class: 'pick' },
        html('legend', {}, label, ' ',
             html('span', { class: 'quiet' },
                  history(type, was, mine, theirs, base !== null))),
        side('mine', 'Mine', mine, theirs),
        side('theirs', 'Theirs', theirs, mine),
        html('div', { class: 'side both' },
             html('label', {}, own, html('span', { class: 'who' },
                 both === undefined && type !== 'text' ? 'Another value'
                                                       : 'Both')),
             input));

    return {
        element, field,
        value() {
            const chosen = element.querySelector(':checked')?.value;

            return chosen === 'mine' ? mine : chosen === 'theirs' ? theirs
                   : chosen === 'both' ? fromText(type, input.value)
                   : undefined;
        }
    };
}

function history(type, was, mine, theirs, known) {
    const what = same(mine, was) ? 'changed by them'
                 : same(theirs, was) ? 'changed by you'
                 : 'changed by both';

    return known ? `${what}, it was ${asText(type, was) || 'empty'}` : '';
}

/* what the other side does not have is marked */

function marked(type, value, other) {
    if (type === 'text') {
        return differences(asText(type, value), asText(type, other)).map(
            ([text, differs]) => differs ? html('mark', {}, text) : text);
    }

    if (type === 'list') {
        return [value ?? []].flat().map(element => html(
            [other ?? []].flat().includes(element) ? 'span' : 'mark',
            { class: 'tag' }, String(element)));
    }

    return html('mark', {}, asText(type, value));
}
