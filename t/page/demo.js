'use strict';

/*
 * The page of the demo in a browser without a screen: demo.js URL LOG
 * DIRECTORY.  LOG is its audit log; screenshots go to DIRECTORY.  Prints "ok"
 * or "not ok" and the name of each check.
 */

const fs = require('fs');
const { chromium } = require('playwright-core');
const looks = require('./looks.js');

const PATIENCE = 120000;       /* ms, on a machine that is slow and busy */

const [url, audit, dir] = process.argv.slice(2);
const base = url.replace(/\/$/, '');
const wrong = [], requests = [];

function check(good, name, got) {
    console.log((good ? 'ok ' : 'not ok ') + name.replace(/\n/g, ' | ')
                + (good ? '' : ' ' + JSON.stringify(got)));
}

function is(got, want, name) {
    check(JSON.stringify(got) === JSON.stringify(want), name, got);
}

const lines = () => fs.readFileSync(audit, 'utf8').split('\n').slice(0, -1)
                      .map(line => JSON.parse(line));

/* waits until it is so; what it is otherwise is printed */

async function until(page, name, want, read) {
    const end = Date.now() + PATIENCE;
    let got;

    do {
        got = await read();

        if (JSON.stringify(got) === JSON.stringify(want)) {
            check(true, name);
            return;
        }

        await new Promise(resolve => setTimeout(resolve, 25));
    } while (Date.now() < end);

    check(false, name, got);
    await page.screenshot({ path: dir + '/wrong.png', fullPage: true });
}

/* a device, and what a user sees and does there */

class Seen {
    constructor(page, name) {
        this.page = page;
        this.name = name;
        this.at = page.locator('#' + name);
        this.offline = this.at.getByRole('switch');
    }

    button(name) {
        return this.at.getByRole('button', { name, exact: true });
    }

    field(name) {
        return this.at.getByLabel(name, { exact: true });
    }

    async edit(values) {
        for (const [name, value] of Object.entries(values)) {
            await this.field(name).fill(value);
        }

        await this.button('Save').click();
    }

    badge(text) {
        return until(this.page, `${this.name}: ${text}`, text,
                     () => this.at.locator('.badge').first().textContent());
    }

    shows(name, value) {
        return until(this.page, `${this.name} shows ${value}`, value,
                     () => this.field(name).inputValue());
    }

    /* on disk: what a reload must not lose */

    keeps(text) {
        return until(this.page, `${this.name} keeps ${text}`, true, () =>
            this.page.evaluate(([name, text]) => new Promise(resolve => {
                indexedDB.open('conflict-client:demo-' + name).onsuccess
                    = ({ target: { result: db } }) => {
                        db.transaction('records').objectStore('records')
                          .getAll().onsuccess = e => {
                              resolve(JSON.stringify(e.target.result)
                                          .includes(text));
                              db.close();
                          };
                    };
            }), [this.name, text]));
    }

    /* the titles of all documents, and what is said of each */

    notes() {
        return this.at.getByRole('list', { name: 'All notes' });
    }

    async all() {
        await this.at.getByText('All notes', { exact: true }).click();
        await this.notes().waitFor();
    }

    lists(...want) {
        return until(this.page, `${this.name} lists ${want}`, want, async () =>
            (await this.notes().locator('li').allInnerTexts()).map(
                line => line.replace(/\s+/g, ' ').replace(/\u2026\d{6}/, 'v')
                            .replace(/ (Remove|Discard)$/, '')));
    }

    add(text) {
        return this.field('A new one').fill(text)
                   .then(() => this.button('Add').click());
    }

    says(text) {
        return until(this.page, `${this.name} says ${text}`, true, async () =>
            (await this.at.getByRole('status').textContent()).includes(text));
    }
}

class Page {
    static async open(browser, options) {
        const context = await browser.newContext(options);
        const page = await context.newPage();

        page.setDefaultTimeout(PATIENCE);
        page.on('console', m => {
            /* refusals, documents of an earlier demo, and what is cut off */

            if (['error', 'warning'].includes(m.type())
                && !/status of 40[49]|net::ERR_FAILED$/.test(m.text()))
            {
                wrong.push(m.text());
            }
        });
        page.on('pageerror', e => wrong.push(e.stack));
        page.on('request', r => requests.push(r.url()));
        const p = new Page(page);

        await page.goto(url);
        await p.ready();

        return p;
    }

