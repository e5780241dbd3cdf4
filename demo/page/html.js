/* Makes elements: html('p', { class: 'quiet' }, 'text', another). */

export function html(name, attributes = {}, ...children) {
    const element = document.createElement(name);

    for (const [key, value] of Object.entries(attributes)) {

        if (key.startsWith('on')) {
            element.addEventListener(key.slice(2), value);

        } else if (typeof value === 'boolean') {
            element.toggleAttribute(key, value);

        } else if (value !== null && value !== undefined) {
            element.setAttribute(key, value);
        }
    }

    element.append(...children.flat().filter(child => child !== null
                                                      && child !== undefined));

    return element;
}

/* one of several: a group of radio buttons */

export function choice(label, name, options, chosen) {
    return html('fieldset', { class: 'choice' },
        html('legend', { class: 'hidden' }, label),
        Object.entries(options).map(([value, text]) => html('label', {},
            html('input', { type: 'radio', name, value,
                            checked: value === chosen }),
            html('span', {}, text))));
}

/* changes a text only if it differs, so that it is not announced again */

export function say(element, text) {
    if (element.textContent !== text) {
        element.textContent = text;
    }
}
