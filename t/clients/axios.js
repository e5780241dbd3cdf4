'use strict';

/*
 * A client that keeps to entity tags: axios.js URL.  Prints "ok" or "not ok"
 * and the name of each check.
 */

const axios = require('axios');

const api = axios.create({
    baseURL: process.argv[2], validateStatus: () => true
});

function check(good, name, got) {
    console.log((good ? 'ok ' : 'not ok ') + name
                + (good ? '' : ' ' + JSON.stringify(got)));
}

function is(got, want, name) {
    check(JSON.stringify(got) === JSON.stringify(want), name, got);
}

(async () => {
    let r = await api.post('/api/notes', { text: 'new' });
    const url = '/api/notes/' + r.data.id;

    is(r.status, 201, 'created');
    is(r.headers.location, url, 'its place');

    /* the tag of what was created, if it has one, is good for an edit */

    const first = r.headers.etag ? { 'If-Match': r.headers.etag } : {};

    r = await api.put(url, { text: 'one' }, { headers: first });
    is(r.status, 200, 'edited on what the POST has told');
    is(r.data, { text: 'one', id: r.data.id }, 'the answer is the API\'s');

    const tag = (await api.get(url)).headers.etag;

    check(tag, 'a tag');

    r = await api.put(url, { text: 'two' }, { headers: { 'If-Match': tag } });
    is(r.status, 200, 'edited by its tag');

    const next = r.headers.etag;

    check(next && next !== tag, 'another tag', next);

    r = await api.put(url, { text: 'bad' }, { headers: { 'If-Match': tag } });
    is(r.status, 409, 'stale');
    is([r.data.error, r.data.server_version.text],
       ['version_conflict', 'two'], 'it is told what is there');
    is(r.headers.etag.match(/\d+/), next.match(/\d+/), 'and its tag');

    r = await api.put(url, { text: 'three' },
                      { headers: { 'If-Match': r.headers.etag } });
    is(r.status, 200, 'edited by the tag of a refusal');

    /* a base in the body, which axios says is JSON */

    const base = (await api.get(url)).headers.conflict.match(/\d+/)[0];

    r = await api.put(url, { text: 'four', base_version: +base });
    is(r.status, 200, 'edited by base_version');
    r = await api.put(url, { text: 'bad', base_version: +base });
    is(r.status, 409, 'and stale by it');

    /* without any */

    r = await api.put(url, { text: 'five' });
    is(r.status, 200, 'edited without a base');

    r = await api.delete(url, { headers: { 'If-Match': tag } });
    is(r.status, 409, 'a stale DELETE');
    r = await api.get('/api/notes', { headers: { 'If-None-Match': tag } });
    is([r.status, r.data.length], [200, 1], 'the list');
    r = await api.delete(url, {
        headers: { 'If-Match': (await api.get(url)).headers.etag }
    });
    is(r.status, 204, 'a DELETE');
    r = await api.put(url, { text: 'gone', base_version: +base });
    is([r.status, r.data.deleted], [409, true], 'an edit of what is gone');

})().catch(e => check(false, e.stack)).finally(() => process.exit());