    constructor(page) {
        this.page = page;
        this.mobile = new Seen(page, 'mobile');
        this.desktop = new Seen(page, 'desktop');
    }

    /* until then the devices are inert */

    ready() {
        return this.page.waitForSelector('#devices:not([inert])');
    }

    async reload() {
        await this.page.reload();
        await this.ready();
    }

    /* a new round of a document on a route */

    async round(policy, kind = 'Note') {
        const { page } = this;

        await page.getByRole('radio', { name: policy, exact: true })
                  .check({ force: true });
        await page.getByRole('radio', { name: kind, exact: true })
                  .check({ force: true });

        const before = await page.evaluate(
            () => JSON.parse(localStorage.getItem('demo') || '{}').round);

        await page.getByRole('button', { name: 'Start over' }).click();
        await page.waitForFunction(before =>
            JSON.parse(localStorage.getItem('demo') || '{}').round !== before
            && !document.querySelector('#devices').inert, before);
        await this.mobile.badge('up to date');
        await this.desktop.badge('up to date');
    }

    server(field, value) {
        return until(this.page, `the server has ${value}`, value, () =>
            this.page.locator(`[data-field=${field}]`).textContent());
    }

    fact(id, value) {
        return until(this.page, `${id}: ${value}`, value, () =>
            this.page.locator('#server-' + id).textContent());
    }

    log(want) {
        return until(this.page, `the log: ${want}`, want, () =>
            this.page.locator('#log .action').allTextContents());
    }

    steps(n) {
        return until(this.page, `${n} steps are done`, n, () =>
            this.page.locator('#steps .done').count());
    }

    /* both edit offline, and the mobile reconnects first */

    async story(mobile, desktop) {
        await this.mobile.offline.check({ force: true });
        await this.desktop.offline.check({ force: true });
        await this.mobile.edit(mobile);
        await this.desktop.edit(desktop);
        await this.mobile.badge('1 edit queued');
        await this.desktop.badge('1 edit queued');
        await this.mobile.offline.uncheck({ force: true });
        await this.mobile.badge('up to date');
        await this.desktop.offline.uncheck({ force: true });
    }

    /* one choice of a field of a conflict */

    choose(device, field, name) {
        return device.at.getByRole('group', { name: field })
                     .getByRole('radio', { name })
                     .check({ force: true });
    }

    async look(name) {
        const { page } = this;

        is(await looks.nameless(page), '', name + ': all has a name');
        is(await looks.repeated(page), '', name + ': ids');
        is(await looks.faint(page, '.hidden, .skip, :disabled'), '',
           name + ': contrast');
        is(await looks.wide(page), '', name + ': as wide as the screen');
        await page.screenshot({ path: `${dir}/${name}.png`, fullPage: true });
    }
}

/* step by step: an outbox that survives a reload, and one entry in the log */

async function lww(p) {
    const { page, mobile, desktop } = p;

    await p.round('lww');
    await p.look('start');
    is(lines().length, 0, 'no conflict yet');
    is(await page.locator('#policy-conf').textContent(),
       (await (await fetch(base + '/nginx.conf')).text())
           .match(/ {8}location \/lww\/ \{[^}]*\}/)[0].replace(/^ {8}/gm, ''),
       'what is in nginx.conf');

    await mobile.offline.check({ force: true });
    await desktop.offline.check({ force: true });
    await p.steps(1);
    await mobile.edit({ Text: 'from the mobile' });
    await desktop.edit({ Text: 'a first try' });
    await desktop.badge('1 edit queued');
    await desktop.edit({ Text: 'from the desktop' });
    await desktop.keeps('from the desktop');
    await p.steps(2);
    await p.server('text', 'Buy milk');

    await p.reload();
    await mobile.badge('1 edit queued');
    await desktop.badge('1 edit queued');
    await mobile.shows('Text', 'from the mobile');
    await desktop.shows('Text', 'from the desktop');
    check(await mobile.offline.isChecked(), 'still offline after a reload');
    await p.steps(2);
    await p.server('text', 'Buy milk');

    await mobile.offline.uncheck({ force: true });
    await p.server('text', 'from the mobile');
    await p.fact('count', '0');
    await desktop.offline.uncheck({ force: true });
    await p.server('text', 'from the desktop');
    await mobile.shows('Text', 'from the desktop');
    await desktop.says('overwritten');
    await p.log(['conflict_lww']);
    await p.fact('count', '1');
    await p.steps(4);

    const [entry, ...more] = lines();

    is(more.length, 0, 'ONE entry in the file');
    is([entry.action, entry.user_id, entry.client_origin, entry.fields],
       ['conflict_lww', 'Bob', 'desktop', ['/text']], 'whose it is');
    await page.locator('#log summary').click();
    check((await page.locator('#log pre').textContent())
              .includes(entry.conflict_id), 'with the line of the log');
    await p.look('lww');
}

