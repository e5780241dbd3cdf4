/*
 * A lock that a user holds while editing (docs/lock.md).  It is renewed only
 * after an edit, so that an idle tab does not lock out other users.
 */

import { parse } from './json.js';

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

        if (!response.ok || !body?.lock) {
            const error = new Error(
                `the lock was answered with ${response.status}`);

            error.status = response.status;
            error.body = text;
            throw error;
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
        this.#timer = setInterval(() => this.#tick(), this.#idle / 4);
        this.#timer.unref?.();
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

        if (response.ok && body?.lock) {
            this.#took(body);

            return true;
        }

        if (response.status === 409 || response.status === 423) {
            this.#lost('taken', body?.lock);

        } else {
            throw new Error(`the lock was answered with ${response.status}`);
        }

        return false;
    }

    #lost(why, holder = null) {
        this.#end();
        this.#how.told({ state: 'lost', why, holder });
        this.#how.options.onLost?.({ why, holder });
    }

    #end() {
        clearInterval(this.#timer);
        this.held = false;
        this.#how.ended();
    }

    /* with keepalive the request outlives a page that is left */

    async release({ keepalive = false } = {}) {
        if (!this.held) {
            return;
        }

        this.#end();
        this.#how.told({ state: 'released' });

        /* a renewal in flight would acquire the lock again */

        if (!keepalive) {
            await this.#renewing?.catch(() => {});
        }

        /* if the request fails, the lock expires */

        await this.#ask('DELETE', keepalive).catch(() => {});
        this.#token = null;
    }

    #ask(method, keepalive = false) {
        return this.#how.request(this.#how.url, {
            method, keepalive, headers: this.headers
        });
    }
}
