/*
 * Reads responses: the version of the document, and the outcome of the write.
 */

import { isObject, parse } from './json.js';

/* refusals of the module after which nothing was written */

export const NOT_WRITTEN = ['store_unavailable', 'store_generation'];

/* { outcome, version } of a Conflict field (RFC 9651, an item); parameters
   that are strings may contain anything */

export function readConflict(field) {
    const [, outcome, rest] = /^\s*([a-z]+)(.*)$/.exec(field || '') || [];
    const [, version] = /;\s*version=(\d+)/.exec(
        (rest || '').replace(/"(?:[^"\\]|\\.)*"/g, '')) || [];

    return { outcome, version: version && Number(version) };
}

/*
 * The version of the document in a response: from Conflict, from the member
 * that the API counts, or the tag itself.  Only one from Conflict can begin a
 * chain.
 */

export function versionOf(response, doc, member) {
    const { outcome, version } = readConflict(
        response.headers.get('conflict'));
    const tag = response.headers.get('etag') || null;
    const own = member && isObject(doc) ? doc[member] : undefined;

    return {
        outcome, tag, chained: version !== undefined,
        version: version ?? own ?? versionOfTag(tag)
    };
}

/* a tag is opaque; only that of an integer can be built from the integer */

function versionOfTag(tag) {
    const number = Number(tag?.slice(1, -1));

    return tag === `"${number}"` && Number.isSafeInteger(number) ? number
                                                                 : tag;
}

/* true: both are the same state of the resource */

export function isSameState(a, b) {
    if (a.absent || b.absent) {
        return !!a.absent && !!b.absent;
    }

    return (!!a.tag && a.tag === b.tag)
           || ((a.version ?? null) !== null && a.version === b.version);
}

/* Retry-After in ms: the field has seconds or a date; null: nothing useful */

export function retryAfter(response, now = Date.now()) {
    const value = response.headers.get('retry-after')?.trim() || '';
    const ms = /^\d+$/.test(value) ? 1000 * Number(value)
               : /^[A-Z][a-z]{2}/.test(value) ? Date.parse(value) - now : 0;

    return ms > 0 ? ms : null;
}

/*
 * True: a page instead of a response of the API, as of a hotspot, a proxy or a
 * login.  An API without a body may leave the type of its framework.
 */

export function isPage(response, text) {
    const { outcome } = readConflict(response.headers.get('conflict'));
    const type = response.headers.get('content-type') || '';

    if (outcome || [204, 205].includes(response.status)) {
        return false;
    }

    return /^\s*</.test(text)
           || (/^(text\/html|application\/xhtml)/i.test(type)
               && parse(text) === undefined
               && !(text.trim() === '' && response.headers.has('etag')));
}

/* it may be answered later, whatever the request */

export function isBusy(status) {
    return [408, 425, 429].includes(status);
}

/* a redirection, usually to a login page, is never followed */

export function isRedirection(response) {
    return response.type === 'opaqueredirect'
           || (response.status >= 300 && response.status < 400);
}

/*
 * The verdict on a write, by its response:
 *
 *   { then: 'done', dropped }           it was written, or the policy has
 *                                       dropped it
 *   { then: 'conflict', server }        stale; without server.text a GET is
 *                                       needed
 *   { then: 'look' }                    a GET decides what it means
 *   { then: 'wait', unknown, all }      retry later; "all": all entries wait;
 *                                       "login" may help
 *   { then: 'login' }                   retry after a login
 *   { then: 'park' }                    no retry
 */

export function judge(response, text, link) {
    const { status } = response;
    const body = parse(text);
    const error = isObject(body) ? body.error : undefined;

    const { outcome } = readConflict(response.headers.get('conflict'));

    if (status >= 200 && status < 300) {
        if (isPage(response, text)) {
            return { then: 'wait', unknown: true };
        }

        return { then: 'done', dropped: outcome === 'dropped' };
    }

    if (isRedirection(response)) {
        /* some APIs redirect after a write */
        return { then: 'wait', unknown: true, all: true, login: true };
    }

    if (error === 'version_conflict' || (status === 409
        && isObject(body) && 'server_version' in body))
    {
        return { then: 'conflict', server: refusal(response, body) };
    }

    if (status === 423 || (status === 409 && error === 'locked')
        || error === 'write_in_progress')
    {
        return { then: 'wait', lock: body?.lock };
    }

    if (error === 'request_in_progress') {
        /* of conflict_idempotency: an earlier attempt */
        return { then: 'wait', unknown: true };
    }

    if (status === 401) {
        return { then: 'login' };
    }

    if (isBusy(status)) {
        /* 408 is also what some proxies say if the API has not answered */

        return { then: 'wait', unknown: status === 408, all: status === 429 };
    }

    if (status >= 500) {
        return { then: 'wait', unknown: !NOT_WRITTEN.includes(error) };
    }

    /* a page may be of a proxy that has lost the API, and not of the API */

    if ((status === 404 || status === 410) && link.text === null
        && !isPage(response, text))
    {
        return { then: 'done', dropped: false };
    }

    /* with another token a key is another one: an earlier attempt may count */

    return {
        then: [404, 409, 410, 412].includes(status)
              || error === 'idempotency_key_reused' ? 'look' : 'park'
    };
}

/* the latest document in a 409, or in a 412 that has a body */

function refusal(response, body) {
    const { version, tag, chained } = versionOf(response);
    const latest = body.server_version;

    if (body.deleted) {
        return {
            deleted: true, version: null, tag: null, chained: false,
            text: null, conflicts: body.conflicts
        };
    }

    return {
        deleted: false, tag, version: body.version ?? version, chained,
        conflicts: body.conflicts,
        text: latest === null || latest === undefined
              ? null : JSON.stringify(latest)
    };
}

export function reasonOf(response, text) {
    const body = parse(text);

    return {
        kind: 'status', status: response.status,
        error: isObject(body) && typeof body.error === 'string'
               ? body.error : null,
        detail: isObject(body) ? body.detail ?? body.title ?? null : null,
        body: text.slice(0, 4096)
    };
}