/* the same by its other name, and by a date instead of the library */

async function passing(p) {
    const { page } = p;

    await p.round('client_wins');
    await p.story({ Text: 'one' }, { Text: 'two' });
    await p.server('text', 'two');
    await p.log(['conflict_client_wins']);

    await p.round('lww');

    const plain = page.locator('#plain');
    const before = lines().length;

    await plain.locator('summary').click();
    await plain.getByRole('button', { name: 'Read' }).click();
    await until(page, 'a client reads a date', true, async () =>
        /^last-modified: .* GMT$/m.test(await plain.getByRole('log')
                                                   .textContent()));
    await page.waitForFunction(() => document.querySelector('#plain-text')
                                             .value !== '');

    /* a date has whole seconds: the next change must have another one */

    const date = Date.parse((await plain.getByRole('log').textContent())
        .match(/^last-modified: (.*)$/m)[1]);

    while (Date.now() < date + 1000) {
        await new Promise(resolve => setTimeout(resolve, 20));
    }

    await p.mobile.edit({ Text: 'meanwhile' });
    await p.server('text', 'meanwhile');
    await plain.getByLabel('The document').fill('{"text":"by a script"}');
    await plain.getByRole('button', { name: 'Write' }).click();
    await p.server('text', 'by a script');
    await p.log(['conflict_lww']);
    check(/^If-Unmodified-Since: .* GMT$/m.test(
        await plain.getByRole('log').textContent()), 'by If-Unmodified-Since');

    const entry = lines().at(-1);

    is([lines().length - before, entry.client_origin, Date.parse(
        entry.client_ts)], [1, 'script', date], 'which is logged');
    await p.look('plain');
    await plain.locator('summary').click();
}

/* the later edit wins, even if it arrives first */

async function edited(p) {
    const { mobile, desktop } = p;

    await p.round('edited');
    await mobile.offline.check({ force: true });
    await desktop.offline.check({ force: true });
    await mobile.edit({ Text: 'edited first' });
    await mobile.badge('1 edit queued');
    await desktop.edit({ Text: 'edited last' });
    await desktop.badge('1 edit queued');
    await desktop.offline.uncheck({ force: true });
    await p.server('text', 'edited last');
    await mobile.offline.uncheck({ force: true });
    await mobile.badge('not taken');
    await p.server('text', 'edited last');
    await p.log(['conflict_lww']);
}

/* an edit of an edit is no conflict, also after a reload */

async function again(p) {
    await p.round('version');
    await p.mobile.offline.check({ force: true });
    await p.mobile.edit({ Text: 'one' });
    await p.mobile.badge('1 edit queued');
    await p.reload();
    await p.mobile.shows('Text', 'one');
    await p.mobile.edit({ Text: 'two' });
    await p.mobile.badge('1 edit queued');
    await p.mobile.offline.uncheck({ force: true });
    await p.server('text', 'two');
    await p.mobile.badge('up to date');
    await p.mobile.edit({ Text: 'three' });
    await p.server('text', 'three');
    await p.desktop.shows('Text', 'three');
    await p.log([]);
}

async function dropped(p) {
    await p.round('server_wins');
    await p.story({ Text: 'first' }, { Text: 'second' });
    await p.desktop.badge('not taken');
    await p.server('text', 'first');
    await p.log(['conflict_server_wins']);
    await p.desktop.shows('Text', 'second');
    await p.look('dropped');
    await p.desktop.button('Discard it').click();
    await p.desktop.shows('Text', 'first');
    await p.desktop.badge('up to date');
}

