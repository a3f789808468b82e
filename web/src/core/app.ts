/** From the first request of a page to a signed-in user, and back. */

import {
  Client,
  type Dialer,
  fallbackDialer,
  IndexedDbStore,
  type Locks,
  MemoryStore,
  Rejected,
  sharedByTabs,
  storeOfPlatform,
  TroupeError,
  Unavailable,
  websocketDialer,
} from "troupe-chat";
import { type Account, Accounts, type Link, linkOf, storeName } from "./accounts";
import { Faults } from "./faults";
import { type Keep, keepOf } from "./keep";
import { Session } from "./session";
import { Value } from "./value";
import { keepPage } from "./worker";

export type Phase =
  | { readonly is: "starting" }
  /** No node has answered yet. */
  | { readonly is: "unreachable" }
  /** `accounts` signed in with this browser before; `reason` is the code that ended the session. */
  | { readonly is: "out"; readonly accounts: readonly Account[]; readonly reason?: string }
  | { readonly is: "in"; readonly session: Session; readonly account: Account };

/** The part of `/v1/nodes` that is used here. */
interface Cluster {
  readonly cluster_id: string;
  readonly continues: readonly string[];
}

const CONTROL = "troupe.control";
/** Milliseconds between two attempts, and for which a page waits for its node. */
const [AGAIN, PATIENCE] = [1_000, 1_500];

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export class App {
  readonly phase = new Value<Phase>({ is: "starting" });
  readonly browser: Keep;
  readonly tab: Keep;
  /** A link that waits for a signed-in user. */
  readonly link = new Value<Link | undefined>(undefined);
  private readonly accounts: Accounts;
  private readonly origin: string;
  private cluster: Cluster | undefined;

  constructor(private readonly page: Window & typeof globalThis) {
    this.browser = keepOf(() => page.localStorage);
    this.tab = keepOf(() => page.sessionStorage);
    this.accounts = new Accounts(this.browser, this.tab);
    this.origin = `${page.location.protocol}//${page.location.host}`;
  }

  async start(): Promise<void> {
    const link = linkOf(this.page.location.hash);
    if (link?.is === "signIn") {
      this.page.history.replaceState(null, "", this.page.location.pathname);
      if (link.control !== undefined) this.browser.set(CONTROL, link.control);
    } else this.link.set(link);
    const finding = this.findCluster();
    if (link?.is !== "signIn") {
      const account = this.accounts.latest();
      const isSilent = await Promise.race([finding.then(() => false), pause(PATIENCE).then(() => true)]);
      // Without a node the store has messages to show, and the outbox takes new ones. The client
      // checks by itself that a node belongs to the cluster of its store.
      if (isSilent && account !== undefined) {
        void finding.then(() => this.leaveOther(account));
        return this.resume(account);
      }
    }
    await finding;
    if (link?.is === "signIn") {
      try {
        return await this.signIn(link.name, link.password);
      } catch (error) {
        if (!(error instanceof TroupeError)) throw error;
        return this.out(error.code || "unavailable");
      }
    }
    const account = this.accounts.current(this.clusters);
    if (account === undefined) return this.out();
    await this.resume(account);
  }

  /** Goes on with an account that signed in before. */
  async resume(account: Account): Promise<void> {
    try {
      await this.begin(account, await this.sessionOf(account.store, {}));
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
      this.out(error.code || "unavailable");
    }
  }

  /** Throws what the cluster says about name and password. */
  async signIn(name: string, password: string): Promise<void> {
    const store = storeName(this.clusters[0] ?? "", name);
    const session = await this.sessionOf(store, { name, password });
    try {
      await session.client.start();
      await session.client.waitOnline();
    } catch (error) {
      await session.client.close();
      throw error;
    }
    await this.begin({ name: session.client.name ?? name, cluster: this.clusters[0] ?? "", store }, session, true);
  }

  /** Sets a password in the step of a login, as a one-time password wants it, and signs in. */
  async signInWithNew(name: string, password: string, newPassword: string): Promise<void> {
    const device = this.deviceOf(storeName(this.clusters[0] ?? "", name));
    const body = JSON.stringify({ name, password, device, new_password: newPassword });
    const headers = { "content-type": "application/json" };
    const answer = await this.page.fetch("/v1/login", { method: "POST", headers, body }).catch(() => undefined);
    if (answer === undefined || answer.status >= 500) throw new Unavailable("no node answers");
    if (!answer.ok) {
      const { code, detail } = (await answer.json()) as { code: string; detail: string };
      throw new Rejected(detail, code);
    }
    await this.signIn(name, newPassword);
  }

  async register(name: string, password: string, invite: string): Promise<void> {
    const client = new Client({ nodes: [this.origin], name, password, invite, dialer: fallbackDialer() });
    await client.register();
    await this.signIn(name, password);
  }

  /** The control of faults, if this is a demo and its link was opened with this browser. */
  get faults(): Faults | undefined {
    const kept = this.browser.get(CONTROL);
    return kept === undefined ? undefined : new Faults(kept);
  }

  /** Ends the session of this browser everywhere. */
  async signOut(): Promise<void> {
    const phase = this.phase.get();
    if (phase.is !== "in") return;
    try {
      await phase.session.client.logout();
    } finally {
      await phase.session.client.close();
      this.accounts.signedOut(phase.account);
      this.out();
      this.erase(phase.account);
    }
  }

  /** Nothing of a user who has signed out stays in this browser. */
  private erase({ store }: Account): void {
    for (const keep of [this.browser, this.tab]) keep.forget(` ${store}`);
    if (typeof indexedDB === "undefined") return;
    // It waits for other tabs, which close the store as their session ends.
    IndexedDbStore.remove(store).catch((error: unknown) => console.warn(error));
  }

  /** Shows the sign-in page in this tab; the session goes on. */
  async switchAccount(): Promise<void> {
    const phase = this.phase.get();
    if (phase.is !== "in") return;
    await phase.session.client.close();
    this.out();
  }

  private get clusters(): string[] {
    return this.cluster === undefined ? [] : [this.cluster.cluster_id, ...this.cluster.continues];
  }

  private out(reason?: string): void {
    const accounts = this.accounts.all(this.clusters);
    this.phase.set({ is: "out", accounts, ...(reason === undefined || reason === "" ? {} : { reason }) });
  }

  private async begin(account: Account, session: Session, isStarted = false): Promise<void> {
    if (!isStarted) await session.client.start();
    this.accounts.signedIn(account);
    this.phase.set({ is: "in", session, account });
    keepPage(this.page);
    session.client.state.subscribe((state) => {
      if (state.is !== "kicked") return;
      // Another page of this browser has the session now: that is no end of it.
      if (state.code !== "replaced" && state.code !== "moved") this.accounts.signedOut(account);
      const now = this.phase.get();
      if (now.is === "in" && now.session === session) this.out(state.code);
    });
    void session.run();
  }

  private async sessionOf(store: string, credentials: { name?: string; password?: string }): Promise<Session> {
    const held = await storeOfPlatform(store);
    const device = this.deviceOf(store);
    const isKept = !(held instanceof MemoryStore);
    const { locks } = this.page.navigator as { locks?: Locks };
    // Tabs share a session only where they share its store.
    const share = isKept && locks !== undefined ? { share: sharedByTabs(store) } : {};
    const dialer = dialerOf(this.page.location.host);
    return new Session({ nodes: [this.origin], store: held, device, dialer, ...credentials, ...share }, !isKept);
  }

  private deviceOf(store: string): string {
    const key = `troupe.device ${store}`;
    const device = this.browser.get(key) ?? deviceName(this.page.navigator.userAgent);
    this.browser.set(key, device);
    return device;
  }

  /** The address leads to another cluster now: its accounts are others. */
  private leaveOther(account: Account): void {
    const now = this.phase.get();
    if (now.is !== "in" || now.account !== account || this.clusters.includes(account.cluster)) return;
    void now.session.client.close();
    this.out();
  }

  /** Asks until the node answers: a page may be opened while its node starts. */
  private async findCluster(): Promise<void> {
    for (;;) {
      try {
        const answer = await this.page.fetch("/v1/nodes");
        if (answer.ok) {
          this.cluster = (await answer.json()) as Cluster;
          return;
        }
      } catch {
        // No connection.
      }
      if (this.phase.get().is === "starting") this.phase.set({ is: "unreachable" });
      await pause(AGAIN);
    }
  }
}

/** Nodes answer HTTP of their own pages only, so only WebSockets lead to the others. */
function dialerOf(host: string): Dialer {
  const [own, other] = [fallbackDialer(), websocketDialer()];
  return (to, events) => (to.authority === host ? own : other)(to, events);
}

/** `chrome-linux-3fa94c21`: a name by which a user recognises the browser in the list of devices. */
export function deviceName(agent: string): string {
  const first = (words: readonly (readonly [RegExp, string])[], other: string): string =>
    words.find(([pattern]) => pattern.test(agent))?.[1] ?? other;
  const browser = first([[/Edg\//, "edge"], [/Firefox\//, "firefox"], [/Chrome\//, "chrome"], [/Safari\//, "safari"]], "browser");
  const system = first(
    [[/Android/, "android"], [/iPhone|iPad/, "ios"], [/Windows/, "windows"], [/Mac OS/, "mac"], [/Linux/, "linux"]],
    "web",
  );
  const random = [...crypto.getRandomValues(new Uint8Array(4))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${browser}-${system}-${random}`;
}
