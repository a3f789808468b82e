// Tools that lie outside of the checkout. Their types are not needed beyond this.
declare module "fake-indexeddb/auto";
declare module "ws" {
  import type { EventEmitter } from "node:events";
  import type { Server } from "node:http";
  export class WebSocket extends EventEmitter {
    send(data: Uint8Array | string): void;
    close(code?: number, reason?: string): void;
    terminate(): void;
  }
  export class WebSocketServer extends EventEmitter {
    constructor(options: { server?: Server; port?: number; host?: string; path?: string });
    address(): { port: number };
    close(): void;
  }
}
declare module "tus-js-client" {
  export interface Options {
    uploadUrl: string;
    chunkSize: number;
    headers: Record<string, string>;
    retryDelays: number[];
    onError(error: Error): void;
    onSuccess(): void;
    onChunkComplete(size: number, accepted: number): void;
  }
  export class Upload {
    constructor(content: Uint8Array, options: Options);
    start(): void;
    abort(): Promise<void>;
  }
}
