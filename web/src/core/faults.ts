/** The control of faults of a demo, on this machine. */

export const FAULTS = ["kill", "freeze", "cut", "heal"] as const;
export type Fault = (typeof FAULTS)[number];

/** Milliseconds: the control is beside the browser. */
const PATIENCE = 15_000;

export class Faults {
  private readonly base: string;
  private readonly headers: Record<string, string>;

  /** `key`: port and secret of a printed link. */
  constructor(key: string) {
    const [port = "", secret = ""] = key.split(".");
    this.base = `http://127.0.0.1:${port}/faults`;
    this.headers = { authorization: `Bearer ${secret}` };
  }

  /** What the demo can do. Nothing: it has ended, or another one has its port. */
  async offered(): Promise<readonly Fault[]> {
    try {
      const answer = await fetch(this.base, { headers: this.headers, signal: AbortSignal.timeout(PATIENCE) });
      const { faults } = (await answer.json()) as { faults?: unknown };
      return answer.ok && Array.isArray(faults) ? FAULTS.filter((fault) => faults.includes(fault)) : [];
    } catch {
      return [];
    }
  }

  /** What the demo did, or why it did nothing. */
  async press(fault: Fault, node: bigint): Promise<{ readonly isDone: boolean; readonly text: string }> {
    try {
      const headers = { ...this.headers, "content-type": "application/json" };
      const body = JSON.stringify({ fault, node: Number(node) });
      const answer = await fetch(this.base, { method: "POST", headers, body, signal: AbortSignal.timeout(PATIENCE) });
      const { text } = (await answer.json()) as { text?: unknown };
      return { isDone: answer.ok, text: typeof text === "string" ? text : "" };
    } catch (error) {
      return { isDone: false, text: error instanceof Error ? error.message : "" };
    }
  }
}
