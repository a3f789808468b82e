/** The text of a found message, cut at the words that were searched for. */

export interface Part {
  readonly text: string;
  readonly isHit: boolean;
}

/** `places`: pairs of begin and end in characters, which are not the units of JavaScript. */
export function partsOf(snippet: string, places: readonly number[]): Part[] {
  const letters = [...snippet];
  const parts: Part[] = [];
  let at = 0;
  const put = (to: number, isHit: boolean): void => {
    const text = letters.slice(at, to).join("");
    if (text !== "") parts.push({ text, isHit });
    at = Math.max(at, to);
  };
  for (let index = 0; index + 1 < places.length; index += 2) {
    put(places[index] ?? 0, false);
    put(places[index + 1] ?? 0, true);
  }
  put(letters.length, false);
  return parts;
}
