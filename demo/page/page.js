/*
 * The page: the route and the document that are chosen, two devices, and what
 * the server has.  A round has folders of its own, on each route.
 */

import { Device } from './device.js';
import { kinds } from './documents.js';
import { choice, say } from './html.js';
import { Plain } from './plain.js';
import * as server from './server.js';
import { play, policies, Story } from './story.js';

const POLL = 1000;         /* ms */

const element = id => document.getElementById(id);
const wide = matchMedia('(min-width: 60rem)');

const saved = JSON.parse(localStorage.getItem('demo') || '{}');
const FIRST = '1.json';
const state = { policy: 'lww', kind: 'note', round: null, offline: [],
                open: FIRST, ...saved };

let conf = '', timer = null, looking = false, log = [];
let queue = Promise.resolve();

const devices = [new Device('mobile', 'Ann', changed, open),
                 new Device('desktop', 'Bob', changed, open)];

for (const device of devices) {
    device.setOffline(state.offline.includes(device.name));
}

const story = new Story(element('steps'), state.done);
const plain = new Plain(element('plain'), changed);

const kind = () => kinds[state.kind];
const folderOf = (policy, which) =>
    `${policy}/${kinds[which].path}/${state.round}/`;
const folder = () => folderOf(state.policy, state.kind);
const path = () => folder() + state.open;

function store() {
    localStorage.setItem('demo', JSON.stringify({
        ...state, done: story.done,
        offline: devices.filter(d => d.offline).map(d => d.name)
    }));
}

/* one thing at a time; after an error from the beginning */

function next(work) {
    queue = queue.then(work).catch(() => {
        problem('The server does not answer. Is make demo still running?');
        clearTimeout(timer);
        timer = null;
        setTimeout(() => next(resume), POLL);
    });

    return queue;
}

/* something has happened: look soon */

function changed() {
    if (state.round && timer !== null) {
        story.look(devices, log);
        store();
        clearTimeout(timer);
        timer = setTimeout(look, 30);
    }
}

async function look() {
    clearTimeout(timer);
    timer = setTimeout(look, POLL);

    if (looking) {
        return;
    }

    looking = true;

    try {
        const now = path();
        const seen = await server.look(now, state.round);

        if (now === path()) {
            log = seen.log.filter(c => c.entity_id === '/' + now);
            server.show(seen, now, kind());
            story.look(devices, log);
            devices.forEach(d => d.seen(seen.version, seen.lock));
            store();
        }

        problem('');

    } catch {
        problem('The server does not answer. Is make demo still running?');

    } finally {
        looking = false;
    }
}

function problem(text) {
    say(element('problem'), text);
    element('problem').hidden = text === '';
}

/* the documents of a new round, read by both devices */

async function start() {
    clearTimeout(timer);
    timer = null;
    element('devices').inert = true;
    state.round = Date.now().toString(36).slice(-5);
    state.open = FIRST;
    await Promise.all(devices.map(d => d.clear()));

    const paths = Object.keys(policies).flatMap(policy =>
        Object.keys(kinds).map(which => [folderOf(policy, which) + FIRST,
                                         kinds[which].first]));

    for (const [at, doc] of paths) {
        await fetch('/' + at, {
            method: 'PUT', body: JSON.stringify(doc),
            headers: { 'Content-Type': 'application/json',
                       'If-None-Match': '*', 'X-Client': 'setup' }
        });
    }

    await Promise.all(devices.map(async device => {
        for (const [at] of paths) {
            await device.client.get(at);
        }
    }));

    story.restart();
    await show();
    element('devices').inert = false;
}

/* the chosen document, everywhere */

async function show() {
    const block = new RegExp(
        `^ *location /${state.policy}/ \\{[^}]*\\}`, 'm').exec(conf);

    clearTimeout(timer);
    timer = null;
    log = [];
    say(element('policy-says'), policies[state.policy].says);
    say(element('policy-conf'), (block?.[0] ?? '').replace(/^ {8}/gm, ''));
    story.show(state.policy, kind());
    plain.show(path());
    await Promise.all(devices.map(d => d.show(path(), kind())));
    await look();
}

function choose(name, options, label) {
    const fieldset = choice(label, name, options, state[name]);

    fieldset.addEventListener('change', event => {
        state[name] = event.target.value;
        state.open = FIRST;
        story.restart();
        next(show);
    });

    return fieldset;
}

/* another document of the folder */

function open(id) {
    state.open = id;
    next(show);
}

async function playAll() {
    const parts = document.querySelectorAll('.top fieldset, .top button');

    parts.forEach(part => { part.disabled = true; });

    try {
        await start();

        if (!wide.matches) {
            element('devices').scrollIntoView();
        }

        await play(devices, kind(), () => new Promise(
            resolve => setTimeout(resolve, 800)));

    } finally {
        parts.forEach(part => { part.disabled = false; });
        element('play').focus({ preventScroll: true });
    }
}

/* a demo that was started again has none of the documents of the last one */

async function resume() {
    conf = await (await fetch('/nginx.conf', { cache: 'no-store' })).text();

    const known = state.round && (await (await fetch('/' + folder(), {
        cache: 'no-store'
    })).json()).data.length > 0;

    await (known ? show() : start());
    element('devices').inert = false;
}

element('conf').open = wide.matches;
element('policies').append(choose('policy', Object.fromEntries(
    Object.keys(policies).map(name => [name, name])), 'Policy'));
element('kinds').append(choose('kind', Object.fromEntries(
    Object.entries(kinds).map(([name, { title }]) => [name, title])),
    'Document'));
element('play').addEventListener('click', () => next(playAll));
element('again').addEventListener('click', () => next(start));
next(resume);
