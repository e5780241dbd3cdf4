'use strict';

/*
 * The dashboard in a browser without a screen: check.js URL DIRECTORY.  Prints
 * "ok" or "not ok" and the name of each check; screenshots go to DIRECTORY.
 */

const { chromium } = require('playwright-core');
const looks = require('./looks.js');

const [base, dir] = process.argv.slice(2);
const wrong = [];
const requests = [];

function check(good, name) {
    console.log((good ? 'ok ' : 'not ok ') + name);
}

async function write(path, body, headers) {
    return fetch(base + path, {
        method: 'PUT',
        body: typeof body === 'string' ? body : JSON.stringify(body),
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

async function open(browser, options, path) {
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

    await page.goto(base + (path || '/dashboard'));

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
    const opener = page.locator('.routes .opener').first();

    await opener.focus();
    await page.keyboard.press('Enter');

    check(await opener.getAttribute('aria-expanded') === 'true'
          && await page.locator('.routes .detail').count() === 1,
          'a route opens by the keyboard');
    check(await opener.evaluate(el => el === document.activeElement),
          'and keeps the focus');

    await page.keyboard.press('Enter');
    check(await page.locator('.routes .detail').count() === 0,
          'and closes');
    await page.keyboard.press('Enter');

    await page.locator('[name=range][value=hours]').focus();
    await page.keyboard.press('ArrowLeft');

    check(await page.locator('[name=range][value=minutes]').isChecked()
          && page.url().includes('range=minutes'),
          'so does another time');
}

async function names(page) {
    const nameless = await looks.nameless(page);

    check(nameless === '', 'all has a name ' + nameless);
}

async function contrast(page, name) {
    const faint = await looks.faint(page, 'svg, .hidden, .skip');

    check(faint === '', name + ': contrast ' + faint);
}

/* nothing is cut, and nothing has to be scrolled sideways */

async function narrow(page, name) {
    const cut = await page.evaluate(() => [...document.querySelectorAll('*')]
        .filter(el => el.checkVisibility()
            && !el.closest('.hidden, .skip, thead, svg, select, option')
            && (el.getBoundingClientRect().right > innerWidth + 1
                || (el.scrollWidth > el.clientWidth + 1
                    && el.tagName !== 'INPUT'
                    && getComputedStyle(el).display !== 'inline')))
        .map(el => el.tagName + '.' + el.className));

    check(cut.length === 0, name + ': nothing is cut ' + cut.join(' '));
}

function fulfilled(page, change) {
    return page.route('**/dashboard?format=json&limit=*', async r => {
        const answer = await r.fetch();
        const json = await answer.json();

        if (!r.request().url().includes('&id=')) {
            change(json);
        }

        await r.fulfill({ response: answer, json });
    });
}

function unfulfilled(page) {
    return page.unroute('**/dashboard?format=json&limit=*');
}

/* filters, the search, and the address that keeps them */

async function filters(browser, page) {
    const rows = () => page.locator('.conflicts tbody .row').count();
    const json = await (await fetch(base + '/dashboard?format=json')).json();
    const of = user => json.conflicts.find(c => c.user_id === user);
    const carol = of('carol'), before = await rows();

    await page.selectOption('#f-user', { label: 'carol' });
    check(await rows() === 1 && page.url().includes('user=carol'),
          'conflicts of a user');

    await page.goBack();
    check(await rows() === before, 'and the way back');

    await page.selectOption('#f-action', { label: 'overwrote a change' });
    check(await rows() === 2 && page.url().includes('action=conflict_lww'),
          'of an action');
    await page.selectOption('#f-user', { label: 'unknown' });
    check(await rows() === 1, 'of nobody who is known');
    await page.click('#clear');
    check(await rows() === before && !/user=|action=/.test(page.url()),
          'of all');

    /* one, by its ID */

    await page.fill('#f-id', ' ' + carol.conflict_id.toUpperCase());
    check(await rows() === 1 && await appears(page, '.facts dd', 'carol'),
          'one is found by its ID, and opened');

    const text = (await page.locator('.conflicts .detail').innerText())
                 .replace(/\s+/g, ' ');

    for (const part of [carol.conflict_id, 'Device tablet 7',
                        'Address 127.0.0.1', 'Request PUT /plain/lww/1',
                        'Policy lww', 'overwrote the version of the server',
                        'Response: ' + carol.status,
                        'Version ' + carol.base_version,
                        'Version ' + carol.server_version])
    {
        check(text.includes(part), 'with ' + part);
    }

    check(!/done|theirs/.test(text), 'but not a body');
    check(await page.locator('.side time').count() === 2, 'both with dates');

    const url = page.url();
    const other = await open(browser, {}, url.slice(base.length));

    check(await appears(other, '.facts dd', 'carol'),
          'its address shows the same');
    await other.context().close();

    await page.fill('#f-id', 'f'.repeat(32));
    check(await appears(page, '#conflicts .empty', 'No conflict with this ID'),
          'one that there is not');
    check(await appears(page, '#conflicts pre', 'grep'),
          'and where to look then');
    await page.click('#clear');

    /* one that the page does not have */

    await fulfilled(page, j => {
        j.conflicts = j.conflicts.filter(c => c.user_id !== 'carol');
    });
    await page.goto(base + '/dashboard?id=' + carol.conflict_id);
    check(await appears(page, '.conflicts .row', 'carol'),
          'is searched by the server');
    await unfulfilled(page);

    /* from a route to its conflicts */

    await page.goto(base + '/dashboard');
    await page.locator('.routes .opener', { hasText: '/plain/lww/' }).click();
    await page.getByRole('button', { name: 'Show its 2 conflicts' }).click();
    check(await rows() === 2, 'from a route to its conflicts');
    check(await page.evaluate(() => document.activeElement.id)
          === 'h-conflicts', 'with the focus');
    await page.locator('.routes .opener', { hasText: '/plain/' }).first()
              .click();
    check(await page.locator('.routes .detail').count() === 1,
          'one route at a time is open');
    await page.goto(base + '/dashboard');
}

async function copies(page) {
    const opener = page.locator('.routes .opener').first();

    await page.context().grantPermissions(['clipboard-read',
                                           'clipboard-write']);
    await opener.click();
    await page.locator('.advice .copy').first().click();
    check(await appears(page, '.advice .copy', 'Copied'), 'a copy button');
    check((await page.evaluate(() => navigator.clipboard.readText()))
          .includes('conflict merge;'), 'has copied the directives');

    /* a page that is not secure has no clipboard of that kind */

    await page.evaluate(() => {
        Object.defineProperty(navigator, 'clipboard', { value: undefined });
    });
    await page.locator('#help summary').click();
    await page.locator('#elsewhere .copy').first().click();
    check(await appears(page, '#elsewhere .copy', 'Copied'),
          'another way without a secure page');
    await opener.click();
}

/* all that clients send is text, also in the address */

async function hostile(browser, page, evil) {
    const before = await page.locator('.conflicts tbody .row').count();

    await write('/plain/evil/1', { title: 'x' }, { 'X-Entity': evil });
    await fetch(base + '/plain/evil/1/lock', {
        method: 'POST', headers: { 'X-User': evil, 'X-Client': evil }
    });
    await write('/plain/' + encodeURIComponent(evil), { title: 'first' });
    await stale('/plain/' + encodeURIComponent(evil), 1,
                { 'X-User': evil, 'X-Client': evil });

    check(await appears(page, '.routes .row', evil), 'an entity is text');
    check(await appears(page, '.conflicts th', evil), 'a resource');
    check(await appears(page, '#locks td', evil), 'a holder of a lock');
    check(await appears(page, '#resources th', evil), 'one that is frequent');

    await page.locator('.conflicts .opener', { hasText: evil }).click();
    check(await appears(page, '.conflicts .facts', evil), 'one that is open');
    await page.locator('.routes .opener', { hasText: '/plain/evil/' }).first()
              .click();
    check(await appears(page, '.routes .detail', 'Since'), 'a route');
    await page.selectOption('#f-user', { label: evil });
    check(await page.locator('.conflicts tbody .row').count() === 1,
          'a user that is selected');
    check(await page.locator('main img, main script').count() === 0,
          'no element');

    /* an address that somebody was sent */

    const args = ['range', 'open', 'route', 'user', 'action', 'resource',
                  'id', 'conflict'].map(
        name => name + '=' + encodeURIComponent('"\'>' + evil)).join('&');
    const other = await open(browser, {}, '/dashboard?' + args);

    check(await appears(other, '#conflicts', 'No conflict with this ID'),
          'an address of nothing but markup');
    check(await other.locator('main img, main script').count() === 0
          && !(await other.locator('#conflicts pre').textContent())
              .includes('<'),
          'is text, and no command');
    await other.context().close();

    /* lines that are not the module's */

    await fulfilled(page, json => {
        json.conflicts.unshift({}, { time: 5 }, { time: json.time },
            { time: json.time }, json.conflicts[0],
            { time: json.time, action: '__proto__', conflict_id: evil,
              fields: { x: evil }, base_version: [evil], entity_id: [1] },
            { time: json.time, action: 'constructor', conflict_id: null,
              fields: [[evil]], user_id: 7, status: evil });
    });
    await page.goto(base + '/dashboard');
    check(await appears(page, '.conflicts td', '__proto__'),
          'lines of others');
    await page.locator('.conflicts .opener').nth(1).click();
    await page.locator('.conflicts .opener').nth(2).click();
    check(await page.locator('.conflicts .detail').count() === 1
          && await page.locator('main img, main script').count() === 0,
          'open, too');
    check(await page.locator('#problem').isHidden(), 'and break nothing');
    await unfulfilled(page);
    await page.goto(base + '/dashboard');
    check(await page.locator('.conflicts tbody .row').nth(before - 1)
              .waitFor().then(() => true, () => false), 'all as before');
}

/* in a frame of a page of an origin that is named, and of none other */

async function widget(browser) {
    const away = base.replace('127.0.0.1', 'localhost');
    const page = await open(browser, {}, '/dashboard');

    await page.goto(away + '/frame?widget=' + base + '/framed');

    const frame = page.frameLocator('iframe');

    try {
        await frame.getByText('write conflicts').waitFor({ timeout: 5000 });
        check(true, 'the widget in a frame');
    } catch (e) {
        check(false, 'the widget in a frame');
    }

    await page.screenshot({ path: dir + '/badge.png' });
    await page.goto(base + '/frame?widget=/framed');
    await page.waitForTimeout(500);
    check(!(await page.frames()[1].content()).includes('write conflicts'),
          'but not where it is not allowed');
    check(wrong.some(text => /frame-ancestors/.test(text)),
          'by its policy');

    wrong.splice(0, wrong.length, ...wrong.filter(
        text => !/frame-ancestors/.test(text)));
    await page.context().close();
}

/* bodies that are held, if the directive allows it */

async function inbox(browser) {
    await stale('/plain/kept/1', 1, { 'X-User': '<b>dave</b>' });
    await write('/plain/kept/1', '{"title": "theirs 0", "n": [1, 0.5, '
                + '9007199254740993, 1e400], "base_version": 1}',
                { 'X-User': '<b>dave</b>' });

    const closed = await open(browser, {}, '/dashboard');

    check(await appears(closed, '#stores', 'Keys')
          || await appears(closed, '#stores', 'Resources'), 'without it');
    check(await closed.locator('#s-held').isHidden(), 'no bodies are listed');
    await closed.close();

    const page = await open(browser, {}, '/inboxed');

    check(await appears(page, '#held tbody .row', '/plain/kept/1'),
          'a body that is held');
    check(await appears(page, '#held .who', '<b>dave</b>'), 'by whom');
    check(!(await page.locator('#held').textContent()).includes('theirs 0'),
          'without the body');

    await page.locator('#held .opener').first().click();
    check(await appears(page, '#held .side pre', 'theirs 0'), 'until opened');
    check(await appears(page, '#held .side pre', 'mine'), 'next to the latest');
    check(await appears(page, '#held .side pre', '9007199254740993')
          && await appears(page, '#held .side pre', '1e400')
          && await appears(page, '#held .side pre', ' 0.5'),
          'with its numbers');
    await names(page);
    await page.screenshot({ path: dir + '/inbox.png', fullPage: true });
    await page.close();
}

(async () => {
    const browser = await chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu']
    });

    try {
        const page = await open(browser, { viewport: { width: 1280,
                                                       height: 900 } });

        check(await appears(page, '#action', 'Nothing was counted yet'),
              'what was not looked at is not called good');
        check(await appears(page, '#routes', 'No guarded write'),
              'the empty page says that it is');
        check(await appears(page, '#conflicts', 'None yet'),
              'no conflicts yet');
        await page.screenshot({ path: dir + '/empty.png', fullPage: true });

        /* one conflict, by a client that sends markup */

        const evil = '<img src=x onerror=alert(1)>';

        await stale('/plain/1', 1, { 'X-Client': evil });

        check(await appears(page, '.conflicts th', '/plain/1'),
              'a new conflict appears by itself');
        check(await appears(page, '.conflicts td', evil),
              'markup is text');
        check(await page.locator('main img').count() === 0, 'no element');
        check(await appears(page, '#action', 'Nothing.'), 'nothing to do');

        await page.locator('.routes .opener').first().click();
        check(await appears(page, '.advice', 'Keep it: 1 of 2 writes'),
              'advice: keep');
        check(await page.locator('.badge.change').count() === 0,
              'nothing to change yet');

        /* a write that nobody has checked */

        check(await page.locator('.unchecked').count() === 0,
              'all was checked');
        await write('/plain/1', { title: 'whatever' });

        check(await appears(page, '#action .is-watch',
                            '1 write passed without a base'),
              'what needs action is on top');
        check(await appears(page, '.advice.is-watch', 'Not all writes are '
                            + 'checked: 1 of 3 writes sent no base and was '
                            + 'not checked'),
              'advice: not all is checked');
        check(await appears(page, '.row .badge', 'watch'),
              'seen at the first glance');
        check(await appears(page, '.row .unchecked', '1'),
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

        /* labels of an axis, with days */

        check(/(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d/.test(
                  await page.locator('svg[role=img]').textContent()),
              'days below the hours');
        await page.locator('[name=range][value=days]').check({ force: true });
        check(/(1|15) [A-Z][a-z]{2}/.test(
                  await page.locator('svg[role=img]').textContent()),
              'and months below the days');
        await page.goBack();
        await page.locator('.routes .opener').first().click();

        await stale('/plain/lww/1', 1, { 'X-User': 'carol',
                                         'X-Client': 'tablet 7' });
        await stale('/plain/lww/2', 1);
        check(await appears(page, '.conflicts th', '/plain/lww/2'),
              'another route');

        await keyboard(page);
        await page.locator('[name=range][value=hours]').check({ force: true });
        await filters(browser, page);
        await copies(page);
        await hostile(browser, page, evil);
        await names(page);
        await page.locator('.routes .opener').first().click();
        await page.locator('.conflicts .opener').first().click();
        await contrast(page, 'light');
        await page.screenshot({ path: dir + '/desktop.png',
                                fullPage: true });

        const address = page.url().slice(base.length);

        for (const width of [390, 360, 320]) {
            const phone = await open(browser, {
                viewport: { width, height: 800 }, colorScheme: 'dark',
                reducedMotion: 'reduce', isMobile: true, hasTouch: true
            }, address);

            check(await appears(phone, '#stores .card', 'default'),
                  width + ' pixels have it all');
            await phone.locator('#help summary').click();
            await narrow(phone, width + ' pixels');
            await contrast(phone, 'dark, ' + width);
            await phone.screenshot({ path: dir + '/phone-' + width + '.png',
                                     fullPage: true });
            await phone.context().close();
        }

        await widget(browser);

        /* a store that is gone, and back */

        await fulfilled(page, json => {
            Object.assign(json.stores[0], { up: false, error: 'no <b>news',
                                            locks: null });
            json.locks = [];
        });
        check(await appears(page, '#action .is-bad',
                            'The store default does not answer: no <b>news'),
              'a store that is down is said first');
        check(await appears(page, '#tiles', 'Conflict rateunknown'),
              'a rate is not known then');
        check(await appears(page, '#tiles', /Conflicts≥/),
              'nor a number that is all');
        check(await appears(page, '#locks', 'Unknown'),
              'nor that there are no locks');
        await page.screenshot({ path: dir + '/down.png', fullPage: true });
        await contrast(page, 'banner');
        await unfulfilled(page);
        await page.locator('#action .is-bad').waitFor({ state: 'hidden' });
        check(true, 'until it is up');

        await fulfilled(page, json => {
            json.stores[0].settling = 12;
            json.stores[0].errors.full = 3;
            json.stores[0].dirty = 2;
            json.stores[0].uncounted = 8;
            json.stores[0].unsettled = 5;
            json.stores[0].stream_dropped = 1;
            json.stores[0].not_held = 1;
            json.stores[0].blobs_evicted = 6;
            json.audit_errors = 1;
            json.resolver.failed = 7;
            json.routes[0].hours.actions.conflict_overlapped
                = json.routes[0].hours.writes.map((_, i) => i === 47 ? 1 : 0);
            json.routes[0].hours.not_checked.unchecked
                = json.routes[0].hours.writes.map((_, i) => i === 47 ? 4 : 0);
        });

        for (const text of ['default is new or was restarted',
                            'default was full for 3 requests',
                            '2 unresolved writes', '1 write overlapped',
                            'does not take counts: 8 requests of this host',
                            '5 outcomes did not reach it',
                            '7 questions had no usable answer of a resolver',
                            '1 line of the audit stream did not reach it',
                            '1 body that lost a conflict could not be held',
                            '6 stored responses or held bodies evicted early',
                            '4 writes passed unchecked',
                            '1 line of the audit log'])
        {
            check(await appears(page, '#action .act', text), text);
        }

        await page.getByRole('button', { name: 'Show them' }).click();
        check(page.url().includes('action=conflict_overlapped')
              && await appears(page, '#conflicts .empty', 'None of the latest'),
              'the conflicts that are meant');
        await page.click('#clear');
        await unfulfilled(page);
        await page.locator('#action', { hasText: 'restarted' })
                  .waitFor({ state: 'hidden' });

        /* a store that is up, but refuses calls */

        let refused = 100;

        for (const reason of ['down', 'generation']) {
            await fulfilled(page, json => {
                json.stores[0].errors[reason] = refused++;
            });
            check(await appears(page, '#action .is-bad',
                                'has not answered, or has refused, requests'),
                  'a store that refuses calls, ' + reason);
            await unfulfilled(page);
            await page.reload();
        }

        /* an API that does not answer GETs */

        await fulfilled(page, json => {
            json.stores[0].errors.get = refused++;
        });
        check(await appears(page, '#action .is-bad',
                            'the API did not answer a GET'),
              'writes that are refused for lack of a version');
        await unfulfilled(page);
        await page.reload();

        /* a server that is gone, and back */

        await page.route('**/dashboard?format=json*', r => r.abort());
        check(await appears(page, '#problem', 'Cannot update, the data'),
              'it says when it is out of date');
        await page.unroute('**/dashboard?format=json*');
        wrong.splice(0, wrong.length, ...wrong.filter(
            text => !/ERR_FAILED/.test(text)));

        await page.locator('#problem').waitFor({ state: 'hidden' });
        check(true, 'and goes on');

        /* one that does not respond at all */

        const other = await open(browser);

        await other.clock.install();
        await other.reload();
        await other.route('**/dashboard?format=json*', () => {});

        /* the next one is asked for after the response to the first */

        let waits = true;
        const asked = other.waitForRequest('**/dashboard?format=json*')
                           .finally(() => waits = false);

        while (waits) {
            await other.clock.runFor(1000);
        }

        await asked;
        await other.clock.runFor(31000);
        check(await appears(other, '#problem', 'nginx has not responded'),
              'nor does it wait forever');
        await other.context().close();

        await inbox(browser);

    } catch (e) {
        check(false, e.message);
    }

    check(wrong.length === 0, 'nothing in the console ' + wrong.join(' | '));

    const elsewhere = requests.filter(url => !url.startsWith(base + '/')
                                             && !url.includes('/frame?'));
    check(elsewhere.length === 0, 'no request leaves ' + elsewhere.join(' '));

    await browser.close();
})();
