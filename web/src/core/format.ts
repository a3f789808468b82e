/** Times, and small texts, for a language. */

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

/** The last day that was asked for, and its end. */
let [lastDay, lastEnd] = [0, 0];

/** Midnight before a time, in the zone of the browser. */
export function dayOf(timeMs: number): number {
  if (timeMs >= lastDay && timeMs < lastEnd) return lastDay;
  const day = new Date(timeMs);
  const [year, month, date] = [day.getFullYear(), day.getMonth(), day.getDate()];
  [lastDay, lastEnd] = [new Date(year, month, date).getTime(), new Date(year, month, date + 1).getTime()];
  return lastDay;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** `name` stands for the options. */
function format(tag: string, name: string, options: Intl.DateTimeFormatOptions, timeMs: number): string {
  const key = `${tag} ${name}`;
  let made = formats.get(key);
  if (made === undefined) formats.set(key, (made = new Intl.DateTimeFormat(tag, options)));
  return made.format(timeMs);
}

/** The last minute that was asked for: messages of a flood have the same one. */
let last = { tag: "", minute: Number.NaN, text: "" };

export function timeText(tag: string, timeMs: number): string {
  const minute = Math.floor(timeMs / MINUTE);
  if (last.tag !== tag || last.minute !== minute) {
    last = { tag, minute, text: format(tag, "time", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }, timeMs) };
  }
  return last.text;
}

export function fullTime(tag: string, timeMs: number): string {
  return format(tag, "full", { dateStyle: "medium", timeStyle: "medium" }, timeMs);
}

/** `undefined`: neither today nor yesterday. */
export function nearDay(timeMs: number, nowMs: number): "today" | "yesterday" | undefined {
  const today = dayOf(nowMs);
  if (timeMs >= today) return "today";
  // The day before has 23 or 25 hours twice a year.
  return timeMs >= dayOf(today - HOUR) ? "yesterday" : undefined;
}

export function dayText(tag: string, timeMs: number, nowMs: number): string {
  const isThisYear = new Date(timeMs).getFullYear() === new Date(nowMs).getFullYear();
  return format(tag, `day${isThisYear}`, { weekday: "short", month: "long", day: "numeric", ...(isThisYear ? {} : { year: "numeric" }) }, timeMs);
}

/** As the list of conversations shows it: a time, a weekday, or a date. */
export function listTime(tag: string, timeMs: number, nowMs: number): string {
  if (timeMs === 0) return "";
  if (timeMs >= dayOf(nowMs)) return timeText(tag, timeMs);
  if (nowMs - timeMs < 6 * DAY) return format(tag, "weekday", { weekday: "short" }, timeMs);
  return format(tag, "date", { month: "numeric", day: "numeric" }, timeMs);
}

/** `5 minutes ago`. */
export function agoText(tag: string, timeMs: number, nowMs: number): string {
  const relative = new Intl.RelativeTimeFormat(tag, { numeric: "auto" });
  const passed = Math.max(nowMs - timeMs, 0);
  if (passed < HOUR) return relative.format(-Math.round(passed / MINUTE), "minute");
  if (passed < DAY) return relative.format(-Math.round(passed / HOUR), "hour");
  return relative.format(-Math.round(passed / DAY), "day");
}

const UNITS = [["day", DAY], ["hour", HOUR], ["minute", MINUTE], ["second", 1_000]] as const;

/** `2 hours`. */
export function spanText(tag: string, ms: number): string {
  const [unit, length] = UNITS.find(([, one]) => ms >= one && ms % one === 0) ?? (["second", 1_000] as const);
  return new Intl.NumberFormat(tag, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 }).format(ms / length);
}

/** Times after which messages vanish, on offer. */
export const SPANS: readonly number[] = [MINUTE, HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY];

export type Piece = { readonly is: "text"; readonly text: string } | { readonly is: "link"; readonly text: string; readonly href: string };

const LINK = /https?:\/\/[^\s<>"'`{}|\\^，。；：！？、（）「」《》【】]+/g;

/** A text with its web addresses. Only http and https become links. */
export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const found of text.matchAll(LINK)) {
    // Punctuation behind an address belongs to the sentence.
    const address = found[0].replace(/[.,;:!?，。；：！？、)\]）】]+$/u, "");
    const href = URL.canParse(address) ? new URL(address).href : undefined;
    if (href === undefined) continue;
    if (found.index > from) pieces.push({ is: "text", text: text.slice(from, found.index) });
    pieces.push({ is: "link", text: address, href });
    from = found.index + address.length;
  }
  if (from < text.length) pieces.push({ is: "text", text: text.slice(from) });
  return pieces;
}

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });

export type Mark =
  | { readonly is: "text" | "bold" | "italic" | "strike" | "code"; readonly text: string }
  /** A block of code. */
  | { readonly is: "block"; readonly text: string };

/**
 * Blocks and signs of Markdown that a chat needs. What does not close is text; nothing nests, and a
 * sign within a word is no sign.
 */
const MARKS = /```(?:[\w+-]*\n)?([\s\S]+?)```\n?|`([^`\n]+)`|(?<![\w*])\*\*(?=\S)([^*\n]*[^\s*])\*\*(?![\w*])|(?<![\w*])\*(?=\S)([^*\n]*[^\s*])\*(?![\w*])|(?<![\w~])~~(?=\S)([^~\n]*[^\s~])~~(?![\w~])/g;

export function marksOf(text: string): Mark[] {
  const marks: Mark[] = [];
  let from = 0;
  for (const found of text.matchAll(MARKS)) {
    if (found.index > from) marks.push({ is: "text", text: text.slice(from, found.index) });
    const [all, block, code, bold, italic, strike] = found;
    if (block !== undefined) marks.push({ is: "block", text: block.replace(/\n$/, "") });
    else if (code !== undefined) marks.push({ is: "code", text: code });
    else if (bold !== undefined) marks.push({ is: "bold", text: bold });
    else if (italic !== undefined) marks.push({ is: "italic", text: italic });
    else marks.push({ is: "strike", text: strike ?? "" });
    from = found.index + all.length;
  }
  if (from < text.length) marks.push({ is: "text", text: text.slice(from) });
  return marks;
}

/** Whether a text is one to three emoji and nothing else: it is shown large. */
export function isOnlyEmoji(text: string): boolean {
  // Of most texts the first test says it, which costs little.
  if (text.length > 40 || !/\p{Extended_Pictographic}|\p{Regional_Indicator}/u.test(text)) return false;
  const signs = [...GRAPHEMES.segment(text.trim())].map(({ segment }) => segment);
  return signs.length > 0 && signs.length <= 3 && signs.every((sign) => /\p{Extended_Pictographic}|\p{Regional_Indicator}/u.test(sign));
}

/** The sign of a name in its circle. */
export function initialOf(name: string): string {
  const text = name.trim();
  // Below the signs that combine, a letter is one.
  if (/^[!-~](?:[ -\u02ff]|$)/.test(text)) return text.charAt(0).toLocaleUpperCase();
  const { value } = GRAPHEMES.segment(text)[Symbol.iterator]().next();
  return (value?.segment ?? "?").toLocaleUpperCase();
}

/** One of eight colours, the same on every device. */
export function colourOf(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (hash * 31 + text.charCodeAt(at)) >>> 0;
  return hash % 8;
}