async function note(p) {
    const { desktop } = p;

    await p.round('version');
    await p.story({ Text: 'Buy oat milk' }, { Text: 'Buy milk and bread' });
    await desktop.badge('conflict');
    await p.log(['conflict_version']);
    is(await desktop.at.locator('.side').allTextContents(),
       ['MineBuy milk and bread', 'TheirsBuy oat milk', 'Both'],
       'both versions, side by side');
    is(await desktop.at.locator('mark').allTextContents(),
       [' and bread', 'oat '], 'their differences are marked');

    const [mine, theirs] = await Promise.all(['.mine', '.theirs'].map(
        side => desktop.at.locator(side).boundingBox()));

    check(mine.y === theirs.y && mine.x + mine.width <= theirs.x,
          'beside each other', [mine, theirs]);
    await p.server('text', 'Buy oat milk');
    await p.look('conflict');

    /* nobody has decided yet: it is still there */

    await p.reload();
    await desktop.badge('conflict');
    await desktop.button('Save choice').click();
    await p.server('text', 'Buy oat milk and bread');
    await p.mobile.shows('Text', 'Buy oat milk and bread');
    await desktop.badge('up to date');

    /* words that both have changed: nothing is chosen for the user */

    for (const [button, text] of [['Keep mine', 'Buy tea'],
                                  ['Keep theirs', 'Buy oat milk']])
    {
        await p.round('version');
        await p.story({ Text: 'Buy oat milk' }, { Text: 'Buy tea' });
        await desktop.badge('conflict');
        await desktop.button(button).click();
        await p.server('text', text);
        await desktop.shows('Text', text);
        await p.mobile.shows('Text', text);
    }

    await p.round('version');
    await p.story({ Text: 'Buy oat' }, { Text: 'Buy tea' });
    await desktop.badge('conflict');
    check(await desktop.button('Save choice').isDisabled(),
          'no choice is made for the user');
    await desktop.at.getByLabel('Text: another value').fill('Buy oat, tea');
    await desktop.button('Save choice').click();
    await p.server('text', 'Buy oat, tea');
}

async function product(p) {
    const { desktop } = p;

    await p.round('version', 'Product');
    await p.story({ Price: '11', Tags: 'desk, sale', Views: '11' },
                  { Price: '10', Tags: 'desk, light', Views: '13' });
    await desktop.badge('conflict');
    check(await desktop.button('Save choice').isDisabled(),
          'a price is not guessed');
    is(await Promise.all(['Tags', 'Views'].map(name =>
           desktop.field(name + ': both').inputValue())),
       ['desk, sale, light', '14'], 'tags and views have both changes');
    await p.choose(desktop, 'Price', 'Mine');
    await p.choose(desktop, 'Views', 'Theirs');
    await desktop.button('Save choice').click();
    await p.server('price', '10');
    await p.server('tags', 'desk, sale, light');
    await p.server('views', '11');
    await p.mobile.shows('Price', '10');

    /* nginx does it */

    await p.round('merge', 'Product');
    await p.story({ Tags: 'desk, sale', Views: '11' },
                  { Tags: 'desk, light', Views: '13' });
    await p.server('tags', 'desk, sale, light');
    await p.server('views', '14');
    await p.log(['conflict_merge']);
    await desktop.says('merged');
    await desktop.shows('Views', '14');
    await p.mobile.shows('Tags', 'desk, sale, light');

    await p.round('merge', 'Product');
    await p.story({ Price: '11' }, { Price: '9', Tags: 'desk, light' });
    await desktop.badge('conflict');
    await p.server('price', '11');
    await p.choose(desktop, 'Price', 'Theirs');
    await desktop.button('Save choice').click();
    await p.server('tags', 'desk, light');
    await p.server('price', '11');
}

/* what clashes under merge is decided by the demo's own resolver */

