/** The accounts that signed in with this browser, and which of them a tab shows. */

import type { Keep } from "./keep";

export interface Account {
  readonly name: string;
  /** The cluster that it belongs to, in hexadecimal digits. */
  readonly cluster: string;
  /** The name of its store: accounts and clusters share none. */
  readonly store: string;
}

const [ALL, LAST, HERE] = ["troupe.accounts", "troupe.last", "troupe.account"];
/** At the limit the account that signed in first is forgotten; its store stays. */
const MOST = 8;

export function storeName(cluster: string, name: string): string {
  return `${cluster.slice(0, 16)} ${name.normalize("NFKC").toLowerCase()}`;
}

export class Accounts {
  constructor(
    private readonly browser: Keep,
    private readonly tab: Keep,
  ) {}

  /** The latest first, those of this cluster only. */
  all(clusters: readonly string[]): Account[] {
    return this.read().filter(({ cluster }) => clusters.includes(cluster));
  }

  /** The account of this tab, or the one that signed in last. */
  current(clusters: readonly string[]): Account | undefined {
    const all = this.all(clusters);
    const named = (store: string | undefined): Account | undefined => all.find((account) => account.store === store);
    // A tab that signed out stays so.
    if (this.tab.get(HERE) === "") return undefined;
    return named(this.tab.get(HERE)) ?? named(this.browser.get(LAST));
  }

  /** The account of this tab, or the latest, of whatever cluster. */
  latest(): Account | undefined {
    return this.current(this.read().map(({ cluster }) => cluster));
  }

  signedIn(account: Account): void {
    const others = this.read().filter(({ store }) => store !== account.store);
    this.browser.set(ALL, JSON.stringify([account, ...others].slice(0, MOST)));
    this.browser.set(LAST, account.store);
    this.tab.set(HERE, account.store);
  }

  signedOut(account: Account): void {
    this.browser.set(ALL, JSON.stringify(this.read().filter(({ store }) => store !== account.store)));
    if (this.browser.get(LAST) === account.store) this.browser.set(LAST, undefined);
    this.tab.set(HERE, "");
  }

  private read(): Account[] {
    try {
      const found: unknown = JSON.parse(this.browser.get(ALL) ?? "[]");
      return Array.isArray(found) ? found.filter(isAccount) : [];
    } catch {
      return [];
    }
  }
}

function isAccount(value: unknown): value is Account {
  const { name, cluster, store } = (value ?? {}) as Record<string, unknown>;
  return typeof name === "string" && typeof cluster === "string" && typeof store === "string";
}

/** What the fragment of a link asks for. */
export type Link =
  /** `control`: port and key of a demo's control of faults. */
  | { readonly is: "signIn"; readonly name: string; readonly password: string; readonly control: string | undefined }
  | { readonly is: "join"; readonly group: string; readonly code: string }
  | { readonly is: "room"; readonly id: string };

/**
 * `#in/<name>/<password>[/<port>.<key>]`, `#join/<group>.<code>` and `#c/<conversation>`. A fragment is not sent
 * to the server.
 */
export function linkOf(fragment: string): Link | undefined {
  const [word = "", ...rest] = fragment.replace(/^#\/?/, "").split("/");
  const [one = "", two = "", three = ""] = rest.map(decoded);
  switch (word) {
    case "in":
      return one === "" || two === "" ? undefined : { is: "signIn", name: one, password: two, control: /^\d{1,5}\.\w+$/.test(three) ? three : undefined };
    case "join": {
      const [, group, code] = /^(g\d{1,20})\.(\S{1,256})$/.exec(one) ?? [];
      return group === undefined || code === undefined ? undefined : { is: "join", group, code };
    }
    case "c":
      return /^(everyone|g\d{1,20}|d\d{1,20}-\d{1,20})$/.test(one) ? { is: "room", id: one } : undefined;
    default:
      return undefined;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
