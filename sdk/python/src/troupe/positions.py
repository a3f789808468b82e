"""Delivered and read positions of other users. They only move forward.

A push is a hint and can arrive late: pushes of a deposed leader can arrive after those of its
successor. A message that was shown as read must not become unread again.
"""

from __future__ import annotations

from .ids import ConversationId, UserId

# Conversations with remembered positions. Above it the one that was added first is forgotten, and
# its positions start over.
_CONVERSATIONS = 4_096


class ReadPositions:
    def __init__(self) -> None:
        self._of: dict[ConversationId, dict[UserId, tuple[int, int]]] = {}

    def advance(self, conversation: ConversationId, user: UserId, delivered: int, read: int) -> tuple[int, int] | None:
        """The merged positions after a push, or None if nothing changed."""
        if conversation not in self._of and len(self._of) >= _CONVERSATIONS:
            del self._of[next(iter(self._of))]
        users = self._of.setdefault(conversation, {})
        held = users.get(user, (0, 0))
        merged = (max(held[0], delivered), max(held[1], read))
        if merged == held:
            return None
        users[user] = merged
        return merged

    def forget(self, conversation: ConversationId) -> None:
        self._of.pop(conversation, None)
