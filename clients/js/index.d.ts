export type Json = null | boolean | number | string | Json[]
    | { [name: string]: Json };

export interface ClientOptions {
    /** The URL that paths are relative to; in a browser that of the page. */
    baseUrl?: string | URL;
    /** By default IndexedDB in browsers, memory in Node. */
    storage?: Storage;
    /** The name of this device: sent as X-Client, shown in the audit log. */
    device?: string;
    /** Headers of each request, such as Authorization. */
    headers?: Record<string, string>
        | ((url: string, request: { method: string }) =>
            Record<string, string> | Promise<Record<string, string>>);
    /** Replaces the global fetch. */
    fetch?: (url: string, init: RequestInit) => Promise<Response>;
    /** The member of the body for the base version; default: If-Match. */
    member?: string;
    /** The header for the time of an edit ("conflict lww edited="). */
    edited?: string;
    /** The API carries out one request for an Idempotency-Key, as with
        conflict_idempotency: what create() has sent may be sent again. */
    idempotent?: boolean | ((url: string) => boolean);
    /** Resolves a conflict; without it a conflict waits for resolve(). */
    onConflict?: (conflict: Conflict) =>
        Resolution | void | Promise<Resolution | void>;
    /** Rules of the merge that is offered to onConflict. */
    rules?: Rules | ((url: string) => Rules);
    /** The URL of the lock of a resource; by default its URL and "/lock". */
    lockUrl?: (url: string) => string;
    /** The URL of the versions of a resource; by default its URL and
        "/versions". */
    versionsUrl?: (url: string) => string;
    /** The change stream, of the same origin: "/events". */
    eventsUrl?: string;
    /** A stream without a heartbeat is connected again after: 60000. */
    silence?: number;
    /** The time limit of a request in milliseconds: 30000. */
    timeout?: number;
    /** The longest wait before a retry in milliseconds: 300000. */
    maxWait?: number;
}

export type State = 'queued' | 'sending' | 'unknown' | 'conflict' | 'parked';

export interface Reason {
    /** unknown: it may have been created; see retry() and discard(). */
    kind: 'network' | 'status' | 'dropped' | 'unknown' | 'storage' | 'error';
    status?: number;
    error?: string | null;
    detail?: string | null;
    body?: string;
    lock?: LockInfo;
}

/** A resource with the edits of this device. */
export interface View<T = any> {
    url: string;
    /** null: the document does not exist, or an edit removes it. */
    doc: T | null;
    version: number | string | null;
    /** null: the outbox has no entry for it. */
    state: State | null;
    removed?: boolean;
    /** It could not be read: this is the document as last read. */
    stale?: boolean;
    reason?: Reason | null;
    tries?: number;
    /** Milliseconds since 1970. */
    retryAt?: number | null;
}

export interface Result<T = any> extends Omit<View<T>, 'state'> {
    state: State | 'done';
    /** false: the edit is in memory only and does not survive a reload. */
    durable: boolean;
}

/** A resource that create() makes, as an entry of the outbox. */
export interface Creation<T = any> extends View<T> {
    /** Of this creation: for retry() and discard(). */
    id: string;
    /** Of the collection. */
    url: string;
    /** Of what was created; null: not yet, or it is not known. */
    location: string | null;
}

export interface Created<T = any> extends Omit<Creation<T>, 'state'> {
    state: State | 'done';
    durable: boolean;
}

/** An item of a list, without the member of its version. */
export interface Item<T = any> {
    url: string;
    id: string | number;
    doc: T;
    /** null: it may have changed since, so get() it before an edit. */
    version: number | null;
}

export interface FieldConflict {
    /** A JSON pointer. */
    field: string;
    rule: string;
    base?: any;
    server?: any;
    client?: any;
}

export interface Conflict<T = any> {
    url: string;
    /** Of this conflict with these edits: see resolve(). */
    id: string;
    /** The base document of the edits; null: it is not known. */
    base: T | null;
    /** The document with the edits of this device; null: they remove it. */
    local: T | null;
    /** The current document; null: it was deleted. */
    server: T | null;
    deleted: boolean;
    removed: boolean;
    conflicts: FieldConflict[];
    /** The merge, with the server's value in fields that clash. */
    merged: T | null;
    /** No field clashes: "merged" has the changes of both sides. */
    clean: boolean;
    versions: {
        base: number | string | null;
        server: number | string | null;
    };
    keepMine: typeof keepMine;
    keepTheirs: typeof keepTheirs;
    later: typeof later;
}

