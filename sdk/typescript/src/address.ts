/** Addresses of nodes, and which of the addresses that a node reports a client may follow. */

import { Rejected } from "./errors.js";

/** A dialed address. */
export interface Target {
  readonly address: string;
  /** Host and port, with brackets around IPv6. */
  readonly authority: string;
  readonly secure: boolean;
  /** Of the WebSocket, if it is not the usual one. */
  readonly path: string;
}

const SCHEMES: ReadonlyMap<string, boolean> = new Map([
  ["tls", true],
  ["tcp", false],
  ["wss", true],
  ["ws", false],
  ["https", true],
  ["http", false],
]);

/**
 * Reads `host:port`, and the same behind `tls://`, `tcp://`, `ws://`, `wss://`, `http://` or
 * `https://`. One port of a node serves all of them, so only plain or TLS matters. Without a
 * scheme, an address of this machine is plain and any other uses TLS.
 */
export function target(address: string): Target {
  const found = /^(?:([a-z]+):\/\/)?((?:\[[0-9a-fA-F:.]+\]|[^:/[\]\s@?#]+)(?::(\d{1,5}))?)(\/[^?#\s]*)?$/.exec(address);
  const [, scheme, authority = "", port, path = ""] = found ?? [];
  const secure = scheme === undefined ? !isLoopback(authority) : SCHEMES.get(scheme);
  // A URL of the web has a usual port.
  const hasPort = port === undefined ? scheme !== undefined && !/^t/.test(scheme) : Number(port) > 0 && Number(port) < 65_536;
  if (found === null || secure === undefined || !hasPort) {
    throw new Rejected(`"${address.slice(0, 100)}" is no address: it should be host:port`, "bad_request");
  }
  return { address, authority, secure, path: path === "/" ? "" : path };
}

function isLoopback(authority: string): boolean {
  const host = authority.replace(/:\d+$/, "");
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * Addresses that a node reports to its clients, filtered: a TLS connection leads to TLS only.
 * Addresses that this version cannot read are skipped.
 */
export function followed(origin: string, reported: readonly string[]): string[] {
  const here = target(origin);
  const kept: string[] = [];
  for (const address of reported) {
    try {
      const found = target(address);
      if (!here.secure || found.secure) kept.push(address);
      else if (!address.includes("://")) kept.push(`tls://${address}`);
    } catch (error) {
      if (!(error instanceof Rejected)) throw error;
    }
  }
  return kept;
}
