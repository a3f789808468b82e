/** The name that is being typed behind an @. */

export interface Query {
  /** Of the @. */
  readonly from: number;
  readonly to: number;
  readonly prefix: string;
}

/** Undefined: the caret is not behind an @. One within a word, as of an address, is none. */
export function queryOf(text: string, caret: number): Query | undefined {
  const found = /(?<![A-Za-z0-9._-])@([^\s@]{0,32})$/u.exec(text.slice(0, caret));
  if (found === null) return undefined;
  return { from: found.index, to: caret, prefix: found[1] ?? "" };
}

/** Names that fit, those that begin so first. */
export function fitting<T extends { readonly name: string }>(all: readonly T[], prefix: string, most: number): T[] {
  const wanted = prefix.toLocaleLowerCase();
  const place = ({ name }: T): number => name.toLocaleLowerCase().indexOf(wanted);
  const found = all.filter((one) => place(one) >= 0);
  return found.sort((one, other) => Math.min(place(one), 1) - Math.min(place(other), 1) || one.name.localeCompare(other.name)).slice(0, most);
}

export function withName(text: string, { from, to }: Query, name: string): { readonly text: string; readonly caret: number } {
  const before = `${text.slice(0, from)}@${name} `;
  return { text: before + text.slice(to).replace(/^ /, ""), caret: before.length };
}
