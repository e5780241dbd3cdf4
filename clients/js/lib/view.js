/* A record in the form that the application receives. */

import { isObject, parse } from './json.js';

export function fromText(text) {
    return text === null || text === undefined ? null : parse(text) ?? null;
}

/* a response with all members that were sent is the whole document */

export function isWhole(doc, sent) {
    return isObject(doc) && isObject(sent)
           && Object.keys(sent).every(name => Object.hasOwn(doc, name));
}

/* of "{}" each is: one from a status such as {"ok":true} cannot be told */

export function isEmpty(doc) {
    return isObject(doc) && Object.keys(doc).length === 0;
}

/* the entry of a resource, and those that wait for it */

export function editsOf(record) {
    return record?.entry ? [record.entry, ...record.rest || []] : [];
}

export function view(url, record, entry = record?.entry) {
    const { known } = record || {};

    if (!entry) {
        return {
            url, doc: fromText(known?.text), version: known?.version ?? null,
            state: null
        };
    }

    const local = entry.draft || entry.link;

    return {
        url, doc: fromText(local.text), version: entry.base.version ?? null,
        state: entry.state, removed: local.text === null,
        reason: entry.reason, tries: entry.tries,
        retryAt: entry.retryAt || null
    };
}
