/** The settings of a client, and what its store has to say about them. */

import { Rejected } from "./errors.js";
import type { StartAt } from "./items.js";
import { DEVICE_BYTES } from "./limits.js";
import type { NodeChoice, Random } from "./nodes.js";
import type { Session } from "./store.js";

export interface Settings {
  readonly nodes: readonly string[];
  readonly name: string | undefined;
  readonly password: string | undefined;
  readonly token: Uint8Array | undefined;
  readonly device: string | undefined;
  readonly startAt: StartAt;
  /** Events kept ready for the application. */
  readonly room: number;
  readonly choice: NodeChoice;
  readonly random: Random;
  /** Name and version, for the server's logs. */
  readonly client: string;
}

/** A store belongs to one user. */
export function agreedToken(settings: Settings, session: Session | undefined): Uint8Array | undefined {
  const { name, password, token, device } = settings;
  if (session !== undefined && name !== undefined && keyOf(name) !== keyOf(session.name) && name !== String(session.user)) {
    throw new Rejected(`this store belongs to ${session.name}: give ${name} another one`, "other_user");
  }
  const ofSession = session !== undefined && session.token.length > 0 && (device ?? session.device) === session.device;
  const agreed = token ?? (ofSession ? session.token : undefined);
  if (agreed === undefined && (name === undefined || password === undefined)) {
    throw new Rejected("give name and password, a token, or a store with a session", "not_logged_in");
  }
  return agreed;
}

export function agreedDevice(settings: Settings, session: Session | undefined): string {
  const random = (): string => Math.floor(settings.random() * 2 ** 32).toString(16).padStart(8, "0");
  const device = settings.device ?? session?.device ?? `sdk-${random()}${random()}`;
  if (!/^[!-~]+$/.test(device) || device.length > DEVICE_BYTES) {
    throw new Rejected("a device is named by 1 to 64 printable ASCII characters", "bad_request");
  }
  return device;
}

/** The server keeps a name in NFKC; case does not count. */
function keyOf(name: string): string {
  return name.normalize("NFKC").toLowerCase();
}
