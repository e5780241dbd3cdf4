/*
 * JSON values: equality, and members by name.  An absent member is undefined.
 */

export function isObject(value) {
    return value !== null && typeof value === 'object'
           && !Array.isArray(value);
}

export function member(value, name) {
    return isObject(value) && Object.hasOwn(value, name) ? value[name]
                                                         : undefined;
}

/* also a member named "__proto__" */

export function setMember(object, name, value) {
    Object.defineProperty(object, name, {
        value, enumerable: true, configurable: true, writable: true
    });
}

/* the same text for equal values: members in any order, 1.0 equal to 1 */

export function canonical(value) {
    if (Array.isArray(value)) {
        return '[' + value.map(canonical).join(',') + ']';
    }

    if (isObject(value)) {
        return '{' + Object.keys(value).sort().map(
            name => JSON.stringify(name) + ':' + canonical(value[name])
        ).join(',') + '}';
    }

    return value === undefined ? '' : JSON.stringify(value);
}

export function equal(a, b) {
    return a === b || canonical(a) === canonical(b);
}

/* undefined: the text is not JSON */

export function parse(text) {
    try {
        return JSON.parse(text);

    } catch {
        return undefined;
    }
}
