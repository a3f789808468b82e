/** Transports: frames in both directions. A frame is one message of client.proto. */

import type { Target } from "./address.js";
import type { TroupeError } from "./errors.js";

/** What a transport reports. After `closed` it reports nothing more. */
export interface Events {
  opened(): void;
  frame(frame: Uint8Array): void;
  closed(reason: TroupeError): void;
}

export interface Transport {
  send(frame: Uint8Array<ArrayBuffer>): void;
  /** Ends the transport; `orderly`: after everything is written. It reports nothing more. */
  close(orderly: boolean): void;
}

/** Opens a transport. It reports later, never before this returns. */
export type Dialer = (to: Target, events: Events) => Transport;
