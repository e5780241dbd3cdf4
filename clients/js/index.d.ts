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
    /** Resolves a conflict; without it a conflict waits for resolve(). */
    onConflict?: (conflict: Conflict) =>
        Resolution | void | Promise<Resolution | void>;
    /** Rules of the merge that is offered to onConflict. */
    rules?: Rules | ((url: string) => Rules);
    /** The URL of the lock of a resource; by default its URL and "/lock". */
    lockUrl?: (url: string) => string;
    /** The time limit of a request in milliseconds: 30000. */
    timeout?: number;
    /** The longest wait before a retry in milliseconds: 300000. */
    maxWait?: number;
}

export type State = 'queued' | 'sending' | 'unknown' | 'conflict' | 'parked';

export interface Reason {
    kind: 'network' | 'status' | 'dropped';
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
    state: View & { durable: boolean };
    saved: View & { outcome: string | null };
    conflict: Conflict;
    parked: View;
    progress: Progress;
    online: { online: boolean };
    unauthorized: { url: string };
    storage: { durable: false; error: unknown };
    lock: { url: string; state: 'held' | 'lost' | 'released';
            why?: 'expired' | 'taken'; lock?: LockInfo;
            holder?: LockInfo | null };
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

    flush(): Promise<void>;
    pause(): void;
    resume(): Promise<void>;

    entries(): Promise<View[]>;
    conflict<T = any>(path: string): Promise<Conflict<T> | null>;
    /** With the conflict that was shown, no later one is resolved. */
    resolve(path: string, answer: Resolution, conflict?: { id: string }):
        Promise<Result>;
    retry(path: string): Promise<Result>;
    discard(path: string): Promise<View | null>;

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
    }): Promise<Lock>;

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

export interface LockInfo {
    user?: string | null;
    client?: string | null;
    acquired_at?: string;
    expires_at?: string;
    expires_in?: number;
}

export class Lock {
    readonly held: boolean;
    readonly version: number | null;
    readonly info: LockInfo;
    touch(): void;
    renew(): Promise<boolean>;
    release(): Promise<void>;
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
    watch(changed: (url: string) => void): void;
}

export function memoryStorage(): Storage;
/** Shared by all tabs of the origin; use a separate name for each user. */
export function indexedDBStorage(name?: string): Storage;
/** Node only: a directory, for one process at a time. */
export function fileStorage(directory: string): Storage;
