/**
 * Delivered and read positions of users. They only move forward.
 *
 * A push is a hint and can arrive late: pushes of a deposed leader can arrive after those of its
 * successor. A message that was shown as read must not become unread again.
 */

import type { ConversationId, UserId } from "./ids.js";

/**
 * Conversations with remembered positions. Above it the one that was added first is forgotten, and
 * its positions start over.
 */
const CONVERSATIONS = 4_096;

export interface Position {
  readonly delivered: number;
  readonly read: number;
}

export class ReadPositions {
  private readonly of = new Map<ConversationId, Map<UserId, Position>>();

  /** The merged positions after a push, or undefined if nothing changed. */
  advance(conversation: ConversationId, user: UserId, delivered: number, read: number): Position | undefined {
    let users = this.of.get(conversation);
    if (users === undefined) {
      for (const oldest of this.of.keys()) {
        if (this.of.size < CONVERSATIONS) break;
        this.of.delete(oldest);
      }
      this.of.set(conversation, (users = new Map()));
    }
    const held = users.get(user) ?? { delivered: 0, read: 0 };
    const merged = { delivered: Math.max(held.delivered, delivered), read: Math.max(held.read, read) };
    if (merged.delivered === held.delivered && merged.read === held.read) return undefined;
    users.set(user, merged);
    return merged;
  }

  forget(conversation: ConversationId): void {
    this.of.delete(conversation);
  }
}
