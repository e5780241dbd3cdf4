/* The items of a list, with the versions that nginx has put into it. */

import { isObject, member } from './json.js';

/* "" is the document; undefined: there is nothing */

function pointed(doc, pointer) {
    return pointer.split('/').slice(1).reduce((value, token) => {
        const name = token.replace(/~1/g, '/').replace(/~0/g, '~');

        return Array.isArray(value) ? value[name] : member(value, name);
    }, doc);
}

/*
 * Each item with an id, without the member of its version.  The version is
 * null if the item may have changed since: it has to be read before an edit.
 */

export function itemsOf(doc, { items = '/data', id = 'id',
                               version = 'version' } = {}) {
    const list = pointed(doc, items);

    if (!Array.isArray(list)) {
        throw new TypeError(`the response has no array at "${items}"`);
    }

    return list.filter(item => isObject(item)
                               && ['string', 'number'].includes(
                                   typeof member(item, id))).map(item => {
        const { [version]: given, ...rest } = item;

        return { id: item[id], doc: rest,
                 version: Number.isSafeInteger(given) ? given : null };
    });
}
