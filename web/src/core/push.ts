/** Web Push: messages while no page of the account is open. */

import { type Client, TroupeError, Unavailable } from "troupe-chat";
import type { Keep } from "./keep";

/** The name of the device that the browser's subscription belongs to: another session has none. */
const KEPT = "troupe.push";

/** A token as the HTTP API takes it. */
export function tokenText(token: Uint8Array): string {
  return btoa(String.fromCharCode(...token)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export class Push {
  private constructor(
    private readonly client: Client,
    private readonly kept: Keep,
    private readonly key: string,
    private readonly worker: ServiceWorkerRegistration,
  ) {}

  /** Undefined: the cluster pushes nothing, or the browser takes no pushes. */
  static async of(client: Client, kept: Keep): Promise<Push | undefined> {
    const { serviceWorker } = navigator as { serviceWorker?: ServiceWorkerContainer };
    if (serviceWorker === undefined || !("PushManager" in window) || typeof Notification === "undefined") return undefined;
    try {
      const worker = await serviceWorker.getRegistration("/");
      const answer = worker === undefined ? undefined : await ask(client, "GET", "/v1/push");
      if (worker === undefined || answer?.ok !== true) return undefined;
      const { public_key } = (await answer.json()) as { public_key: string };
      return new Push(client, kept, public_key, worker);
    } catch {
      // No node answers now, or a private window.
      return undefined;
    }
  }

  async isOn(): Promise<boolean> {
    return this.kept.get(KEPT) === this.client.device && (await this.worker.pushManager.getSubscription()) !== null;
  }

  /** Returns whether pushes come from now on: the user may forbid them. */
  async set(isWanted: boolean): Promise<boolean> {
    return isWanted ? this.begin() : this.end();
  }

  private async begin(): Promise<boolean> {
    if ((await Notification.requestPermission()) !== "granted") return false;
    // One that another key has made takes no pushes of this cluster.
    await (await this.worker.pushManager.getSubscription())?.unsubscribe();
    const made = await this.worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: this.key });
    const { endpoint, keys } = made.toJSON();
    const answer = await ask(this.client, "POST", "/v1/push/subscriptions", { endpoint, keys }).catch(() => undefined);
    if (answer?.ok !== true) {
      await made.unsubscribe();
      throw new Unavailable("no node has taken the subscription");
    }
    this.kept.set(KEPT, this.client.device);
    return true;
  }

  private async end(): Promise<boolean> {
    this.kept.set(KEPT, undefined);
    const made = await this.worker.pushManager.getSubscription();
    if (made === null) return false;
    await made.unsubscribe();
    // The push service says that it is gone, if the node does not hear it now.
    await ask(this.client, "DELETE", `/v1/push/subscriptions?endpoint=${encodeURIComponent(made.endpoint)}`).catch((error: unknown) => {
      if (!(error instanceof TroupeError) && !(error instanceof TypeError)) throw error;
    });
    return false;
  }
}

function ask({ token }: Client, method: string, path: string, body?: object): Promise<Response> {
  if (token === undefined) throw new Unavailable("there is no session");
  const headers = { authorization: `Bearer ${tokenText(token)}`, ...(body === undefined ? {} : { "content-type": "application/json" }) };
  return fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}
