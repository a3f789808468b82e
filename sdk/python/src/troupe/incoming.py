"""The items that a client hands to its application, in order per conversation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from . import wire
from .errors import TroupeError
from .event import Event
from .ids import ClientMessageId, ConversationId, Seq, UserId


class StartAt(Enum):
    """Where to start in a conversation that the device has never followed."""

    # After the last event that any device of the user received. In `everyone` it is the head if
    # nothing was received.
    DELIVERED = "delivered"
    # All history that the user may see.
    BEGINNING = "beginning"
    # Only new events.
    HEAD = "head"


@dataclass(frozen=True, slots=True)
class Connecting:
    pass


@dataclass(frozen=True, slots=True)
class Online:
    node: int
    address: str


@dataclass(frozen=True, slots=True)
class Offline:
    """The client is looking for another node. No action is needed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Kicked:
    """The session has ended: replaced, revoked, logged out, or wrong password. The client stops."""

    code: str
    text: str


State = Connecting | Online | Offline | Kicked


@dataclass(frozen=True, slots=True)
class Acked:
    """The message is durable at this seq."""

    id: ClientMessageId
    seq: Seq
    time_ms: int


@dataclass(frozen=True, slots=True)
class EventReceived:
    """Each event once, without gaps from the device's start position."""

    conversation: ConversationId
    event: Event


@dataclass(frozen=True, slots=True)
class CursorMoved:
    """Another user's delivered and read positions. Omitted if the application is slow."""

    conversation: ConversationId
    user: UserId
    delivered: Seq
    read: Seq


@dataclass(frozen=True, slots=True)
class ConversationAdded:
    conversation: ConversationId
    head: Seq


@dataclass(frozen=True, slots=True)
class ConversationRemoved:
    conversation: ConversationId


@dataclass(frozen=True, slots=True)
class Restored:
    """The cluster was restored with fewer events than this device has delivered.

    Events up to `kept` are unchanged, and the `lost` events after them are gone. The conversation
    continues after `kept`.
    """

    conversation: ConversationId
    kept: Seq
    lost: int
    # Number of the history that the device follows from here on.
    history: int


@dataclass(frozen=True, slots=True)
class Invited:
    """A stranger has added this user to a group, or has written to it: see `Client.invitations`."""

    conversation: ConversationId
    by: UserId


@dataclass(frozen=True, slots=True)
class ProfileChanged:
    """This user has changed its profile, on any device."""

    profile: wire.Profile
    # Counts the changes: a lower one is late.
    version: int
    messages_from: wire.Audience | int


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """This user's relation to another one has changed, by either. A lower `version` is late."""

    contact: wire.Contact


@dataclass(frozen=True, slots=True)
class PersonalChanged:
    """This user has changed its own state of a conversation, on any device. A lower `version` is late."""

    conversation: ConversationId
    state: wire.Personal


@dataclass(frozen=True, slots=True)
class FavouriteChanged:
    """This user has saved a message, or saves it no more, on any device. A lower `version` is late."""

    conversation: ConversationId
    seq: Seq
    removed: bool
    version: int


@dataclass(frozen=True, slots=True)
class SignalReceived:
    """Another user types, or tells this device something that no log keeps.

    Omitted if the application is slow. `troupe.signals` has the kinds.
    """

    conversation: ConversationId
    user: UserId
    # The sending device, for an answer to it alone.
    device: int
    kind: int
    payload: bytes
    # The head of the conversation at that moment.
    seq: Seq


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """A watched user has come, has gone, or shows something else now. Omitted if the application is slow."""

    user: UserId
    online: bool
    # Coarsely; 0: never, or this user may not see it.
    last_seen_ms: int


@dataclass(frozen=True, slots=True)
class StateChanged:
    state: State


@dataclass(frozen=True, slots=True)
class Settled:
    """The outcome of a message that was in the outbox at the start, or whose handle was dropped."""

    conversation: ConversationId
    id: ClientMessageId
    outcome: Acked | TroupeError


Incoming = (
    EventReceived
    | CursorMoved
    | ConversationAdded
    | ConversationRemoved
    | Restored
    | Invited
    | ProfileChanged
    | SignalReceived
    | PresenceChanged
    | ContactChanged
    | PersonalChanged
    | FavouriteChanged
    | StateChanged
    | Settled
)