async function resolved(p) {
    const { mobile, desktop } = p;
    const before = lines().length;

    await p.round('resolver');
    await p.story({ Text: 'Buy oat milk' }, { Text: 'Buy milk and bread' });
    await p.server('text', 'Buy oat milk\nBuy milk and bread');
    await desktop.says('merged');
    await desktop.badge('up to date');
    await mobile.shows('Text', 'Buy oat milk\nBuy milk and bread');
    await p.log(['conflict_merge']);

    const [entry, ...more] = lines().slice(before);

    is([more.length, entry.entity, entry.client_origin, entry.status,
        entry.fields], [0, '/resolver/', 'desktop', 204, ['/text']],
       'what the file has of it');

    await p.round('resolver', 'Product');
    await p.story({ Price: '11', Views: '11' },
                  { Price: '9', Tags: 'desk, light' });
    await p.server('price', '9');
    await p.server('views', '11');
    await p.server('tags', 'desk, light');
    await desktop.badge('up to date');
    await p.look('resolved');
}

/* new notes of both, also without network, and a response that is lost */

async function creations(p) {
    const { page, mobile, desktop } = p;

    await p.round('version');

    const round = await page.evaluate(
        () => JSON.parse(localStorage.getItem('demo')).round);
    const folder = `/version/notes/${round}/`;
    const stored = async () => (await (await fetch(base + folder)).json())
        .data.map(note => note.text);

    await mobile.all();
    await desktop.all();
    await mobile.lists('Buy milk v');
    await desktop.lists('Buy milk v');

    await mobile.offline.check({ force: true });
    await desktop.offline.check({ force: true });
    await mobile.add('Buy eggs');
    await mobile.add('Buy eggs');
    await mobile.lists('Buy milk v', 'Buy eggs queued', 'Buy eggs queued');
    await mobile.add('never');
    await mobile.lists('Buy milk v', 'Buy eggs queued', 'Buy eggs queued',
                       'never queued');
    await mobile.button('Discard never').click();
    await desktop.add('Call Ann');
    await desktop.lists('Buy milk v', 'Call Ann queued');
    await p.look('notes');
    is(await stored(), ['Buy milk'], 'nothing is sent');

    await p.reload();
    await mobile.all();
    await desktop.all();
    await mobile.lists('Buy eggs queued', 'Buy eggs queued',
                       'Not read yet on this device.');
    await mobile.offline.uncheck({ force: true });
    await mobile.lists('Buy milk v', 'Buy eggs v', 'Buy eggs v');
    await desktop.offline.uncheck({ force: true });

    for (const device of [mobile, desktop]) {
        await device.lists('Buy milk v', 'Buy eggs v', 'Buy eggs v',
                           'Call Ann v');
    }

    /* the response is lost: the same request is sent again */

    const keys = [];

    await page.route('**' + folder, async route => {
        const request = route.request();

        if (request.method() !== 'POST') {
            return route.continue();
        }

        keys.push(request.headers()['idempotency-key']);

        if (keys.length > 1) {
            return route.continue();
        }

        await route.fetch();

        return route.abort();
    });
    await desktop.add('Buy tea');
    await mobile.lists('Buy milk v', 'Buy eggs v', 'Buy eggs v',
                       'Call Ann v', 'Buy tea v');
    await until(page, 'the desktop has an answer', true, async () =>
        /POST.*201 Conflict: replayed/.test(
            await desktop.at.locator('.wire').first().textContent()));
    await page.unroute('**' + folder);
    is([keys.length, new Set(keys).size], [2, 1], 'the same request, twice');
    is(await stored(), ['Buy milk', 'Buy eggs', 'Buy eggs', 'Call Ann',
                        'Buy tea'], 'and each note is there once');

    /* from the list: the version in it is the base of a removal */

    await mobile.button('Remove Buy tea').click();
    await desktop.lists('Buy milk v', 'Buy eggs v', 'Buy eggs v',
                        'Call Ann v');
    await desktop.offline.check({ force: true });
    await mobile.notes().getByRole('button', { name: 'Call Ann', exact: true })
                .click();
    await mobile.shows('Text', 'Call Ann');
    await mobile.edit({ Text: 'Call Ann at nine' });
    await p.server('text', 'Call Ann at nine');
    await mobile.badge('up to date');
    await desktop.button('Remove Call Ann').click();
    await desktop.lists('Buy milk v', 'Buy eggs v', 'Buy eggs v',
                        'Call Ann removal queued');
    await desktop.offline.uncheck({ force: true });
    await desktop.badge('conflict');
    await p.log(['conflict_version']);
    await desktop.button('Keep theirs').click();
    await desktop.shows('Text', 'Call Ann at nine');
    await desktop.lists('Buy milk v', 'Buy eggs v', 'Buy eggs v',
                        'Call Ann at nine v');
}

