/** What this browser remembers. A browser that forbids storage gets memory instead. */

export interface Keep {
  get(key: string): string | undefined;
  set(key: string, value: string | undefined): void;
  /** Forgets all values whose keys have this part. */
  forget(part: string): void;
}

export class MemoryKeep implements Keep {
  private readonly values = new Map<string, string>();

  get(key: string): string | undefined {
    return this.values.get(key);
  }

  set(key: string, value: string | undefined): void {
    if (value === undefined) this.values.delete(key);
    else this.values.set(key, value);
  }

  forget(part: string): void {
    for (const key of [...this.values.keys()]) if (key.includes(part)) this.values.delete(key);
  }
}

class StorageKeep implements Keep {
  constructor(private readonly storage: Storage) {}

  get(key: string): string | undefined {
    return this.storage.getItem(key) ?? undefined;
  }

  set(key: string, value: string | undefined): void {
    try {
      if (value === undefined) this.storage.removeItem(key);
      else this.storage.setItem(key, value);
    } catch {
      // The storage is full. What is lost is a convenience: a draft, or a place in the history.
    }
  }

  forget(part: string): void {
    for (const key of Object.keys(this.storage)) if (key.includes(part)) this.storage.removeItem(key);
  }
}

/** `open` throws in a browser that forbids storage. */
export function keepOf(open: () => Storage): Keep {
  try {
    const storage = open();
    storage.setItem("troupe", "1");
    storage.removeItem("troupe");
    return new StorageKeep(storage);
  } catch {
    return new MemoryKeep();
  }
}
