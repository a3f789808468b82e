/** The list of conversations as the browser remembers it. */

import { type ConversationView, conversationId } from "troupe-chat";

/** What a line of the list shows. */
export type Line = Pick<ConversationView, "id" | "name" | "timeMs" | "unread" | "last" | "personal" | "mentions">;

export function heldList(text: string | undefined): Line[] {
  try {
    const lines: unknown = JSON.parse(text ?? "[]");
    if (!Array.isArray(lines)) return [];
    return lines.map(({ id, name, timeMs }: Record<string, unknown>) => ({
      id: conversationId(String(id)),
      name: String(name),
      timeMs: Number(timeMs),
      unread: 0,
      last: undefined,
      personal: undefined,
      mentions: 0,
    }));
  } catch {
    // Of another version, or damaged.
    return [];
  }
}
