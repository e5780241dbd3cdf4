/*
 * The documents of the demo and their fields: as a value in JSON, as a control
 * to edit it, and as text.
 */

import { html } from './html.js';

/* the rules of demo/nginx.conf, for the merge that a device offers */

export const rules = { '/price': 'reject', '/tags': 'union',
                       '/views': 'sum' };

export const kinds = {
    note: {
        title: 'Note', all: 'All notes', path: 'notes',
        first: { text: 'Buy milk' },
        name: doc => doc?.text?.split('\n')[0] || 'empty',
        made: text => ({ text }),
        fields: { text: { label: 'Text', type: 'text' } },
        edits: {
            mobile: { text: 'Buy oat milk' },
            desktop: { text: 'Buy milk and bread' }
        }
    },
    product: {
        title: 'Product', all: 'All products', path: 'products',
        name: doc => `${asText('list', doc?.tags)}, ${doc?.price}`,
        first: { price: 12, tags: ['desk'], views: 10 },
        fields: {
            price: { label: 'Price', type: 'number' },
            tags: { label: 'Tags', type: 'list' },
            views: { label: 'Views', type: 'count' }
        },
        edits: {
            mobile: { tags: ['desk', 'sale'], views: 11 },
            desktop: { tags: ['desk', 'light'], views: 13 }
        }
    }
};

export function asText(type, value) {
    if (value === undefined || value === null) {
        return '';
    }

    return type === 'list' ? [value].flat().join(', ') : String(value);
}

/* undefined: not a value of the type */

export function fromText(type, text) {
    if (type === 'list') {
        return [...new Set(text.split(',').map(tag => tag.trim())
                                .filter(tag => tag !== ''))];
    }

    if (type === 'text') {
        return text;
    }

    const number = Number(text);

    return text.trim() === '' || Number.isNaN(number)
           || (type === 'count' && !Number.isSafeInteger(number))
           ? undefined : number;
}

/* a control; its text is read by fromText() */

export function control(type, attributes) {
    if (type === 'text') {
        return html('textarea', { rows: 3, ...attributes });
    }

    return html('input', {
        ...attributes, autocomplete: 'off',
        ...(type === 'list' ? { type: 'text' }
            : { type: 'number', step: type === 'count' ? 1 : 'any',
                required: true })
    });
}
