/**
 * When the page draws. Many changes are one drawing: a single one is drawn in the next frame, and a
 * flood leaves frames to the keyboard. A key comes first: its frame is drawn alone, and what has
 * arrived follows behind it.
 */

/** Milliseconds between two drawings: of a tab that is seen, while keys come, of one that is not seen. */
const [DRAW_MS, KEYS_MS, HIDDEN_MS] = [50, 150, 100];
/** For so long a key counts as typing. */
const TYPING_MS = 100;
/** A slow machine rests for this many times what a drawing took, and at most so long. */
const [RESTS, REST_MS] = [2, 250];

/** The part of a page that decides about frames. */
export interface Screen {
  now(): number;
  isVisible(): boolean;
  /** Runs before the next frame. */
  frame(run: () => void): void;
  /** Runs after the next frame. */
  painted(run: () => void): void;
  later(run: () => void, ms: number): () => void;
}

export class Pace {
  private isAsked = false;
  private isDrawing = false;
  private isBehindKey = false;
  private drawnMs = Number.NEGATIVE_INFINITY;
  private tookMs = 0;
  private keyMs = Number.NEGATIVE_INFINITY;
  private cancel = (): void => {};

  constructor(
    private readonly draw: () => void,
    private readonly screen: Screen = screenOf(),
  ) {}

  /** Something has changed. A drawing takes what changes while it runs. */
  ask(): void {
    if (this.isAsked || this.isDrawing) return;
    this.isAsked = true;
    this.wait();
  }

  /** A key was pressed. */
  key(): void {
    this.keyMs = this.screen.now();
    if (this.isBehindKey) return;
    this.isBehindKey = true;
    this.screen.painted(() => {
      this.isBehindKey = false;
      if (this.restMs(DRAW_MS) <= 0) this.run();
    });
  }

  private wait(): void {
    const isTyping = this.screen.now() - this.keyMs < TYPING_MS;
    const rest = this.restMs(!this.screen.isVisible() ? HIDDEN_MS : isTyping ? KEYS_MS : DRAW_MS);
    // A hidden tab gets no frames, so it draws by a timer.
    if (rest > 0) this.cancel = this.screen.later(() => this.wait(), rest);
    else if (this.screen.isVisible()) this.screen.frame(() => this.run());
    else this.cancel = this.screen.later(() => this.run(), 0);
  }

  private restMs(ms: number): number {
    return Math.max(ms, Math.min(this.tookMs * RESTS, REST_MS)) - (this.screen.now() - this.drawnMs);
  }

  private run(): void {
    if (!this.isAsked) return;
    this.cancel();
    const begun = this.screen.now();
    [this.isAsked, this.isDrawing] = [false, true];
    try {
      this.draw();
    } finally {
      this.isDrawing = false;
      this.drawnMs = this.screen.now();
      this.tookMs = this.drawnMs - begun;
    }
  }
}

function screenOf(): Screen {
  const after = new MessageChannel();
  const waiting: (() => void)[] = [];
  after.port1.onmessage = () => waiting.splice(0).forEach((run) => run());
  return {
    now: () => performance.now(),
    isVisible: () => document.visibilityState === "visible",
    frame: (run) => void requestAnimationFrame(run),
    // The message comes when the frame is drawn.
    painted: (run) => {
      waiting.push(run);
      requestAnimationFrame(() => after.port2.postMessage(0));
    },
    later: (run, ms) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
  };
}