export const keepMine: unique symbol;
export const keepTheirs: unique symbol;
export const later: unique symbol;

/** The answer to a conflict, or the document to write. */
export type Resolution = typeof keepMine | typeof keepTheirs | typeof later
    | object;

export interface Progress {
    queued: number;
    sending: number;
    unknown: number;
    conflict: number;
    parked: number;
    total: number;
}

export interface ClientEventMap {
    state: (View | Creation) & { durable: boolean };
    saved: (View | Creation) & {
        outcome: string | null;
        /** The response was 202: the API may still not do it. */
        accepted: boolean;
    };
    conflict: Conflict;
    parked: View | Creation;
    progress: Progress;
    online: { online: boolean };
    unauthorized: { url: string };
    storage: { durable: false; error: unknown };
    lock: { url: string; state: 'held' | 'lost' | 'released' | 'waiting';
            why?: 'expired' | 'taken'; lock?: LockInfo;
            holder?: LockInfo | null; waiting?: Waiting[] };
    error: { error: unknown; url?: string };
}

export class ClientEvent<T = any> extends Event {
    readonly detail: T;
}

export class Client extends EventTarget {
    constructor(options?: ClientOptions);

    readonly online: boolean;

    get<T = any>(path: string): Promise<View<T>>;
    save<T = any>(path: string, doc: T, options?: {
        version?: number | string | null }): Promise<Result<T>>;
    remove(path: string, options?: {
        version?: number | string | null }): Promise<Result>;

    /** POST to a collection. */
    create<T = any>(path: string, doc: T): Promise<Created<T>>;

    flush(): Promise<void>;
    pause(): void;
    resume(): Promise<void>;

    entries(): Promise<(View | Creation)[]>;
    conflict<T = any>(path: string): Promise<Conflict<T> | null>;
    /** With the conflict that was shown, no later one is resolved. */
    resolve(path: string, answer: Resolution, conflict?: { id: string }):
        Promise<Result>;
    /** A path, or the id of a creation. */
    retry(path: string): Promise<Result | Created>;
    discard(path: string): Promise<View | Creation | null>;

    /** The items of a list; their versions are the bases of edits. */
    list<T = any>(path: string, where: {
        /** The path of an item. */
        item: (id: string | number) => string;
        /** A JSON pointer to the array: "/data"; "" is the document. */
        items?: string;
        /** The members of an item: "id" and "version". */
        id?: string;
        version?: string;
    }): Promise<Item<T>[]>;

    lock(path: string, options?: {
        onLost?: (how: { why: 'expired' | 'taken';
                         holder: LockInfo | null }) => void;
        onWaiting?: (waiting: Waiting[]) => void;
    }): Promise<Lock>;

    /** Who has made which version. */
    history(path: string): Promise<History>;
    /** Writes an old body again, unless "current" is out of date. */
    undo(path: string, version: number, list?: { current?: number | null }):
        Promise<Result>;

    /** Tells what others do; returns a function that ends it. */
    watch(path: string, handler: (change: Change) => void): () => void;

    clear(): Promise<void>;
    close(): Promise<void>;

    addEventListener<K extends keyof ClientEventMap>(type: K,
        listener: (event: ClientEvent<ClientEventMap[K]>) => void,
        options?: boolean | AddEventListenerOptions): void;
    addEventListener(type: string,
        listener: EventListenerOrEventListenerObject | null,
        options?: boolean | AddEventListenerOptions): void;
    removeEventListener<K extends keyof ClientEventMap>(type: K,
        listener: (event: ClientEvent<ClientEventMap[K]>) => void,
        options?: boolean | EventListenerOptions): void;
    removeEventListener(type: string,
        listener: EventListenerOrEventListenerObject | null,
        options?: boolean | EventListenerOptions): void;
}

export function createClient(options?: ClientOptions): Client;

export interface Version {
    version: number | null;
    changed_at: string | null;
    user: string | null;
    client: string | null;
    method: string | null;
    /** Of the body of the write. */
    size: number | null;
    /** This user can get its body: see undo(). */
    held: boolean;
    deleted?: true;
    /** It bypassed the module. */
    external?: true;
    /** It is not known how it was made. */
    unknown?: true;
}

export interface History {
    resource: string;
    current: number | null;
    /** Newest first. */
    versions: Version[];
}