async function lock(p) {
    const { mobile, desktop } = p;

    await p.round('version');
    await mobile.button('Lock').click();
    await mobile.button('Unlock').waitFor();
    await p.fact('lock', 'Ann, mobile');
    await desktop.badge('locked');
    await desktop.says('Ann is editing it');
    await desktop.button('Lock').click();
    await desktop.says('Ann is editing it');
    await desktop.edit({ Text: 'too early' });
    await desktop.badge('waits');
    await p.look('lock');
    await mobile.edit({ Text: 'by the holder' });
    await p.server('text', 'by the holder');
    await mobile.button('Hand over to Bob').click();
    await desktop.badge('conflict');
    await desktop.button('Keep mine').click();
    await p.server('text', 'too early');
    await desktop.button('Lock').click();
    await p.fact('lock', 'Bob, desktop');
    await desktop.button('Unlock').click();
    await p.fact('lock', 'nobody');

    /* it is released with the page, if the page has it by then */

    await mobile.button('Lock').click();
    await mobile.button('Unlock').waitFor();
    await p.fact('lock', 'Ann, mobile');
    await p.reload();
    await p.fact('lock', 'nobody');
}

/* an old version is written again, by the user that has seen it */

async function undo(p) {
    const { mobile, desktop } = p;

    await p.round('version');
    await mobile.edit({ Text: 'first' });
    await p.server('text', 'first');
    await mobile.badge('up to date');
    await mobile.edit({ Text: 'second' });
    await p.server('text', 'second');
    await mobile.badge('up to date');

    /* the desktop may have seen neither */

    const list = mobile.at.getByRole('list', { name: 'Versions for mobile' });

    await mobile.at.getByText('Versions', { exact: true }).click();
    await until(p.page, 'who has made them', true, async () =>
        /PUT.*mobile/.test(await list.locator('li').first().textContent()));
    await p.look('versions');
    await list.getByRole('button').first().click();
    await p.server('text', 'first');
    await mobile.shows('Text', 'first');
    await desktop.shows('Text', 'first');
}

/* a document that is being edited does not change under its user */

async function typing(p) {
    await p.round('version');
    await p.desktop.field('Text').fill('half a sent');
    await p.mobile.edit({ Text: 'meanwhile' });
    await p.server('text', 'meanwhile');
    await p.desktop.says('newer version');
    await p.desktop.says('Someone else has changed it');

    for (const kind of ['Product', 'Note']) {
        await p.page.getByRole('radio', { name: kind, exact: true })
                    .check({ force: true });
        await p.desktop.field(kind === 'Note' ? 'Text' : 'Price').waitFor();
    }

    await p.desktop.shows('Text', 'half a sent');
    await p.desktop.edit({ Text: 'half a sentence' });
    await p.desktop.badge('conflict');
    await p.server('text', 'meanwhile');
}

async function keyboard(p) {
    const { page, mobile } = p;
    const press = (...keys) => keys.reduce(
        (before, key) => before.then(() => page.keyboard.press(key)),
        Promise.resolve());

    await p.round('version');
    await page.locator('body').click({ position: { x: 1, y: 1 } });
    await press('Tab');
    is(await page.evaluate(() => document.activeElement.className), 'skip',
       'the first stop skips to the devices');
    await press('Enter', 'Tab', 'Space');
    await mobile.badge('offline');
    await press('Space');
    await mobile.badge('up to date');
    await press('Tab', 'End');
    await page.keyboard.type(' and eggs');
    await press('Control+Enter');
    await p.server('text', 'Buy milk and eggs');
    await mobile.badge('up to date');

    /* from the last button of the editor to the list */

    await mobile.button('Lock').focus();
    await press('Tab', 'Enter');
    await mobile.lists('Buy milk and eggs v');
    await press('Tab', 'Tab', 'Tab');
    await page.keyboard.type('Call Ann');
    await press('Enter');
    await mobile.lists('Buy milk and eggs v', 'Call Ann v');

    await page.getByRole('radio', { name: 'version', exact: true }).focus();
    await press('ArrowRight');
    await until(page, 'another policy', true, () => page.getByRole('radio', {
        name: 'merge', exact: true }).isChecked());

    await p.round('version');
    await p.story({ Text: 'Buy oat milk' }, { Text: 'Buy tea' });
    await p.desktop.badge('conflict');
    await p.desktop.offline.focus();
    await press('Tab', 'Space');
    check(await p.desktop.at.getByRole('radio', { name: 'Mine' })
                 .isChecked(), 'a choice');
    await press('Enter');
    await p.server('text', 'Buy tea');
    await until(page, 'then the editor has the focus', 'desktop-text', () =>
        page.evaluate(() => document.activeElement.id));
}

