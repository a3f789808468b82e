/** A value that components watch: the contract of Svelte's stores. */
export class Value<T> {
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
    const own = (value: T): void => run(value);
    this.watchers.add(own);
    own(this.value);
    return () => void this.watchers.delete(own);
  }
}
