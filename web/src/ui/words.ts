/** The texts of the client. A language is an object; a missing text does not compile. */

import * as calls from "./words/calls";
import * as errors from "./words/errors";
import * as faults from "./words/faults";
import * as groups from "./words/groups";
import * as messages from "./words/messages";
import * as notes from "./words/notes";
import * as own from "./words/own";
import * as page from "./words/page";
import * as people from "./words/people";
import * as polls from "./words/polls";
import * as settings from "./words/settings";

const PARTS = [page, messages, people, calls, groups, settings, faults, notes, own, polls, errors] as const;

type Both<Parts extends readonly unknown[]> = Parts extends readonly [{ readonly en: infer Part }, ...infer Rest] ? Part & Both<Rest> : unknown;
/** One object type, so that a text of two parts does not compile either. */
export type Words = { [Name in keyof Both<typeof PARTS>]: Both<typeof PARTS>[Name] };

export const en = Object.assign({}, ...PARTS.map((part) => part.en)) as Words;
export const zh = Object.assign({}, ...PARTS.map((part) => part.zh)) as Words;

export const languages = { en, zh } as const;
export type Language = keyof typeof languages;

/** The first language of the browser that is here. */
export function languageOf(tags: readonly string[]): Language {
  for (const tag of tags) {
    if (/^zh\b/i.test(tag)) return "zh";
    if (/^en\b/i.test(tag)) return "en";
  }
  return "en";
}
