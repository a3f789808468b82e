/** The control of faults of a demo, on this machine. */

export const FAULTS = ["kill", "freeze", "cut", "heal"] as const;
export type Fault = (typeof FAULTS)[number];

/** Milliseconds: the control is beside the browser. */
const PATIENCE = 15_000;

/** A storm in a demo: orders of `troupe chaos`, and the verdict over the messages that were sent meanwhile. */
export interface Storm {
  readonly phase: "none" | "runs" | "settles" | "over";
  readonly elapsed_ms: number;
  readonly seconds: number;
  readonly steps: readonly { readonly at_ms: number; readonly line: string; readonly text: string; readonly is_done: boolean }[];
  readonly verdict: Readonly<Record<"sent" | "acknowledged" | "read" | "lost" | "duplicated" | "out_of_order" | "unread" | "longest_ms", number>>;
  readonly is_good: boolean | null;
  readonly trouble: string | null;
}

export class Faults {
  private readonly base: string;
  private readonly headers: Record<string, string>;

  /** `key`: port and secret of a printed link. */
  constructor(key: string) {
    const [port = "", secret = ""] = key.split(".");
    this.base = `http://127.0.0.1:${port}`;
    this.headers = { authorization: `Bearer ${secret}` };
  }

  /** What the demo can do. Nothing: it has ended, or another one has its port. */
  async offered(): Promise<readonly Fault[]> {
    try {
      const answer = await fetch(`${this.base}/faults`, { headers: this.headers, signal: AbortSignal.timeout(PATIENCE) });
      const { faults } = (await answer.json()) as { faults?: unknown };
      return answer.ok && Array.isArray(faults) ? FAULTS.filter((fault) => faults.includes(fault)) : [];
    } catch {
      return [];
    }
  }

  /** The storm under way or the last one. Undefined: the control of this demo knows none. */
  async storm(): Promise<Storm | undefined> {
    try {
      const answer = await fetch(`${this.base}/storm`, { headers: this.headers, signal: AbortSignal.timeout(PATIENCE) });
      return answer.ok ? ((await answer.json()) as Storm) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Begins a storm. Empty: it has begun; otherwise why not. */
  async begin(): Promise<string> {
    try {
      const answer = await fetch(`${this.base}/storm`, { method: "POST", headers: this.headers, signal: AbortSignal.timeout(PATIENCE) });
      const { text } = (await answer.json()) as { text?: unknown };
      return answer.ok ? "" : String(text ?? answer.status);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** What the demo did, or why it did nothing. */
  async press(fault: Fault, node: bigint): Promise<{ readonly isDone: boolean; readonly text: string }> {
    try {
      const headers = { ...this.headers, "content-type": "application/json" };
      const body = JSON.stringify({ fault, node: Number(node) });
      const answer = await fetch(`${this.base}/faults`, { method: "POST", headers, body, signal: AbortSignal.timeout(PATIENCE) });
      const { text } = (await answer.json()) as { text?: unknown };
      return { isDone: answer.ok, text: typeof text === "string" ? text : "" };
    } catch (error) {
      return { isDone: false, text: error instanceof Error ? error.message : "" };
    }
  }
}
