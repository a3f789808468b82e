/** The call that this user has, or that rings. Sound and pictures are `talk.ts`'s. */

import { type Client, type Event, type SignalReceived, signals, TroupeError, wire } from "troupe-chat";
import { Value } from "./value";

export interface Call {
  readonly conversation: string;
  /** The seq of its first event, which names it. */
  readonly call: number;
  readonly peer: number;
  readonly isVideo: boolean;
  readonly isOutgoing: boolean;
  /** `calling`: no device rings yet, as far as is known. */
  readonly phase: "calling" | "ringing" | "incoming" | "connecting" | "talking";
  /** The other device, which gets the descriptions. 0: not known yet. */
  readonly device: number;
  readonly sinceMs: number;
}

type Source = Pick<Client, "user" | "startCall" | "answerCall" | "endCall" | "signal">;

/** Milliseconds for which a call rings, and for which a tab waits to see whether it is over already. */
const [RINGS_MS, LOOK_MS] = [60_000, 300];
/** Descriptions that wait for the microphone. */
const MOST = 64;
/** Calls that this tab knows to be over: more than can end while one waits to ring. */
const MOST_OVER = 64;

export class Calls {
  readonly now = new Value<Call | undefined>(undefined);
  private readonly over = new Set<string>();
  private waiting: SignalReceived[] = [];
  private heard: ((signal: SignalReceived) => void) | undefined;

  constructor(
    private readonly client: Source,
    private readonly peerOf: (conversation: string) => number | undefined,
  ) {}

  /** Throws what the cluster says, for instance that a call is under way. */
  async start(conversation: string, isVideo: boolean): Promise<void> {
    const peer = this.peerOf(conversation);
    if (peer === undefined || this.now.get() !== undefined) return;
    const { seq } = await this.client.startCall(conversation, isVideo);
    this.begin({ conversation, call: seq, peer, isVideo, isOutgoing: true, phase: "calling", device: 0, sinceMs: Date.now() });
  }

  /** This device takes the call, or learns that another one was quicker. */
  async accept(): Promise<void> {
    const now = this.now.get();
    if (now?.phase !== "incoming") return;
    this.now.set({ ...now, phase: "connecting" });
    try {
      await this.client.answerCall(now.conversation, now.call, wire.CallAnswer.ACCEPT);
    } catch (error) {
      this.finish(now.conversation, now.call);
      throw error;
    }
  }

  async refuse(): Promise<void> {
    const now = this.now.get();
    if (now?.phase !== "incoming") return;
    this.finish(now.conversation, now.call);
    await this.client.answerCall(now.conversation, now.call, wire.CallAnswer.REFUSE);
  }

  /** Hangs up, or takes it back. */
  async end(): Promise<void> {
    const now = this.now.get();
    if (now === undefined) return;
    this.finish(now.conversation, now.call);
    try {
      await this.client.endCall(now.conversation, now.call);
    } catch (error) {
      if (!(error instanceof TroupeError) || error.code !== "call_over") throw error;
    }
  }

  connected(call: number): void {
    const now = this.now.get();
    if (now?.call === call && now.phase === "connecting") this.now.set({ ...now, phase: "talking", sinceMs: Date.now() });
  }

  /** Receives the descriptions of the present call, those that wait first. */
  listen(heard: (signal: SignalReceived) => void): () => void {
    this.heard = heard;
    const waiting = this.waiting;
    this.waiting = [];
    waiting.forEach(heard);
    return () => {
      if (this.heard === heard) this.heard = undefined;
    };
  }

  event(conversation: string, { seq, timeMs, sender, content }: Event): void {
    const isMine = sender === this.client.user;
    const now = this.now.get();
    const isPresent = (call: number): boolean => now?.conversation === conversation && now.call === call;
    if (content.kind === "callStarted" && !isMine && Date.now() - timeMs < RINGS_MS) {
      const { video: isVideo, device } = content;
      // What a device missed comes at once, so an old call ends before it rings.
      setTimeout(() => this.rings({ conversation, call: seq, peer: sender, isVideo, isOutgoing: false, phase: "incoming", device, sinceMs: Date.now() }), LOOK_MS);
    } else if (content.kind === "callAnswered" && isPresent(content.call) && now !== undefined) {
      if (isMine && now.phase === "incoming") this.finish(conversation, content.call);
      else if (!isMine && now.isOutgoing) this.now.set({ ...now, phase: "connecting", device: content.device });
    } else if (content.kind === "callEnded") {
      this.finish(conversation, content.call);
    }
  }

  signal(signal: SignalReceived): void {
    const now = this.now.get();
    if (now === undefined || signal.conversation !== now.conversation) return;
    if (signal.kind === signals.RINGING && now.phase === "calling") return this.now.set({ ...now, phase: "ringing" });
    if (signal.kind !== signals.DESCRIPTION && signal.kind !== signals.CANDIDATE) return;
    if (this.heard !== undefined) this.heard(signal);
    else if (this.waiting.length < MOST) this.waiting.push(signal);
  }

  private rings(call: Call): void {
    if (this.over.has(`${call.conversation} ${call.call}`)) return;
    if (this.now.get() !== undefined) {
      void this.client.answerCall(call.conversation, call.call, wire.CallAnswer.BUSY).catch(ignore);
      return;
    }
    this.begin(call);
    void this.client.signal(call.conversation, signals.RINGING, new Uint8Array(0), call.device).catch(ignore);
  }

  private begin(call: Call): void {
    if (this.over.has(`${call.conversation} ${call.call}`)) return;
    this.waiting = [];
    this.now.set(call);
  }

  private finish(conversation: string, call: number): void {
    this.over.add(`${conversation} ${call}`);
    const [oldest] = this.over;
    if (this.over.size > MOST_OVER && oldest !== undefined) this.over.delete(oldest);
    const now = this.now.get();
    if (now?.conversation === conversation && now.call === call) this.now.set(undefined);
  }
}

/** The call has ended meanwhile, or no node answers: the log has its end. */
function ignore(error: unknown): void {
  if (!(error instanceof TroupeError)) throw error;
}
