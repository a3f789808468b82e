/** A store in IndexedDB: one database per device, shared by the tabs of a browser. */

import { asTroupeError, StoreError } from "./errors.js";
import { readAgain } from "./event.js";
import type { ConversationId, Seq } from "./ids.js";
import type { Queued } from "./outbox.js";
import {
  type Change,
  type EventQuery,
  HISTORY_EVENTS,
  type Kept,
  matches,
  MemoryStore,
  nothing,
  type Saved,
  type Session,
  type Store,
} from "./store.js";

const PREFIX = "troupe ";
const FORM = 1;
/** Delivered events between two trims of the kept ones. */
const TRIM_EVERY = 256;
/** Keys of the object store `device`. */
const [CLUSTER, SESSION] = ["cluster", "session"];

type EventRow = Omit<Kept, "number">;

/** The object stores that each change writes. */
const TOUCHED: Record<Change["set"], readonly string[]> = {
  cluster: ["device"],
  session: ["device"],
  sessionEnded: ["device"],
  queued: ["outbox"],
  settled: ["outbox"],
  event: ["events", "cursors"],
  cursor: ["cursors"],
  history: ["histories", "cursors", "events"],
};

/**
 * Survives the end of the browser at any moment; with `strict` also a power loss, for some
 * milliseconds per message.
 */
export class IndexedDbStore implements Store {
  private opened: Promise<IDBDatabase> | undefined;
  private delivered = 0;

  /** `name` tells devices of one origin apart, for instance the name of the user. */
  constructor(
    private readonly name: string,
    private readonly options: {
      readonly strict?: boolean;
      /** Events that are kept: 10,000 by default. */
      readonly history?: number;
      readonly factory?: IDBFactory;
    } = {},
  ) {}

  /** Deletes the store of that name, with all that it holds. */
  static remove(name: string, factory: IDBFactory = indexedDB): Promise<void> {
    return attempt(name, async () => void (await answer(factory.deleteDatabase(PREFIX + name))));
  }

  load(): Promise<Saved> {
    return this.read(["device", "outbox", "cursors", "histories"], async (store) => {
      const saved = nothing();
      const [cluster, session, outbox, cursorKeys, cursors, historyKeys, histories] = await Promise.all([
        answer<Uint8Array | undefined>(store("device").get(CLUSTER)),
        answer<Session | undefined>(store("device").get(SESSION)),
        answer<Queued[]>(store("outbox").getAll()),
        answer(store("cursors").getAllKeys()),
        answer<Seq[]>(store("cursors").getAll()),
        answer(store("histories").getAllKeys()),
        answer<bigint[]>(store("histories").getAll()),
      ]);
      [saved.cluster, saved.session, saved.outbox] = [cluster, session, outbox];
      saved.cursors = zip(cursorKeys as ConversationId[], cursors);
      saved.histories = zip(historyKeys as ConversationId[], histories);
      return saved;
    });
  }

  write(changes: readonly Change[]): Promise<void> {
    const touched = [...new Set(changes.flatMap(({ set }) => TOUCHED[set]))];
    if (touched.length === 0) return Promise.resolve();
    const durability = this.options.strict === true ? "strict" : "relaxed";
    return this.transaction(touched, "readwrite", durability, async (store) => {
      for (const change of changes) this.perform(store, change);
    });
  }

  events(query: EventQuery): Promise<Kept[]> {
    const { after, limit } = query;
    if (limit <= 0) return Promise.resolve([]);
    return this.read(["events"], async (store) => {
      const found: Kept[] = [];
      const range = after === undefined ? null : IDBKeyRange.lowerBound(after, true);
      const byConversation = after === undefined && query.conversation !== undefined;
      const request = byConversation
        ? store("events").index("place").openCursor(ofConversation(query.conversation as ConversationId, 0), "prev")
        : store("events").openCursor(range, after === undefined ? "prev" : "next");
      await each(request, (cursor) => {
        const row = cursor.value as EventRow;
        if (matches(row, query)) found.push({ ...row, event: readAgain(row.event), number: cursor.primaryKey as number });
        return found.length < limit;
      });
      return after === undefined ? found.reverse() : found;
    });
  }

  last(): Promise<number> {
    return this.read(["events"], async (store) => {
      let last = 0;
      await each(store("events").openKeyCursor(null, "prev"), (cursor) => {
        last = cursor.primaryKey as number;
        return false;
      });
      return last;
    });
  }

  async close(): Promise<void> {
    const { opened } = this;
    this.opened = undefined;
    (await opened?.catch(() => undefined))?.close();
  }

