/** What a pinned message says. */

import type { Entry } from "../core/entry";
import type { Session } from "../core/session";
import { messageText, userName } from "./names";
import type { Words } from "./words";

/** `entry` is undefined until it is read. */
export function pinnedText(session: Session, entry: Entry | undefined, seq: number, t: Words): string {
  if (entry?.event.content.kind !== "message") return t.messageAt(seq);
  if (entry.gone !== undefined) return t.erasedMessage;
  const { sender, content } = entry.event;
  const by = sender === session.client.user ? t.you : userName(session, sender, t);
  return `${by}: ${messageText(content, t).slice(0, 200)}`;
}
