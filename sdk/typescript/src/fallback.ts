/** WebSocket first, and HTTP where a proxy breaks WebSockets. */

import { httpDialer } from "./http.js";
import type { Dialer, Transport } from "./transport.js";
import { websocketDialer } from "./websocket.js";

/** Milliseconds for which HTTP comes first after it worked where a WebSocket did not. */
const HTTP_FIRST = 10 * 60 * 1_000;
/**
 * WebSockets in a row that neither opened nor failed. A frozen node does that too, so one says
 * nothing.
 */
const HUNG = 2;

/**
 * Tries a WebSocket, and goes on over HTTP if it ends before the first frame. A proxy may also
 * swallow it: after two that never opened, the next attempt is by HTTP.
 */
export function fallbackDialer(
  websocket: Dialer = websocketDialer(),
  http: Dialer = httpDialer(),
  now: () => number = () => performance.now(),
): Dialer {
  let [httpUntil, hung] = [0, 0];
  return (to, events) => {
    /** Frames that no transport has answered. */
    const unheard: Uint8Array<ArrayBuffer>[] = [];
    let [isOpen, isHeard, isClosed] = [false, false, false];
    let current: Transport | undefined;
    const opened = (): void => {
      if (!isOpen) events.opened();
      else for (const frame of unheard) current?.send(frame);
      isOpen = true;
    };
    const byHttp = (): Transport =>
      http(to, {
        opened,
        frame: (frame) => {
          isHeard = true;
          [httpUntil, hung] = [now() + HTTP_FIRST, 0];
          events.frame(frame);
        },
        closed: (reason) => {
          if (!isHeard) [httpUntil, hung] = [0, 0];
          events.closed(reason);
        },
      });
    const isWebsocket = now() >= httpUntil && hung < HUNG;
    current = !isWebsocket
      ? byHttp()
      : websocket(to, {
          opened,
          frame: (frame) => {
            [isHeard, hung] = [true, 0];
            events.frame(frame);
          },
          closed: (reason) => {
            if (isHeard) events.closed(reason);
            else if (!isClosed) current = byHttp();
          },
        });
    return {
      send(frame) {
        if (!isHeard) unheard.push(frame);
        current?.send(frame);
      },
      close(orderly) {
        isClosed = true;
        if (isWebsocket && !isOpen) hung += 1;
        current?.close(orderly);
      },
    };
  };
}