  private perform(store: (name: string) => IDBObjectStore, change: Change): void {
    switch (change.set) {
      case "cluster":
        return void store("device").put(change.id, CLUSTER);
      case "session":
        return void store("device").put(change.session, SESSION);
      case "sessionEnded":
        return endSession(store("device"));
      case "queued":
        return void store("outbox").put(change.message);
      case "settled":
        return removeAll(store("outbox").index("id").openKeyCursor(change.id), store("outbox"));
      case "event":
        store("events").put({ conversation: change.conversation, event: change.event } satisfies EventRow);
        store("cursors").put(change.event.seq, change.conversation);
        this.delivered += 1;
        if (this.delivered % TRIM_EVERY === 0) trim(store("events"), this.options.history ?? HISTORY_EVENTS);
        return;
      case "cursor":
        return void store("cursors").put(change.seq, change.conversation);
      case "history":
        store("histories").put(change.history, change.conversation);
        if (change.kept === undefined) return;
        store("cursors").put(change.kept, change.conversation);
        return removeAll(
          store("events").index("place").openKeyCursor(ofConversation(change.conversation, change.kept + 1)),
          store("events"),
        );
    }
  }

  private read<T>(stores: string[], step: (store: (name: string) => IDBObjectStore) => Promise<T>): Promise<T> {
    return this.transaction(stores, "readonly", "relaxed", step);
  }

  private transaction<T>(
    stores: string[],
    mode: IDBTransactionMode,
    durability: "strict" | "relaxed",
    step: (store: (name: string) => IDBObjectStore) => Promise<T>,
  ): Promise<T> {
    return attempt(this.name, async () => {
      const db = await this.database();
      const transaction = db.transaction(stores, mode, { durability });
      const finished = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error ?? new DOMException("aborted", "AbortError"));
      });
      try {
        const [result] = await Promise.all([step((name) => transaction.objectStore(name)), finished]);
        return result;
      } catch (error) {
        // All of it, or nothing. A transaction that has failed by itself is over already.
        if (transaction.error === null) abort(transaction);
        throw error;
      }
    });
  }

  private database(): Promise<IDBDatabase> {
    this.opened ??= this.open().catch((error: unknown) => {
      this.opened = undefined;
      throw error;
    });
    return this.opened;
  }

  private async open(): Promise<IDBDatabase> {
    const request = (this.options.factory ?? indexedDB).open(PREFIX + this.name, FORM);
    request.onupgradeneeded = () => {
      const db = request.result;
      db.createObjectStore("device");
      db.createObjectStore("outbox", { autoIncrement: true }).createIndex("id", "id", { unique: true });
      db.createObjectStore("cursors");
      db.createObjectStore("histories");
      db.createObjectStore("events", { autoIncrement: true }).createIndex("place", ["conversation", "event.seq"]);
    };
    const db = await answer(request);
    // The user has cleared the data of the page: the next use begins with an empty store.
    db.onclose = () => (this.opened = undefined);
    // Another tab deletes the store, or opens it in a later form.
    db.onversionchange = () => {
      db.close();
      this.opened = undefined;
    };
    return db;
  }
}

/**
 * IndexedDB if the browser has it and permits it, and memory otherwise, as in some private windows.
 */
export async function storeOfPlatform(name: string): Promise<Store> {
  const store = new IndexedDbStore(name);
  try {
    await store.last();
    return store;
  } catch {
    return new MemoryStore();
  }
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new DOMException("failed", "UnknownError"));
  });
}

/** Calls `seen` with each row, until it returns false. */
async function each<C extends IDBCursor>(request: IDBRequest<C | null>, seen: (cursor: C) => boolean): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    request.onerror = () => reject(request.error ?? new DOMException("failed", "UnknownError"));
    request.onsuccess = () => {
      const cursor = request.result;
      if (cursor === null || !seen(cursor)) return resolve();
      cursor.continue();
    };
  });
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It is over.
  }
}

function endSession(device: IDBObjectStore): void {
  const request = device.get(SESSION) as IDBRequest<Session | undefined>;
  request.onsuccess = () => {
    if (request.result !== undefined) device.put({ ...request.result, token: new Uint8Array(0) }, SESSION);
  };
}

function removeAll(request: IDBRequest<IDBCursor | null>, from: IDBObjectStore): void {
  request.onsuccess = () => {
    const cursor = request.result;
    if (cursor === null) return;
    from.delete(cursor.primaryKey);
    cursor.continue();
  };
}

/** Drops the oldest events. */
function trim(events: IDBObjectStore, most: number): void {
  const request = events.openKeyCursor(null, "prev");
  request.onsuccess = () => {
    const last = request.result?.primaryKey as number | undefined;
    if (last !== undefined) events.delete(IDBKeyRange.upperBound(last - most));
  };
}

function ofConversation(conversation: ConversationId, first: number): IDBKeyRange {
  return IDBKeyRange.bound([conversation, first], [conversation, Number.POSITIVE_INFINITY]);
}

function zip<K, V>(keys: readonly K[], values: readonly V[]): Map<K, V> {
  return new Map(keys.map((key, at) => [key, values[at] as V]));
}

async function attempt<T>(name: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    const text = error instanceof DOMException ? `${error.message} (${error.name})` : asTroupeError(error).text;
    throw new StoreError(`the store "${name}" of this browser: ${text}`);
  }
}
