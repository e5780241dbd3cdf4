'use strict';

/* What any page must have: each function returns what is wrong, as text. */

/* controls and parts without a name that a screen reader could say */

exports.nameless = page => page.evaluate(() => {
    const parts = document.querySelectorAll('button, input, select, textarea,'
        + ' summary, fieldset, table, section, pre[tabindex], ol[aria-label],'
        + ' [role=switch], [role=log], [role=img]');

    return [...parts].filter(el => !el.hidden && !(
        el.textContent.trim() || el.getAttribute('aria-label')
        || el.getAttribute('aria-labelledby')
        || (el.labels && el.labels.length))).map(el => el.outerHTML)
        .join(' ');
});

/* two controls of a group, or of the page, with the same id */

exports.repeated = page => page.evaluate(() => {
    const ids = [...document.querySelectorAll('[id]')].map(el => el.id);

    return ids.filter((id, i) => ids.indexOf(id) !== i).join(' ');
});

/* text on its background: WCAG 2, 1.4.3, which exempts disabled controls */

exports.faint = (page, exempt) => page.evaluate(exempt => {
    const rgb = c => c.match(/[\d.]+/g).map(Number);

    const light = c => {
        const v = c.slice(0, 3).map(x => {
            x /= 255;
            return x <= .03928 ? x / 12.92
                               : Math.pow((x + .055) / 1.055, 2.4);
        });

        return .2126 * v[0] + .7152 * v[1] + .0722 * v[2];
    };

    const back = el => {
        for (; el; el = el.parentElement) {
            const c = rgb(getComputedStyle(el).backgroundColor);

            if (c.length < 4 || c[3] > .99) {
                return c;
            }
        }

        return [255, 255, 255];
    };

    return [...document.querySelectorAll('body *')].filter(el =>
        el.checkVisibility() && !el.closest(exempt)
        && (el.matches('input, textarea')
            || [...el.childNodes].some(n => n.nodeType === 3
                                            && n.data.trim()))
    ).filter(el => {
        const a = light(rgb(getComputedStyle(el).color));
        const b = light(back(el));

        return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5;
    }).map(el => el.className + ': ' + el.textContent.slice(0, 20))
      .join(', ');
}, exempt);

/* what is wider than the screen, or cut off */

exports.wide = page => page.evaluate(() => {
    const over = document.documentElement.scrollWidth - innerWidth;
    const cut = [...document.querySelectorAll('body *')].filter(el =>
        el.checkVisibility() && !el.closest('.hidden, .skip, pre')
        && el.getBoundingClientRect().right > innerWidth + 1);

    return (over > 0 ? over + ' px ' : '')
           + cut.map(el => el.tagName + '.' + el.className).join(' ');
});
