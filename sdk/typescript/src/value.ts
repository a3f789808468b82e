/**
 * A value that others watch. It is a store of Svelte, and one subscription of
 * `useSyncExternalStore` in React.
 */
export interface Watched<T> {
  get(): T;
  /** Calls `run` with the value now, and after each change. Returns how to stop that. */
  subscribe(run: (value: T) => void): () => void;
}

export class Value<T> implements Watched<T> {
  private readonly watchers = new Set<(value: T) => void>();

  constructor(private value: T) {}

  get(): T {
    return this.value;
  }

  set(value: T): void {
    this.value = value;
    for (const run of [...this.watchers]) run(value);
  }

  subscribe(run: (value: T) => void): () => void {
    // Each subscription is one, also of the same function.
    const own = (value: T): void => run(value);
    this.watchers.add(own);
    own(this.value);
    return () => void this.watchers.delete(own);
  }
}
