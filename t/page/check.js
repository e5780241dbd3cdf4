'use strict';

/*
 * The dashboard in a browser without a screen: check.js URL DIRECTORY.  Prints
 * "ok" or "not ok" and the name of each check; screenshots go to DIRECTORY.
 */

const { chromium } = require('playwright-core');

const [base, dir] = process.argv.slice(2);
const wrong = [];
const requests = [];

function check(good, name) {
    console.log((good ? 'ok ' : 'not ok ') + name);
}

async function write(path, body, headers) {
    return fetch(base + path, {
        method: 'PUT',
        body: JSON.stringify(body),
        headers: Object.assign({ 'Content-Type': 'application/json' },
                               headers)
    });
}

/* writes on a base that is stale, so many times */

async function stale(path, times, headers) {
    const read = await fetch(base + path);
    const version = JSON.parse(read.headers.get('etag'));

    await write(path, { title: 'mine', base_version: version });

    for (let i = 0; i < times; i++) {
        await write(path, { title: 'theirs ' + i, base_version: version },
                    headers);
    }
}

async function open(browser, options) {
    const context = await browser.newContext(options);
    const page = await context.newPage();

    page.on('console', m => {
        if (m.type() === 'error' || m.type() === 'warning') {
            wrong.push(m.text());
        }
    });
    page.on('pageerror', e => wrong.push(e.message));
    page.on('dialog', d => { wrong.push('dialog'); d.dismiss(); });
    page.on('request', r => requests.push(r.url()));

    await page.goto(base + '/dashboard');

    return page;
}

async function appears(page, selector, text) {
    try {
        await page.locator(selector, { hasText: text }).first()
                  .waitFor({ timeout: 15000 });
        return true;
    } catch (e) {
        return false;
    }
}

/* as a person with a keyboard alone */

async function keyboard(page) {
    const card = page.locator('details.route').first();
    const open = await card.evaluate(el => el.open);

    await card.locator('summary').focus();
    await page.keyboard.press('Enter');

    check(await card.evaluate(el => el.open) !== open,
          'a route opens and closes by the keyboard');

    await page.keyboard.press('Enter');
    await page.locator('[name=range][value=hours]').focus();
    await page.keyboard.press('ArrowLeft');

    check(await page.locator('[name=range][value=minutes]').isChecked(),
          'so does another time');
}

async function names(page) {
    const nameless = await page.evaluate(() => {
        const parts = document.querySelectorAll(
            'button, input, summary, [role=img], [role=region], section');

        return [...parts].filter(el => !el.hidden && !(
            el.textContent.trim() || el.getAttribute('aria-label')
            || el.getAttribute('aria-labelledby')
            || (el.labels && el.labels.length))).map(el => el.outerHTML);
    });

    check(nameless.length === 0, 'all has a name ' + nameless.join(' '));
}

/* text on its background, of all that is shown: WCAG 2, 1.4.3 */

async function contrast(page, name) {
    const low = await page.evaluate(() => {
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
            el.checkVisibility() && el.closest('svg') === null
            && el.closest('.hidden, .skip') === null
            && [...el.childNodes].some(n => n.nodeType === 3
                                            && n.data.trim())
        ).filter(el => {
            const a = light(rgb(getComputedStyle(el).color));
            const b = light(back(el));
            return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5;
        }).map(el => el.className + ': ' + el.textContent.slice(0, 20));
    });

    check(low.length === 0, name + ': contrast ' + low.join(', '));
}

async function narrow(page, name) {
    const over = await page.evaluate(() =>
        document.documentElement.scrollWidth - innerWidth);

    check(over <= 0, name + ': as wide as the screen');
}

