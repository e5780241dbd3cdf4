/* Conflicts over time. */

const UNITS = { 60: 'minute', 3600: 'hour', 86400: 'day' };

function perBin(bins) {
    const lists = Object.keys(bins.actions).filter(counts)
                        .map(name => bins.actions[name]);

    return bins.writes.map((_, i) => sum(lists.map(list => list[i])));
}

function binTime(bins, i) {
    return new Date(Date.parse(bins.start) + i * bins.step * 1000);
}

/* bins of days are days of UTC */

function binName(bins, i) {
    const options = { weekday: 'short', day: 'numeric', month: 'short' };

    if (bins.step === 86400) {
        options.timeZone = 'UTC';

    } else {
        options.hour = options.minute = '2-digit';
    }

    return binTime(bins, i).toLocaleString(LOCALE, options);
}

/* the text below a bin; '': none */

function tick(bins, i, roomy) {
    const at = binTime(bins, i);

    if (bins.step === 86400) {
        return [1, 15].includes(at.getUTCDate())
               ? at.toLocaleDateString(LOCALE, { day: 'numeric',
                                                 month: 'short',
                                                 timeZone: 'UTC' }) : '';
    }

    if (bins.step === 3600 && at.getHours() === 0) {
        return at.toLocaleDateString(LOCALE, { weekday: 'short',
                                               day: 'numeric',
                                               month: 'short' });
    }

    if (bins.step === 3600) {
        return at.getHours() === 12 || (roomy && at.getHours() % 6 === 0)
               ? at.toLocaleTimeString(LOCALE, { hour: '2-digit',
                                                 minute: '2-digit' }) : '';
    }

    return at.getMinutes() % (roomy ? 10 : 15) === 0
           ? at.toLocaleTimeString(LOCALE, { hour: '2-digit',
                                             minute: '2-digit' }) : '';
}

/* a round upper limit of an axis */

function ceiling(n) {
    const step = Math.pow(10, Math.floor(Math.log10(Math.max(n, 1))));

    return Math.max(4, [1, 2, 4, 10].map(k => k * step).find(k => k >= n));
}

function spark(bins) {
    const list = perBin(bins), top = Math.max(1, ...list);
    const svg = draw('svg', { class: 'spark', 'aria-hidden': 'true',
                              preserveAspectRatio: 'none',
                              viewBox: '0 0 ' + list.length + ' 28' });

    list.forEach((n, i) => {
        const h = n ? Math.max(2, 26 * n / top) : 0;

        if (h) {
            svg.append(draw('rect', { x: i, y: 28 - h, width: .8, height: h,
                                      class: 'k1' }));
        }
    });

    svg.append(draw('line', { x1: 0, x2: list.length, y1: 28, y2: 28,
                              class: 'axis' }));
    return svg;
}

function chart(bins, title, W) {
    const H = 200, L = 44, B = 24, T = 22;
    const list = perBin(bins), n = list.length;
    const top = ceiling(Math.max(1, ...list));
    const step = (W - L) / n, scale = (H - B - T) / top;
    const names = Object.keys(bins.actions).filter(counts);
    const svg = draw('svg', { role: 'img', 'aria-label': title,
                              viewBox: '0 0 ' + W + ' ' + H });
    let free = 0;

    svg.append(draw('text', { x: 0, y: 11 },
                    'Conflicts per ' + UNITS[bins.step]));

    for (const k of [0, .5, 1]) {
        const y = H - B - k * top * scale;

        svg.append(draw('line', { x1: L, x2: W, y1: y, y2: y,
                                  class: 'axis' }),
                   draw('text', { x: L - 6, y: y + 4, 'text-anchor': 'end' },
                        number(k * top)));
    }

    for (let i = 0; i < n; i++) {
        const x = L + i * step, text = tick(bins, i, W > 560);
        const half = 3.2 * text.length;

        if (text && x - half >= free && x + half <= W) {
            svg.append(draw('line', { x1: x, x2: x, y1: H - B, y2: H - B + 5,
                                      class: 'axis' }),
                       draw('text', { x, y: H - 5, 'text-anchor': 'middle' },
                            text));
            free = x + half + 8;
        }
    }

    list.forEach((count, i) => {
        let y = H - B;

        if (!count) {
            return;
        }

        const group = draw('g', {});
        const parts = names.filter(name => bins.actions[name][i]);

        group.append(draw('title', {}, binName(bins, i) + ': '
            + parts.map(name => number(bins.actions[name][i]) + ' '
                                + action(name)[0]).join(', ')
            + ' of ' + plural(bins.writes[i], 'write')));

        for (const name of parts) {
            const h = bins.actions[name][i] * scale;

            y -= h;
            group.append(draw('rect', { x: L + i * step + step * .1, y,
                                        width: step * .8, height: h,
                                        class: 'k' + action(name)[1] }));
        }

        svg.append(group);
    });

    return svg;
}

function period(bins) {
    return binName(bins, 0) + ' – ' + binName(bins, bins.writes.length - 1)
           + (bins.step === 86400 ? ' (UTC)' : '');
}

function legend(bins) {
    return make('ul', { class: 'legend' },
        ...Object.keys(bins.actions).map(name => make('li', {},
            make('i', { class: 'k' + action(name)[1] }),
            action(name)[0] + ': ' + number(sum(bins.actions[name])))));
}
