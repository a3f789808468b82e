/** A registration: one request on a connection of its own, before there is a session. */

import { target } from "./address.js";
import type { Clock } from "./clock.js";
import { asTroupeError, Unavailable } from "./errors.js";
import { Line } from "./line.js";
import type { Dialer } from "./transport.js";
import type * as wire from "./wire.js";

/**
 * Milliseconds for connecting with the greeting, and for the answer: the server hashes a password.
 */
const [GREET, ANSWER] = [3_000, 10_000];

export function registerAt(address: string, value: wire.Register, client: string, dialer: Dialer, clock: Clock): Promise<number> {
  return new Promise<number>((resolve, reject) => {
    const line = new Line(1, address, (frame) => transport.send(frame), clock.now());
    const end = (then: () => void): void => {
      cancel();
      line.drop();
      transport.close(true);
      then();
    };
    const fail = (error: unknown): void => end(() => reject(asTroupeError(error)));
    const within = (ms: number): (() => void) => clock.after(ms, () => fail(new Unavailable(`${address} does not answer`)));
    let cancel = within(GREET);
    const register = (): void => {
      cancel();
      cancel = within(ANSWER);
      line.ask({ case: "register", value }, (answer) => {
        if (answer instanceof Error) fail(answer);
        else if (answer.case === "registered") end(() => resolve(answer.value.userId));
        else fail(new Unavailable("the answer to the registration is none"));
      }, clock.now());
    };
    const hello = { minVersion: 1, maxVersion: 1, client };
    const transport = dialer(target(address), {
      opened: () =>
        line.ask({ case: "hello", value: hello }, (answer) => (answer instanceof Error ? fail(answer) : register()), clock.now()),
      closed: fail,
      frame: (frame) => {
        try {
          line.hear(frame, clock.now());
        } catch (error) {
          fail(error);
        }
      },
    });
  });
}
