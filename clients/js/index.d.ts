export type Json = null | boolean | number | string | Json[]
    | { [name: string]: Json };

export interface ClientOptions {
    /** What paths are below; in a browser the page's own URL by default. */
    baseUrl?: string | URL;
    /** IndexedDB in browsers, memory in Node, unless another one is given. */
    storage?: Storage;
    /** The name of this device: X-Client, which the audit log shows. */
    device?: string;
    /** Headers of each request, such as Authorization. */
    headers?: Record<string, string>
        | ((url: string, request: { method: string }) =>
            Record<string, string> | Promise<Record<string, string>>);
    /** In the place of the global one. */
    fetch?: (url: string, init: RequestInit) => Promise<Response>;
    /** The member of the body that has the base; If-Match without it. */
    member?: string;
    /** How a conflict ends; without it, it waits for resolve(). */
    onConflict?: (conflict: Conflict) =>
        Resolution | void | Promise<Resolution | void>;
    /** Rules of the merge that onConflict is offered. */
    rules?: Rules | ((url: string) => Rules);
    /** The lock of a resource; its URL and "/lock" by default. */
    lockUrl?: (url: string) => string;
    /** Milliseconds that a request may take: 30000. */
    timeout?: number;
    /** Milliseconds that a retry waits at most: 300000. */
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

/** A resource as this device has it: with its own edits. */
export interface View<T = any> {
    url: string;
    /** null where there is none, and where it is to be removed. */
    doc: T | null;
    version: number | string | null;
    /** null where all is at the server. */
    state: State | null;
    removed?: boolean;
    /** It could not be read: as it was last seen. */
    stale?: boolean;
    reason?: Reason | null;
    tries?: number;
    /** Milliseconds since 1970. */
    retryAt?: number | null;
}

export interface Result<T = any> extends Omit<View<T>, 'state'> {
    state: State | 'done';
    /** false: it is in memory alone, and would not survive a reload. */
    durable: boolean;
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
    /** What the edits were made on; null where that is not known. */
    base: T | null;
    /** With this device's edits; null where it is to be removed. */
    local: T | null;
    /** What is there now; null where it was deleted. */
    server: T | null;
    deleted: boolean;
    removed: boolean;
    conflicts: FieldConflict[];
    /** Both, with the server's value where fields clash. */
    merged: T | null;
    /** No field clashes: "merged" is all that both wanted. */
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

/** What is to become of a conflict, or the merged document. */
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
        version?: number | string }): Promise<Result>;

    flush(): Promise<void>;
    pause(): void;
    resume(): Promise<void>;

    entries(): Promise<View[]>;
    conflict<T = any>(path: string): Promise<Conflict<T> | null>;
    resolve(path: string, answer: Resolution): Promise<Result>;
    retry(path: string): Promise<Result>;
    discard(path: string): Promise<View | null>;

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
}

/** By JSON pointer: "lww", "server", "union(id)" and the like. */
export type Rules = Record<string, string>;

export interface Merged<T = any> {
    /** With the server's value where fields clash. */
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
/** Shared by all tabs of the origin; a name for each user. */
export function indexedDBStorage(name?: string): Storage;
/** Node alone: a directory, for one process at a time. */
export function fileStorage(directory: string): Storage;
