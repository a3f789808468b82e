/**
 * The picture of a user or a group: an emoji on a colour, within the reference that the protocol
 * has for it. `emoji:1f98a/3` is 🦊 on the colour 3.
 */

export interface Face {
  readonly emoji: string;
  readonly colour: number;
}

/** Undefined: a reference of another client. */
export function faceOf(reference: string): Face | undefined {
  const [, points, colour] = /^emoji:([0-9a-f]{2,5}(?:-[0-9a-f]{2,5}){0,9})\/([0-7])$/.exec(reference) ?? [];
  if (points === undefined || colour === undefined) return undefined;
  const codes = points.split("-").map((point) => Number.parseInt(point, 16));
  if (codes.some((code) => code > 0x10ffff)) return undefined;
  return { emoji: String.fromCodePoint(...codes), colour: Number(colour) };
}

export function referenceOf({ emoji, colour }: Face): string {
  return `emoji:${[...emoji].map((sign) => (sign.codePointAt(0) ?? 0).toString(16)).join("-")}/${colour}`;
}