/** What watch() tells; changes by this client are not told. */
export interface Change {
    url: string;
    type: 'changed' | 'deleted' | 'unknown' | 'locked' | 'unlocked'
        | 'lock_asked' | 'conflict' | 'gone';
    /** changed: null if the version is in the document. */
    version?: number | null;
    changed_at?: string;
    /** locked, conflict: by this client. */
    mine?: boolean;
    lock?: LockInfo;
    /** lock_asked: who waits for it; null without a name. */
    user?: string | null;
    client?: string | null;
    /** conflict: as in the audit log. */
    action?: string;
    conflict_id?: string;
    /** gone: the status of a GET. */
    status?: number;
}

/** An item of the inbox of the server, without its body. */
export interface HeldItem {
    id: string;
    kind: 'refused' | 'locked' | 'dropped' | 'overwritten';
    resource: string;
    route: string;
    method: string;
    target: string;
    user: string | null;
    client: string | null;
    held_at: string;
    /** Seconds. */
    expires_in: number;
    base_version: number | string | null;
    version: number | null;
    content_type: string | null;
    size: number;
    conflict_id: string;
}

export interface Held<T = any> {
    item: HeldItem;
    /** Of `theirs`; null: unknown, show it again. */
    version: number | string | null;
    deleted?: true;
    mine: T;
    theirs: T | null;
    theirs_omitted?: string;
    base: T | null;
    base_omitted?: string;
}

export class Inbox {
    constructor(options: InboxOptions);
    list(filter?: { resource?: string; route?: string; limit?: number;
                    before?: number | null }):
        Promise<{ items: HeldItem[]; next: number | null }>;
    show<T = any>(id: string): Promise<Held<T>>;
    /** false: the resource has changed since, show it again. */
    resolve<T = any>(shown: Held<T>,
        answer: typeof keepMine | typeof keepTheirs | T): Promise<boolean>;
    discard(id: string): Promise<void>;
}

export interface InboxOptions {
    /** Of the location with `conflict_inbox`. */
    url: string | URL;
    headers?: ClientOptions['headers'];
    device?: string;
    timeout?: number;
    fetch?: ClientOptions['fetch'];
}

export function createInbox(options: InboxOptions): Inbox;

export interface LockInfo {
    user?: string | null;
    client?: string | null;
    acquired_at?: string;
    expires_at?: string;
    expires_in?: number;
    reserved?: true;
}

/** One that waits for a lock. */
export interface Waiting {
    user: string | null;
    client: string | null;
    since: string;
}

export class Lock {
    readonly held: boolean;
    readonly version: number | null;
    readonly info: LockInfo;
    readonly waiting: Waiting[];
    touch(): void;
    renew(): Promise<boolean>;
    show(): Promise<void>;
    release(): Promise<void>;
    /**
     * False: nobody waits, and the lock was released.  Throws if the response
     * does not say which.
     */
    handOver(): Promise<boolean>;
}

export class LockedError extends Error {
    readonly holder: LockInfo | null;
    readonly retryAfter: string | null;
}

export class RequestError extends Error {
    readonly status?: number;
    readonly body?: string;
    /** It is a redirection, for example to a login page. */
    readonly redirected: boolean;
}

/** By JSON pointer: "lww", "server", "union(id)" and the like. */
export type Rules = Record<string, string | { rule: string; key?: string }>;

export interface Merged<T = any> {
    /** With the server's value in fields that clash. */
    doc: T;
    clean: boolean;
    conflicts: FieldConflict[];
    fields: string[];
}

export function merge<T = any>(documents: {
    base?: any; server: any; local: any; rules?: Rules; ignore?: string;
}): Merged<T>;

export interface Storage {
    readonly durable: boolean;
    read(url: string): Promise<any>;
    update(url: string, change: (record: any, seq: number) => any):
        Promise<any>;
    pending(): Promise<any[]>;
    exclusive<T>(work: () => Promise<T>): Promise<T>;
    claim<T>(url: string, work: () => Promise<T>, wait?: boolean):
        Promise<T | false>;
    evict(): Promise<void>;
    clear(): Promise<void>;
    close(): Promise<void>;
    /** null: another tab has called clear() */
    watch(changed: (url: string | null) => void): void;
}

export function memoryStorage(): Storage;
/** Shared by all tabs of the origin; use a separate name for each user. */
export function indexedDBStorage(name?: string): Storage;
/** Node only: a directory, for one process at a time. */
export function fileStorage(directory: string): Storage;
