/** What all components share: the app, the language, the theme, the place, dialogs and remarks. */

import { TroupeError, type wire } from "troupe-chat";
import { linkOf } from "../core/accounts";
import { App } from "../core/app";
import { Value } from "../core/value";
import { type Language, languageOf, languages, type Words } from "./words";

export const app = new App(window);

// ---- language

function startLanguage(): Language {
  const kept = app.browser.get("troupe.language");
  return kept === "en" || kept === "zh" ? kept : languageOf(navigator.languages);
}

export const language = new Value<Language>(startLanguage());
export const words = new Value<Words>(languages[language.get()]);

export function setLanguage(next: Language): void {
  app.browser.set("troupe.language", next);
  language.set(next);
}

language.subscribe((now) => {
  words.set(languages[now]);
  document.documentElement.lang = languages[now].tag;
});

// ---- theme

export const THEMES = ["system", "light", "dark", "contrast"] as const;
export type Theme = (typeof THEMES)[number];

export const theme = new Value<Theme>(THEMES.find((one) => one === app.browser.get("troupe.theme")) ?? "system");

export function setTheme(next: Theme): void {
  app.browser.set("troupe.theme", next);
  theme.set(next);
}

theme.subscribe((now) => {
  document.documentElement.dataset["theme"] = now;
});

// ---- the conversation on the screen, which the address names

export const room = new Value<string | undefined>(undefined);

export function openRoom(id: string | undefined): void {
  const hash = id === undefined ? "" : `#/c/${encodeURIComponent(id)}`;
  if (location.hash !== hash) history.pushState(null, "", hash === "" ? location.pathname : hash);
  room.set(id);
}

export function roomOfAddress(): string | undefined {
  const [, id] = /^#\/?c\/(everyone|g\d{1,20}|d\d{1,20}-\d{1,20})$/.exec(decodeURIComponent(location.hash)) ?? [];
  return id;
}

// ---- the message that the next one answers, and a message to go to

export interface Reply {
  readonly conversation: string;
  readonly seq: number;
  readonly sender: number;
  readonly text: string;
}

/** The own message that is being given another text. */
export interface Editing {
  readonly conversation: string;
  readonly seq: number;
  readonly text: string;
}

/** Messages that are chosen for one act. While there are some, each message has a box to choose it. */
export interface ChosenMessages {
  readonly conversation: string;
  readonly seqs: ReadonlySet<number>;
}

export const chosen = new Value<ChosenMessages | undefined>(undefined);

/** Messages of one act; the protocol has the same limit for a forward. */
const MOST_CHOSEN = 20;

export function choose(conversation: string, seq: number, isChosen: boolean): void {
  const now = chosen.get();
  const seqs = new Set(now?.conversation === conversation ? now.seqs : []);
  if (!isChosen) seqs.delete(seq);
  else if (seqs.size < MOST_CHOSEN) seqs.add(seq);
  else remark(words.get().chosenMost(MOST_CHOSEN), true);
  chosen.set({ conversation, seqs });
}

export const editing = new Value<Editing | undefined>(undefined);
export const reply = new Value<Reply | undefined>(undefined);
export const target = new Value<{ readonly conversation: string; readonly seq: number } | undefined>(undefined);

/** Follows the address: a conversation, or an invite link that was put into an open page. */
export function followAddress(): void {
  const link = linkOf(location.hash);
  if (link?.is === "join" && app.phase.get().is === "in") {
    history.replaceState(null, "", location.pathname);
    dialog.set({ is: "join", group: link.group, code: link.code });
  } else room.set(roomOfAddress());
}

/** Opens the conversation of a message, and goes there. */
export function goTo(conversation: string, seq: number): void {
  dialog.set(undefined);
  target.set({ conversation, seq });
  openRoom(conversation);
}

// ---- dialogs

/** Before a deed that cannot be undone. `text` is what it is about. */
export interface Question {
  readonly title: string;
  readonly hint: string;
  readonly text: string;
  readonly deed: string;
  readonly run: () => Promise<unknown>;
}

export type Dialog =
  | { readonly is: "new"; readonly address?: string }
  | { readonly is: "contacts" }
  | { readonly is: "person"; readonly user: number }
  | { readonly is: "versions"; readonly conversation: string; readonly seq: number }
  | { readonly is: "sure"; readonly question: Question }
  /** What can be done with a conversation. */
  | { readonly is: "room"; readonly id: string }
  | { readonly is: "search"; readonly words?: string; readonly conversation?: string }
  | { readonly is: "saved" }
  | { readonly is: "pins"; readonly conversation: string }
  | { readonly is: "poll"; readonly conversation: string }
  | { readonly is: "votes"; readonly conversation: string; readonly seq: number; readonly body: wire.PollBody }
  | { readonly is: "schedule"; readonly conversation: string; readonly text: string; readonly done: () => void }
  | { readonly is: "picture"; readonly conversation: string; readonly file: wire.Attachment; readonly name: string }
  | { readonly is: "forward"; readonly conversation: string; readonly seqs: readonly number[] }
  | { readonly is: "files"; readonly conversation: string }
  | { readonly is: "settings" }
  | { readonly is: "invitations" }
  | { readonly is: "group"; readonly id: string }
  | { readonly is: "join"; readonly group: string; readonly code: string }
  | { readonly is: "details"; readonly conversation: string; readonly key: string };

export const dialog = new Value<Dialog | undefined>(undefined);

// ---- remarks that go away

export interface Remark {
  readonly id: number;
  readonly text: string;
  readonly isError: boolean;
}

export const remarks = new Value<readonly Remark[]>([]);
let remarked = 0;
const REMARK_MS = 6_000;

export function remark(text: string, isError = false): void {
  const one = { id: ++remarked, text, isError };
  remarks.set([...remarks.get().slice(-2), one]);
  setTimeout(() => forget(one.id), REMARK_MS);
}

export function forget(id: number): void {
  remarks.set(remarks.get().filter((one) => one.id !== id));
}

/** What the user reads about an error. */
export function explain(error: unknown): string {
  const { errors, problem, unavailable } = words.get();
  if (!(error instanceof TroupeError)) return problem;
  const known = errors[error.code];
  if (known !== undefined) return known;
  if (error.transient) return unavailable;
  return error.text === "" ? problem : error.text;
}

/** Runs an action of the user, and says what went wrong. Returns whether it worked. */
export async function attempt(action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    if (!(error instanceof TroupeError)) console.error(error);
    remark(explain(error), true);
    return false;
  }
}

export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    remark(words.get().copied);
  } catch {
    remark(words.get().problem, true);
  }
}