(async () => {
    const browser = await chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu']
    });

    try {
        const page = await open(browser, { viewport: { width: 1280,
                                                       height: 900 } });

        check(await appears(page, '#routes', 'No guarded write'),
              'the empty page says that it is');
        check(await appears(page, '#conflicts', 'None yet'),
              'no conflicts yet');
        await page.screenshot({ path: dir + '/empty.png', fullPage: true });

        /* one conflict, by a client that sends markup */

        const evil = '<img src=x onerror=alert(1)>';

        await stale('/plain/1', 1, { 'X-Client': evil });

        check(await appears(page, '#conflicts td', '/plain/1'),
              'a new conflict appears by itself');
        check(await appears(page, '#conflicts td', evil),
              'markup is text');
        check(await page.locator('main img').count() === 0, 'no element');
        check(await appears(page, '.advice', 'Keep it: 1 of 2 writes'),
              'advice: keep');
        check(await page.locator('.badge.change').count() === 0,
              'nothing to change yet');

        /* a write that nobody has checked */

        check(await page.locator('.unchecked').count() === 0,
              'all was checked');
        await write('/plain/1', { title: 'whatever' });

        check(await appears(page, '.advice.is-watch', 'Not all writes are '
                            + 'checked: 1 of 3 writes sent no base and was '
                            + 'not checked'),
              'advice: not all is checked');
        check(await appears(page, 'summary .badge', 'watch'),
              'seen at the first glance');
        check(await appears(page, 'summary .unchecked', '1 not checked'),
              'with the number');
        check(await appears(page, '.inside > .unchecked',
                            'Not checked: 1 without a base.'),
              'and why');
        check(await appears(page, '#tiles', 'Not checked1'),
              'of all routes');
        check(await appears(page, '.advice li',
                            'Clients that send no base get 428: 1 of 3'),
              'what the cure costs');

        /* as many as make a change worth it */

        for (let i = 0; i < 890; i += 10) {
            await Promise.all([...Array(10).keys()].map(k => write(
                '/plain/new-' + i + '-' + k, { title: 'x' },
                { 'If-None-Match': '*' })));
        }

        await stale('/plain/2', 110);

        check(await appears(page, '.advice.is-change',
                            'Try merge: 111 of 1,004 writes'),
              'the advice follows the numbers');
        check(await appears(page, '.advice pre', 'conflict merge;'),
              'the lines to write');
        check(await page.locator('svg[role=img] rect').count() > 0,
              'a chart');

        await keyboard(page);
        await names(page);
        await contrast(page, 'light');
        await page.screenshot({ path: dir + '/desktop.png',
                                fullPage: true });

        const phone = await open(browser, {
            viewport: { width: 360, height: 800 }, colorScheme: 'dark',
            reducedMotion: 'reduce', isMobile: true, hasTouch: true
        });

        check(await appears(phone, '#stores .card', 'default'),
              'a phone has it all');
        await narrow(phone, 'phone');
        await contrast(phone, 'dark');
        await phone.screenshot({ path: dir + '/phone.png', fullPage: true });

        /* a store that is gone, and back */

        await page.route('**/dashboard?format=json', async r => {
            const answer = await r.fetch();
            const json = await answer.json();

            Object.assign(json.stores[0], { up: false, error: 'no <b>news' });
            await r.fulfill({ response: answer, json });
        });
        check(await appears(page, '.banner',
                            'The store default does not answer: no <b>news'),
              'a store that is down is said first');
        await page.screenshot({ path: dir + '/down.png', fullPage: true });
        await contrast(page, 'banner');
        await page.unroute('**/dashboard?format=json');
        await page.locator('.banner').waitFor({ state: 'hidden' });
        check(true, 'until it is up');

        await page.route('**/dashboard?format=json', async r => {
            const answer = await r.fetch();
            const json = await answer.json();

            json.stores[0].settling = 12;
            await r.fulfill({ response: answer, json });
        });
        check(await appears(page, '.banner', 'default is new or was restarted'),
              'so is one that has forgotten');
        await page.unroute('**/dashboard?format=json');
        await page.locator('.banner').waitFor({ state: 'hidden' });

        /* a server that is gone, and back */

        await page.route('**/dashboard?format=json', r => r.abort());
        check(await appears(page, '#problem', 'Cannot update, the data'),
              'it says when it is out of date');
        await page.unroute('**/dashboard?format=json');
        wrong.splice(0, wrong.length, ...wrong.filter(
            text => !/ERR_FAILED/.test(text)));

        await page.locator('#problem').waitFor({ state: 'hidden' });
        check(true, 'and goes on');

    } catch (e) {
        check(false, e.message);
    }

    check(wrong.length === 0, 'nothing in the console ' + wrong.join(' | '));

    const elsewhere = requests.filter(url => !url.startsWith(base + '/'));
    check(elsewhere.length === 0, 'no request leaves ' + elsewhere.join(' '));

    await browser.close();
})();
