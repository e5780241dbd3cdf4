/*
 * Three-way merge of JSON documents, field by field, with the rules of
 * conflict_field.  The cases of t/merge_cases.json test this merge and that of
 * the server.
 */

import { alignLists, listBudget } from './list.js';
import { canonical, equal, isObject, member, setMember } from './json.js';

const RULES = ['auto', 'lww', 'server', 'reject', 'union', 'max', 'min',
               'sum', 'text', 'list'];

const CLIENT = { from: 'client' };
const SERVER = { from: 'server' };
const CLASH = { from: 'none' };

/*
 * merge({ base, server, local, rules, ignore }): { doc, clean, conflicts,
 * fields }.  "doc" has the server's value in fields that clash; "fields" are
 * those that were not simply taken from the local document, or that clashed.
 * Without a base document it is not known which side has changed a field.
 */

export function merge({ base, server, local, rules = {}, ignore }) {
    const walk = {
        rules: new Map(Object.entries(rules).map(readRule)),
        ignore: ignore === undefined ? undefined : '/' + escaped(ignore),
        budget: listBudget(), notes: [], clashes: []
    };
    const trio = {
        base: base === null ? undefined : base,
        server: server === null ? undefined : server,
        client: local, held: base !== undefined && base !== null
    };
    const doc = isObject(trio.client)
                && (trio.server === undefined || isObject(trio.server))
                ? mergeMembers(walk, trio, '')
                : take(walk, trio, '');
    const clean = walk.clashes.length === 0;

    return {
        doc, clean, conflicts: walk.clashes,
        fields: clean ? walk.notes : walk.clashes.map(c => c.field)
    };
}

/* a rule as in conflict_field, or an object as in a file of conflict_fields */

function readRule([pointer, given]) {
    const [, named, by] = /^(\w+)(?:\((.+)\))?$/.exec(
        typeof given === 'string' ? given : '') || [];
    const { rule, key, ...others } = isObject(given) ? given
                                                    : { rule: named, key: by };

    if (!pointer.startsWith('/') || !RULES.includes(rule)
        || Object.keys(others).length > 0
        || (key !== undefined
            && (rule !== 'union' || typeof key !== 'string' || key === '')))
    {
        throw new TypeError(`${JSON.stringify(given)} is not a rule for `
                            + `"${pointer}"`);
    }

    return [pointer, { rule, key }];
}

/* true: equal values of a field may be two changes */

export function hasSum(rules) {
    return Object.entries(rules || {}).map(readRule).some(
        ([, { rule }]) => rule === 'sum');
}

