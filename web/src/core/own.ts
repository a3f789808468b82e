/**
 * This user's own state of its conversations: pins, mutes, the archive, drafts, cleared history.
 * The list of the client has it; this changes it.
 */

import { type Client, type ConversationView, type PersonalChange, TroupeError, type wire } from "troupe-chat";

/** Above every time of an event: it stands for no end. */
export const NO_END = Number.MAX_SAFE_INTEGER;
/** Milliseconds after the last key, and bytes, of a draft that other devices get. */
const [PAUSE_MS, DRAFT_BYTES] = [1_500, 4_096];
const encoder = new TextEncoder();

export type Held = Pick<ConversationView, "personal">;

export function isMuted({ personal }: Held, now: number): boolean {
  return (personal?.mutedUntilMs ?? 0) > now;
}

/** Pinned conversations first, by their places. The others stay in their order. */
export function ordered<T extends Held>(views: readonly T[]): T[] {
  const place = ({ personal }: T): number => personal?.pin || NO_END;
  return [...views].sort((one, other) => place(one) - place(other));
}

/** The place of the next pinned conversation. */
export function nextPin(views: readonly Held[]): number {
  return Math.max(0, ...views.map(({ personal }) => personal?.pin ?? 0)) + 1;
}

interface Draft {
  readonly timer: ReturnType<typeof setTimeout>;
  readonly text: string;
  /** The user has paused. */
  isDue: boolean;
}

export class Own {
  private readonly drafts = new Map<string, Draft>();
  /** Conversations whose draft is on its way. */
  private readonly telling = new Set<string>();

  constructor(
    private readonly client: Client,
    private readonly changed: (state: wire.Personal) => void,
  ) {}

  async change(conversation: string, what: PersonalChange): Promise<void> {
    this.changed(await this.client.changePersonal(conversation, what));
  }

  async deleteForMe(conversation: string, seqs: readonly number[]): Promise<void> {
    this.changed(await this.client.deleteForMe(conversation, seqs));
  }

  /** Tells the other devices, when the user pauses. An empty one goes at once. */
  draft(conversation: string, text: string): void {
    clearTimeout(this.drafts.get(conversation)?.timer);
    const draft: Draft = { timer: setTimeout(() => this.due(conversation), text === "" ? 0 : PAUSE_MS), text, isDue: false };
    this.drafts.set(conversation, draft);
  }

  /** A change of this device that has not arrived yet. */
  isDrafting(conversation: string): boolean {
    return this.drafts.has(conversation) || this.telling.has(conversation);
  }

  private due(conversation: string): void {
    const draft = this.drafts.get(conversation);
    if (draft === undefined) return;
    draft.isDue = true;
    if (!this.telling.has(conversation)) void this.tell(conversation);
  }

  /** One after the other, so that the last one stays. */
  private async tell(conversation: string): Promise<void> {
    this.telling.add(conversation);
    for (let draft = this.drafts.get(conversation); draft?.isDue; draft = this.drafts.get(conversation)) {
      this.drafts.delete(conversation);
      try {
        const held = this.client.conversationList.find(conversation)?.personal?.draft ?? "";
        const fits = encoder.encode(draft.text).length <= DRAFT_BYTES;
        if (fits && held !== draft.text) await this.change(conversation, { draft: draft.text });
      } catch (error) {
        // It stays on this device.
        if (!(error instanceof TroupeError)) throw error;
      }
    }
    this.telling.delete(conversation);
  }
}