async function played(p) {
    const { page } = p;

    await p.round('merge', 'Product');
    await page.getByRole('button', { name: 'Play it' }).click();
    await p.server('views', '14');
    await p.server('tags', 'desk, sale, light');
    await p.steps(4);
    await page.waitForSelector('#play:enabled');

    /* a server that is gone, and back */

    for (const path of ['/dashboard**', '/nginx.conf']) {
        await page.route('**' + path, r => r.abort());

        if (path === '/nginx.conf') {
            await page.reload();
        }

        await page.getByRole('alert').getByText('does not answer').waitFor();
        await page.unroute('**' + path);
        await page.getByRole('alert').waitFor({ state: 'hidden' });
    }

    await p.mobile.badge('up to date');

    /* a demo that was started again has none of its documents */

    const round = () => page.evaluate(
        () => JSON.parse(localStorage.getItem('demo')).round);
    const before = await round();

    await fetch(`${base}/merge/products/${before}/1.json`, {
        method: 'DELETE' });
    await p.reload();
    await until(page, 'a new round', true, async () =>
        await round() !== before);
    await p.mobile.shows('Tags', 'desk');
}

async function phone(browser) {
    const p = await Page.open(browser, {
        viewport: { width: 390, height: 844 }, colorScheme: 'dark',
        reducedMotion: 'reduce', isMobile: true, hasTouch: true
    });

    await p.round('version', 'Product');
    await p.look('phone');
    await p.story({ Price: '11', Tags: 'desk, sale' },
                  { Price: '10', Tags: 'desk, light' });
    await p.desktop.badge('conflict');
    await p.look('phone-conflict');

    await p.round('version');
    await p.mobile.all();
    await p.mobile.offline.check({ force: true });
    await p.mobile.add('Buy a lamp, and a very long cable for the desk');
    await p.mobile.notes().getByText('queued').waitFor();
    await p.look('phone-notes');
}

/* the merge of words that a conflict of texts begins with */

async function words(p) {
    is(await p.page.evaluate(async () => {
        const { mergeWords } = await import('/words.js');

        return [['a b', 'a x b', 'a b c'], ['a b', 'a', 'a b'],
                ['a', 'b', 'c'], ['', 'x', ''], ['a b c', 'b c', 'a b']]
            .map(texts => mergeWords(...texts));
    }), ['a x b c', 'a', null, 'x', 'b'], 'words are merged');
}

/* what lost a conflict in all these rounds, on the dashboard */

async function held(browser) {
    const page = await browser.newPage();

    page.setDefaultTimeout(PATIENCE);
    await page.goto(base + '/dashboard');
    await page.locator('#held .opener').first().click();
    await page.locator('#held .side pre').first().waitFor();
    check(await page.locator('#held .side').count() === 2,
          'a body that is held, next to the latest');
    await page.close();
}

(async () => {
    const browser = await chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu']
    });

    try {
        const p = await Page.open(browser, {
            viewport: { width: 1280, height: 900 } });

        for (const part of [lww, edited, passing, again, dropped, note, product,
                            resolved, creations, lock, undo, typing, keyboard, played, words])
        {
            await part(p);
        }

        await phone(browser);
        await held(browser);

    } catch (e) {
        check(false, e.stack);
    }

    is(wrong, [], 'nothing in the console');
    is(requests.filter(r => !r.startsWith(base + '/')), [],
       'no request leaves');
    await browser.close();
})();
