/*
 * Reads responses: the version of the document, and the outcome of the write.
 */

import { isObject, parse } from './json.js';

/* refusals of the module after which nothing was written */

const NOT_WRITTEN = ['store_unavailable', 'store_generation'];

/* { outcome, version } of a Conflict field (RFC 9651, an item) */

export function readConflict(field) {
    const [, outcome, rest] = /^\s*([a-z]+)(.*)$/.exec(field || '') || [];
    const [, version] = /;\s*version=(\d+)/.exec(rest || '') || [];

    return { outcome, version: version && Number(version) };
}

/*
 * The version of the document in a response: from Conflict, from the member
 * that the API counts, or from ETag.  Only one from Conflict can begin a chain.
 */

export function versionOf(response, doc, member) {
    const { outcome, version } = readConflict(
        response.headers.get('conflict'));
    const tag = response.headers.get('etag');
    const own = member && isObject(doc) ? doc[member] : undefined;
    const [, digits] = /^(?:W\/)?"(\d+)(?:\.[^"]*)?"$/.exec(tag || '') || [];

    return {
        outcome, tag: tag || null, chained: version !== undefined,
        version: version ?? own ?? (digits ? Number(digits) : null)
    };
}

/* Retry-After in ms: the field has seconds or a date */

export function retryAfter(response, now = Date.now()) {
    const value = response.headers.get('retry-after');

    if (value === null) {
        return null;
    }

    const ms = /^\d+$/.test(value.trim()) ? 1000 * Number(value)
                                          : Date.parse(value) - now;

    return Number.isNaN(ms) ? null : Math.max(0, ms);
}

/*
 * The verdict on a write, by its response:
 *
 *   { then: 'done', dropped }           it was written, or the policy has
 *                                       dropped it
 *   { then: 'conflict', server }        stale; without server.text a GET is
 *                                       needed
 *   { then: 'look' }                    a GET decides what it means
 *   { then: 'wait', unknown, all }      retry later; "all": all entries wait
 *   { then: 'login' }                   retry after a login
 *   { then: 'park' }                    no retry
 */

export function judge(response, text, link) {
    const { status } = response;
    const body = parse(text);
    const error = isObject(body) ? body.error : undefined;

    const { outcome } = readConflict(response.headers.get('conflict'));

    if (status >= 200 && status < 300) {

        if (!outcome && /^text\/html/i.test(
            response.headers.get('content-type') || ''))
        {
            /* a page instead of the API: of a proxy, or a hotspot */
            return { then: 'wait', unknown: true };
        }

        return { then: 'done', dropped: outcome === 'dropped' };
    }

    if (response.type === 'opaqueredirect' || (status >= 300 && status < 400))
    {
        /* usually to a login page; redirections are not followed */
        return { then: 'login' };
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

    if (status === 401) {
        return { then: 'login' };
    }

    if (status === 429 || status === 425 || status === 408) {
        return { then: 'wait', all: status === 429 };
    }

    if (status >= 500) {
        return { then: 'wait', unknown: !NOT_WRITTEN.includes(error) };
    }

    if ((status === 404 || status === 410) && link.text === null) {
        return { then: 'done', dropped: false };
    }

    return {
        then: [404, 409, 410, 412].includes(status) ? 'look' : 'park'
    };
}

/* the latest document in a 409, or in a 412 that has a body */

function refusal(response, body) {
    const tag = response.headers.get('etag');
    const { version } = readConflict(response.headers.get('conflict'));
    const latest = body.server_version;

    if (body.deleted) {
        return {
            deleted: true, version: null, tag: null, chained: false,
            text: null, conflicts: body.conflicts
        };
    }

    return {
        deleted: false, tag, version: body.version ?? version ?? null,
        chained: version !== undefined, conflicts: body.conflicts,
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
