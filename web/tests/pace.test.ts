import { expect, test } from "vitest";
import { Pace, type Screen } from "../src/core/pace";

/** A clock that the test advances. It has a frame every 16 ms. */
class Stage implements Screen {
  time = 0;
  isSeen = true;
  private waiting: { at: number; run: () => void }[] = [];

  now(): number {
    return this.time;
  }

  isVisible(): boolean {
    return this.isSeen;
  }

  frame(run: () => void): void {
    this.waiting.push({ at: (Math.floor(this.time / 16) + 1) * 16, run });
  }

  painted(run: () => void): void {
    this.waiting.push({ at: (Math.floor(this.time / 16) + 1) * 16 + 1, run });
  }

  later(run: () => void, ms: number): () => void {
    const one = { at: this.time + ms, run };
    this.waiting.push(one);
    return () => (this.waiting = this.waiting.filter((other) => other !== one));
  }

  until(end: number): void {
    for (;;) {
      const next = this.waiting.sort((one, other) => one.at - other.at)[0];
      if (next === undefined || next.at > end) break;
      this.waiting.shift();
      this.time = next.at;
      next.run();
    }
    this.time = end;
  }
}

function staged(took = 0): { stage: Stage; pace: Pace; drawn: number[] } {
  const stage = new Stage();
  const drawn: number[] = [];
  const pace = new Pace(() => {
    drawn.push(stage.time);
    stage.time += took;
  }, stage);
  return { stage, pace, drawn };
}

/** Something changes every 5 ms. */
function flood({ stage, pace }: { stage: Stage; pace: Pace }, from: number, to: number, key?: (at: number) => boolean): void {
  for (let at = from; at < to; at += 5) {
    stage.until(Math.max(at, stage.time));
    if (key?.(at)) pace.key();
    pace.ask();
  }
}

test("a single change is drawn in the next frame, and a flood at most every 50 ms", () => {
  const staging = staged();
  const { stage, pace, drawn } = staging;
  stage.until(3);
  pace.ask();
  stage.until(40);
  expect(drawn).toEqual([16]);
  flood(staging, 200, 600);
  stage.until(700);
  const gaps = drawn.slice(2).map((at, index) => at - (drawn[index + 1] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(50);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(66);
});

test("while keys come, a flood is drawn behind their frames", () => {
  const staging = staged();
  const { stage, drawn } = staging;
  flood(staging, 0, 1_000, (at) => at % 60 === 0);
  stage.until(1_000);
  // The first one came before any key.
  for (const at of drawn.slice(1)) expect(at % 16).toBe(1);
  expect(drawn.length).toBeGreaterThan(10);
});

test("a machine that draws slowly rests for as long again and again", () => {
  const staging = staged(60);
  const { stage, drawn } = staging;
  flood(staging, 0, 2_000);
  stage.until(2_500);
  for (const [at, time] of drawn.slice(1).entries()) expect(time - (drawn[at] ?? 0)).toBeGreaterThanOrEqual(180);
});

test("what a drawing changes asks for no other one", () => {
  const stage = new Stage();
  let drawn = 0;
  const pace: Pace = new Pace(() => {
    drawn += 1;
    pace.ask();
  }, stage);
  pace.ask();
  stage.until(1_000);
  expect(drawn).toBe(1);
});

test("a tab that is not seen draws without frames", () => {
  const { stage, pace, drawn } = staged();
  stage.isSeen = false;
  pace.ask();
  stage.until(1);
  expect(drawn).toEqual([0]);
});