function escaped(name) {
    return String(name).replace(/~/g, '~0').replace(/\//g, '~1');
}

function hasRulesBelow(walk, path) {
    for (const pointer of walk.rules.keys()) {
        if (pointer.startsWith(path + '/')) {
            return true;
        }
    }

    return false;
}

function mergeMembers(walk, trio, path) {
    const out = {};
    const { base, server, client, held } = trio;

    for (const name of Object.keys(client)) {
        const field = path + '/' + escaped(name);
        const value = field === walk.ignore ? client[name] : take(walk, {
            base: member(base, name), server: member(server, name),
            client: client[name], held
        }, field);

        if (value !== undefined) {
            setMember(out, name, value);
        }
    }

    for (const name of Object.keys(server || {})) {
        const field = path + '/' + escaped(name);

        if (Object.hasOwn(client, name) || field === walk.ignore) {
            continue;
        }

        const value = take(walk, {
            base: member(base, name), server: server[name],
            client: undefined, held
        }, field);

        if (value !== undefined) {
            setMember(out, name, value);
        }
    }

    return out;
}

/* the members of an object; elements of an array are not members */

function nested(walk, trio, path) {
    return mergeMembers(walk, {
        base: isObject(trio.base) ? trio.base : undefined,
        server: isObject(trio.server) ? trio.server : undefined,
        client: trio.client, held: trio.held
    }, path);
}

/* the value of a field in the result; undefined: the field is absent */

function take(walk, trio, path) {
    const { rule, key } = walk.rules.get(path) || { rule: 'auto' };
    const below = hasRulesBelow(walk, path);
    const { server, client } = trio;

    if (rule === 'auto' && isObject(client)
        && (isObject(server)
            || (below && server === undefined && !trio.held)))
    {
        return nested(walk, trio, path);
    }

    let taken = decide(walk, trio, path, rule, key), said = rule;

    if (taken === CLIENT && below) {

        if (rule === 'auto' && isObject(client)) {
            return nested(walk, trio, path);
        }

        /* the client replaces or removes an object with server-owned fields */

        const owned = ownedBy(walk, server, path);

        if (owned !== undefined) {
            said = 'server';
            taken = client === undefined ? { from: 'made', value: owned }
                                         : CLASH;
        }
    }

    if (taken === CLASH) {
        clash(walk, path, said, trio);
        return server;
    }

    if (taken === CLIENT) {
        return client;
    }

    walk.notes.push(path);

    return taken === SERVER ? server : taken.value;
}

function clash(walk, field, rule, trio) {
    const conflict = { field, rule };

    for (const side of ['base', 'server', 'client']) {
        if (trio[side] !== undefined) {
            conflict[side] = trio[side];
        }
    }

    walk.clashes.push(conflict);
}

function decide(walk, trio, path, rule, key) {
    const { base, server, client, held } = trio;

    if (rule === 'sum' && server !== undefined && client !== undefined) {
        /* equal values of a sum are two changes, not one */
        return sum(trio);
    }

    if (equal(server, client)) {
        return CLIENT;
    }

    if (rule === 'server') {
        return SERVER;
    }

    if (rule === 'reject') {
        return CLASH;
    }

    if (held && equal(base, server)) {
        return CLIENT;
    }

    if (held && equal(base, client)) {
        return SERVER;
    }

    switch (rule) {

    case 'lww':

        if (!held && client === undefined) {
            /* the client may never have read the field */
            return SERVER;
        }

        walk.notes.push(path);

        return CLIENT;

    case 'union':
        return union(walk, trio, path, key);

    case 'max':
        return extreme(trio, (c, s) => c > s);

    case 'min':
        return extreme(trio, (c, s) => c < s);

    case 'list':
        return held ? list(walk, trio, path) : CLASH;

    default: /* auto, sum; text is merged by the server only */
        return CLASH;
    }
}

/* the server-owned fields of an object that the client does not have */

function ownedBy(walk, server, path) {
    if (!isObject(server)) {
        return undefined;
    }

    const out = {};

    for (const name of Object.keys(server)) {
        const field = path + '/' + escaped(name);
        const value = walk.rules.get(field)?.rule === 'server'
                      ? server[name] : ownedBy(walk, server[name], field);

        if (value !== undefined) {
            setMember(out, name, value);
        }
    }

    return Object.keys(out).length > 0 ? out : undefined;
}

function extreme({ server, client }, better) {
    if (server === undefined) {
        return CLIENT;
    }

    if (client === undefined) {
        return SERVER;
    }

    if (typeof server !== 'number' || typeof client !== 'number') {
        return CLASH;
    }

    return better(client, server) ? CLIENT : SERVER;
}

/* server + (client - base), for safe integers */

function sum({ base, server, client, held }) {
    if (!held) {
        return CLASH;
    }

    const numbers = [base === undefined ? 0 : base, server, client];

    if (!numbers.every(Number.isSafeInteger)) {
        return equal(base, server) ? CLIENT
               : equal(base, client) ? SERVER : CLASH;
    }

    const change = client - numbers[0], value = server + change;

    if (!Number.isSafeInteger(change) || !Number.isSafeInteger(value)) {
        return CLASH;
    }

    if (change === 0 && base !== undefined) {
        return server === client ? CLIENT : SERVER;
    }

    return value === client ? CLIENT : { from: 'made', value };
}

/* the server's elements, less those the client removed, plus those it added */

function union(walk, trio, path, key) {
    const arrays = [trio.base, trio.server, trio.client];

    if (!arrays.every(a => a === undefined || Array.isArray(a))) {
        return CLASH;
    }

    const [base, server, client] = arrays.map(a => a || []);
    const made = key === undefined
                 ? unionOfValues(base, server, client, trio.held)
                 : unionByKey(walk, base, server, client, trio.held, path,
                              key);

    if (made === null) {
        return CLASH;
    }

    return made.changed || trio.server === undefined
           ? { from: 'made', value: made.value } : SERVER;
}

function unionOfValues(base, server, client, held) {
    const inBase = new Set(base.map(canonical));
    const inClient = new Set(client.map(canonical));
    const taken = new Set();
    const value = [];
    let changed = false;

    for (const element of server) {
        const name = canonical(element);

        if (taken.has(name)
            || (held && inBase.has(name) && !inClient.has(name)))
        {
            changed = true;
            continue;
        }

        taken.add(name);
        value.push(element);
    }

    for (const element of client) {
        const name = canonical(element);

        if (!taken.has(name) && !(held && inBase.has(name))) {
            taken.add(name);
            value.push(element);
            changed = true;
        }
    }

    return { value, changed };
}

function unionByKey(walk, base, server, client, held, path, key) {
    const [b, s, c] = [base, server, client].map(a => byKey(a, key));
    const result = { value: [], changed: false };

    if (!b || !s || !c) {
        return null;
    }

    for (const name of new Set([...s.keys(), ...c.keys()])) {
        mergeElement(walk, {
            base: b.get(name), server: s.get(name), client: c.get(name), held
        }, path, key, result);
    }

    return result;
}

/* null: an element has no key, or two elements have the same key */

function byKey(array, key) {
    const map = new Map();

    for (const element of array) {
        const value = member(element, key);
        const name = canonical(value);

        if ((typeof value !== 'string' && typeof value !== 'number')
            || map.has(name))
        {
            return null;
        }

        map.set(name, element);
    }

    return map;
}

function mergeElement(walk, trio, path, key, result) {
    const { base, server, client } = trio;

    if (equal(server, client)
        || (client !== undefined && server !== undefined
            && equal(base, client))
        || (client === undefined && base === undefined))
    {
        result.value.push(server);
        return;
    }

    result.changed = true;

    if (server === undefined && base === undefined) {
        result.value.push(client);
        return;
    }

    if (equal(base, server)) {
        if (client !== undefined) {
            result.value.push(client);
        }

        return;
    }

    if (server === undefined && equal(base, client)) {
        return;
    }

    /* both sides have changed it: merged by member, if both still have it */

    const field = path + '/' + escaped((server || client)[key]);

    if (server === undefined || client === undefined) {
        clash(walk, field, 'union', trio);

        if (server !== undefined) {
            result.value.push(server);
        }

        return;
    }

    result.value.push(withoutRules(walk, trio, field));
}

/* an object in an array: rules do not apply to its members */

function withoutRules(walk, trio, path) {
    return mergeMembers({ ...walk, rules: new Map(), ignore: undefined },
                        trio, path);
}

function list(walk, trio, path) {
    const { base, server, client } = trio;

    if (![base, server, client].every(Array.isArray)) {
        return CLASH;
    }

    const lists = alignLists(trio, walk.budget);

    if (lists === null) {
        return CLASH;
    }

    if (!lists.edited) {
        return CLIENT;
    }

    if (!lists.differs) {
        return SERVER;
    }

    return {
        from: 'made',
        value: lists.out.map(element => element.trio
            ? withoutRules(walk, { ...element.trio, held: true },
                           path + '/' + element.at)
            : lists.arrays[element.side][element.at])
    };
}
