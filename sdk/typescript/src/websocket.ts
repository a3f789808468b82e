/** Frames over WebSocket: each frame is one binary message. */

import type { Target } from "./address.js";
import { closed, ProtocolError, type TroupeError, Unavailable } from "./errors.js";
import { SERVER_FRAME_BYTES } from "./limits.js";
import type { Dialer, Events, Transport } from "./transport.js";

const PATH = "/v1/ws";
/** The close code of a normal end: browsers let scripts send no other one of the protocol. */
const NORMAL = 1000;

/** The part of the WebSocket of browsers that is used here. The package `ws` has it too. */
export interface Socket {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
  /** Only the package `ws` can end a connection without waiting for the peer. */
  terminate?(): void;
}

export type SocketClass = new (url: string) => Socket;

/** The WebSocket of this platform. Node has one from version 22 on; before it, the package `ws`. */
async function ofPlatform(): Promise<SocketClass> {
  const global = (globalThis as { WebSocket?: SocketClass }).WebSocket;
  if (global !== undefined) return global;
  // A name that bundlers of web pages do not follow.
  const name = "ws";
  const found = (await import(name)) as { WebSocket: SocketClass };
  return found.WebSocket;
}

/** Dials by WebSocket. `socket`: the class to use, if not that of the platform. */
export function websocketDialer(socket?: SocketClass): Dialer {
  return (to, events) => new WebSocketTransport(to, events, socket);
}

class WebSocketTransport implements Transport {
  private socket: Socket | undefined;
  private isClosed = false;

  constructor(
    private readonly to: Target,
    private readonly events: Events,
    given: SocketClass | undefined,
  ) {
    void (given === undefined ? ofPlatform() : Promise.resolve(given)).then(
      (socket) => this.open(socket),
      () => this.end(new Unavailable("there is no WebSocket here: install the package ws, or use Node 22")),
    );
  }

  send(frame: Uint8Array<ArrayBuffer>): void {
    try {
      this.socket?.send(frame);
    } catch {
      // A socket that is not open any more reports its end.
    }
  }

  close(orderly: boolean): void {
    this.isClosed = true;
    const { socket } = this;
    if (socket === undefined) return;
    // A later error of the closed socket has no one to report to.
    [socket.onopen, socket.onmessage, socket.onclose, socket.onerror] = [null, null, null, () => {}];
    if (!orderly && socket.terminate !== undefined) socket.terminate();
    else socket.close(NORMAL);
  }

  private open(socket: SocketClass): void {
    if (this.isClosed) return;
    const { authority, secure, path } = this.to;
    let made: Socket;
    try {
      made = new socket(`${secure ? "wss" : "ws"}://${authority}${path || PATH}`);
    } catch (error) {
      // A page with TLS may not open a plain WebSocket.
      return this.end(new Unavailable(`${this.to.address}: ${error instanceof Error ? error.message : "no WebSocket"}`));
    }
    this.socket = made;
    made.binaryType = "arraybuffer";
    made.onopen = () => this.events.opened();
    made.onmessage = ({ data }: { data: unknown }) => this.message(data);
    made.onclose = ({ reason }: { reason: string }) =>
      this.end(reason === "" ? closed() : new Unavailable(`the server closed the connection: ${reason}`));
    // Browsers do not say why; `onclose` follows.
    made.onerror = () => {};
  }

  private message(data: unknown): void {
    if (data instanceof ArrayBuffer && data.byteLength <= SERVER_FRAME_BYTES) return this.events.frame(new Uint8Array(data));
    this.end(new ProtocolError(`${this.to.address} sends what is no frame: this is no Troupe server`));
  }

  private end(reason: TroupeError): void {
    if (this.isClosed) return;
    this.close(true);
    this.events.closed(reason);
  }
}
