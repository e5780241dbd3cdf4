/*
 * A lock that a user holds while editing (docs/lock.md).  It is renewed only
 * after an edit, so that an idle tab does not lock out other users.
 */

import { parse } from './json.js';

/* milliseconds between questions who waits: their notes are kept for 60 s */
const ASK = 15000;

const LONGEST = 2 ** 31 - 1;   /* ms, of a timer */

/* a lock that does not last is none: it would be renewed without a pause */
const isLock = (response, body) => response.ok && body?.lock?.expires_in > 0;

function unexpected({ response, text }) {
    const { status } = response;

    return Object.assign(new Error(`the lock was answered with ${status}`),
                         { status, body: text });
}

export class LockedError extends Error {
    constructor(holder, retryAfter) {
        super('locked by '
              + (holder?.user || holder?.client || 'another client'));
        this.name = 'LockedError';
        this.holder = holder || null;
        this.retryAfter = retryAfter;
    }
}

export class Lock {
    #how; #token = null; #timer = null; #touched = false; #idle = 0;
    #last = 0; #renewing = null;

    constructor(how) {
        this.#how = how;
        this.held = false;
        this.version = null;
        this.info = null;
        this.waiting = [];
    }

    /* sent with each write of the holder */

    get headers() {
        return this.#token ? { 'Lock-Token': this.#token } : {};
    }

    async acquire() {
        const { response, text } = await this.#ask('POST');
        const body = parse(text);

        if (response.status === 409 || response.status === 423) {
            throw new LockedError(body?.lock,
                                  response.headers.get('retry-after'));
        }

        if (!isLock(response, body)) {
            throw unexpected({ response, text });
        }

        this.#took(body);
        this.#how.told({ state: 'held', lock: this.info });

        return this;
    }

    #took(body) {
        const { token, ...info } = body.lock;

        this.#token = token || this.#token;
        this.held = true;
        this.info = info;
        this.version = body.version ?? null;
        this.#idle = 1000 * info.expires_in;
        this.#last = Date.now();
        this.#touched = false;

        clearInterval(this.#timer);
        this.#timer = setInterval(() => this.#tick(), Math.min(
            this.#idle / 4, this.#how.options.onWaiting ? ASK : LONGEST));
        this.#timer.unref?.();
        this.#heard(body.waiting);
    }

    /* who waits for the lock, first come first */

    #heard(waiting = []) {
        const before = JSON.stringify(this.waiting);

        this.waiting = waiting;

        if (JSON.stringify(waiting) !== before) {
            this.#how.told({ state: 'waiting', waiting });
            this.#call('onWaiting', waiting);
        }
    }

    /* the user has edited: renew the lock */

    touch() {
        this.#touched = true;
    }

    async #tick() {
        if (this.#touched) {
            await this.renew().catch(() => {
                /* a network error: the next tick tries again */
                this.#touched = true;
            });

        } else if (this.held && this.#how.options.onWaiting) {
            await this.show().catch(() => {});
        }

        /* after the clock was set back only the server's response ends it */

        if (this.held && Date.now() - this.#last > this.#idle) {
            this.#lost('expired');
        }
    }

    /* true: the lease of the lock was renewed */

    renew() {
        this.#renewing ??= this.#renew().finally(() => {
            this.#renewing = null;
        });

        return this.#renewing;
    }

    async #renew() {
        this.#touched = false;

        const { response, text } = await this.#ask('POST');
        const body = parse(text);

        if (!this.held) {
            /* released in the meantime: release() sends this token */

            this.#token = body?.lock?.token || this.#token;

            return false;
        }

        if (isLock(response, body)) {
            this.#took(body);

            return true;
        }

        if (response.status === 409 || response.status === 423) {
            this.#lost('taken', body?.lock);

        } else {
            throw unexpected({ response, text });
        }

        return false;
    }

    /* asks who waits, without a renewal */

    async show() {
        const { response, text } = await this.#ask('GET');
        const body = parse(text);

        if (!this.held || !response.ok || !body) {
            return;
        }

        if (body.mine) {
            this.#heard(body.waiting);

        } else {
            this.#lost(body.lock ? 'taken' : 'expired', body.lock);
        }
    }

    #lost(why, holder = null) {
        this.#end();
        this.#how.told({ state: 'lost', why, holder });
        this.#call('onLost', { why, holder });
    }

    /* what a function of the application throws, or rejects, is reported */

    #call(name, said) {
        const run = async () => this.#how.options[name]?.(said);

        run().catch(this.#how.failed);
    }

    #end() {
        clearInterval(this.#timer);
        this.held = false;
        this.#how.ended();
    }

    /* with keepalive the request outlives a page that is left */

    async release({ keepalive = false } = {}) {
        /* if the request fails, the lock expires */

        await this.#giveUp(this.#how.url, keepalive).catch(() => {});
    }

    /*
     * Reserves it for the first that waits.  False: nobody waits, and the lock
     * was released.
     */

    async handOver() {
        const url = this.#how.url;
        const mark = url.includes('?') ? '&' : '?';
        const answer = await this.#giveUp(url + mark + 'handover=1', false);

        if (!answer) {
            return false;
        }

        const body = parse(answer.text);

        if (!answer.response.ok || body?.lock !== null) {
            throw unexpected(answer);
        }

        return body.handed_over === true;
    }

    async #giveUp(url, keepalive) {
        if (!this.held) {
            return null;
        }

        this.#end();
        this.#how.told({ state: 'released' });

        /* a renewal in flight would acquire the lock again */

        if (!keepalive) {
            await this.#renewing?.catch(() => {});
        }

        try {
            return await this.#ask('DELETE', keepalive, url);

        } finally {
            this.#token = null;
        }
    }

    #ask(method, keepalive = false, url = this.#how.url) {
        return this.#how.request(url, {
            method, keepalive, headers: this.headers
        });
    }
}
