"""Messages of proto/proto/content.proto and client.proto. Written by generate.py: do not edit.

A field of a oneof is None unless it is set. `arm` in codec.py names the field that is set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar

from .codec import Field, Message
from .event import WireEvent


class BodyKind(IntEnum):
    BODY_KIND_UNSPECIFIED = 0
    BODY_TEXT = 1
    BODY_IMAGE = 2
    BODY_VOICE = 3
    BODY_VIDEO = 4
    BODY_FILE = 5
    BODY_STICKER = 6
    BODY_EMOJI = 7
    BODY_CARD = 8
    BODY_LOCATION = 9
    BODY_CUSTOM = 10
    BODY_NOTICE = 11
    BODY_POLL = 12
    BODY_BUNDLE = 13


class FailureKind(IntEnum):
    KIND_UNSPECIFIED = 0
    REJECTED = 1
    OVERLOADED = 2
    UNAVAILABLE = 3
    FAILED_PRECONDITION = 4


class CallOutcome(IntEnum):
    CALL_OUTCOME_UNSPECIFIED = 0
    TALKED = 1
    CALL_REFUSED = 2
    CALL_BUSY = 3
    CANCELLED = 4
    MISSED = 5


class Role(IntEnum):
    ROLE_UNSPECIFIED = 0
    MEMBER = 1
    ADMIN = 2
    OWNER = 3


class CallAnswer(IntEnum):
    CALL_ANSWER_UNSPECIFIED = 0
    ACCEPT = 1
    REFUSE = 2
    BUSY = 3


class JoinPolicy(IntEnum):
    JOIN_UNSPECIFIED = 0
    JOIN_OPEN = 1
    JOIN_INVITE_ONLY = 2
    JOIN_APPROVAL = 3


class HistoryPolicy(IntEnum):
    HISTORY_UNSPECIFIED = 0
    HISTORY_SINCE_JOINING = 1
    HISTORY_EVERYTHING = 2


class Act(IntEnum):
    ACT_UNSPECIFIED = 0
    ACT_RENAME = 1
    ACT_ADD = 2
    ACT_REMOVE = 3
    ACT_PIN = 4
    ACT_NOTICE = 5
    ACT_MUTE = 6
    ACT_BAN = 7
    ACT_SETTINGS = 8
    ACT_INVITE = 9
    ACT_RECALL = 20


class Meeting(IntEnum):
    MEETING_APART = 0
    MEETING_ALLOWED = 1
    MEETING_REFUSED = 2


class Viewers(IntEnum):
    VIEWERS_EVERYONE = 0
    VIEWERS_CONTACTS = 1
    VIEWERS_NO_ONE = 2


class HookKind(IntEnum):
    HOOK_KIND_UNSPECIFIED = 0
    INCOMING = 1
    OUTGOING = 2
    BEFORE = 3


class Audience(IntEnum):
    AUDIENCE_UNSPECIFIED = 0
    EVERYONE = 1
    CONTACTS = 2


class ContactState(IntEnum):
    CONTACT_STATE_UNSPECIFIED = 0
    REQUESTED = 1
    RECEIVED = 2
    MUTUAL = 3


@dataclass(slots=True)
class Context(Message):
    reply_to: int = 0
    thread: int = 0
    mentions: list[int] = field(default_factory=list)
    mentions_everyone: bool = False
    expires_in_ms: int = 0
    stream: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Attachment(Message):
    hash: bytes = b""
    name: str = ""
    size: int = 0
    media_type: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ImageBody(Message):
    file: Attachment | None = None
    width: int = 0
    height: int = 0
    preview: bytes = b""
    caption: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class VoiceBody(Message):
    file: Attachment | None = None
    duration_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class VideoBody(Message):
    file: Attachment | None = None
    width: int = 0
    height: int = 0
    preview: bytes = b""
    caption: str = ""
    duration_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class FileBody(Message):
    file: Attachment | None = None
    caption: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class StickerBody(Message):
    set: str = ""
    name: str = ""
    file: Attachment | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class EmojiBody(Message):
    emoji: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CardBody(Message):
    user: int = 0
    group: str = ""
    name: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class LocationBody(Message):
    latitude_e7: int = 0
    longitude_e7: int = 0
    name: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CustomBody(Message):
    name: str = ""
    data: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class NoticeBody(Message):
    text: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class PollBody(Message):
    question: str = ""
    options: list[str] = field(default_factory=list)
    multiple: bool = False
    anonymous: bool = False
    ends_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class BundleBody(Message):
    from_: str = ""
    messages: list[BundledMessage] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class BundledMessage(Message):
    seq: int = 0
    sender: int = 0
    time_ms: int = 0
    kind: int = 0
    content: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ClientFrame(Message):
    request_id: int = 0
    hello: Hello | None = None
    register: Register | None = None
    login: Login | None = None
    resume: Resume | None = None
    logout: Logout | None = None
    list_sessions: ListSessions | None = None
    revoke_session: RevokeSession | None = None
    send: Send | None = None
    acknowledge: Acknowledge | None = None
    mark_read: MarkRead | None = None
    fetch: Fetch | None = None
    list_conversations: ListConversations | None = None
    create_group: CreateGroup | None = None
    change_group: ChangeGroup | None = None
    list_members: ListMembers | None = None
    find_users: FindUsers | None = None
    list_online: ListOnline | None = None
    get_users: GetUsers | None = None
    ping: Ping | None = None
    pong: Pong | None = None
    list_invitations: ListInvitations | None = None
    accept_invitation: AcceptInvitation | None = None
    change_password: ChangePassword | None = None
    admin: Admin | None = None
    react: React | None = None
    edit_message: EditMessage | None = None
    recall_message: RecallMessage | None = None
    vote: Vote | None = None
    close_poll: ClosePoll | None = None
    list_votes: ListVotes | None = None
    forward: Forward | None = None
    broadcast: Broadcast | None = None
    get_conversations: GetConversations | None = None
    show_group: ShowGroup | None = None
    list_bans: ListBans | None = None
    list_links: ListLinks | None = None
    preview_link: PreviewLink | None = None
    list_join_requests: ListJoinRequests | None = None
    pin_message: PinMessage | None = None
    list_pins: ListPins | None = None
    list_readers: ListReaders | None = None
    count_readers: CountReaders | None = None
    schedule: Schedule | None = None
    list_scheduled: ListScheduled | None = None
    cancel_scheduled: CancelScheduled | None = None
    signal: Signal | None = None
    call: Call | None = None
    change_presence: ChangePresence | None = None
    create_upload: CreateUpload | None = None
    write_chunk: WriteChunk | None = None
    get_upload: GetUpload | None = None
    cancel_upload: CancelUpload | None = None
    show_file: ShowFile | None = None
    read_file: ReadFile | None = None
    check_file_link: CheckFileLink | None = None
    get_usage: GetUsage | None = None
    read_preview: ReadPreview | None = None
    list_files: ListFiles | None = None
    change_profile: ChangeProfile | None = None
    show_profile: ShowProfile | None = None
    change_contact: ChangeContact | None = None
    show_contact: ShowContact | None = None
    list_contacts: ListContacts | None = None
    list_blocks: ListBlocks | None = None
    report: Report | None = None
    change_personal: ChangePersonal | None = None
    show_personal: ShowPersonal | None = None
    delete_for_me: DeleteForMe | None = None
    change_favourite: ChangeFavourite | None = None
    list_favourites: ListFavourites | None = None
    change_bot: ChangeBot | None = None
    list_bots: ListBots | None = None
    change_hook: ChangeHook | None = None
    list_hooks: ListHooks | None = None
    list_dead: ListDead | None = None
    search: Search | None = None
    write_piece: WritePiece | None = None
    end_stream: EndStream | None = None
    watch: Watch | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ServerFrame(Message):
    request_id: int = 0
    failure: Failure | None = None
    welcome: Welcome | None = None
    registered: Registered | None = None
    logged_in: LoggedIn | None = None
    done: Done | None = None
    sessions: Sessions | None = None
    send_ack: SendAck | None = None
    page: Page | None = None
    conversations: Conversations | None = None
    group_created: GroupCreated | None = None
    members: Members | None = None
    users: Users | None = None
    pong: Pong | None = None
    event: EventPush | None = None
    cursor: CursorPush | None = None
    conversation: ConversationPush | None = None
    kicked: Kicked | None = None
    go_away: GoAway | None = None
    ping: Ping | None = None
    invitations: Invitations | None = None
    invitation: InvitationPush | None = None
    admin: AdminAnswer | None = None
    votes: Votes | None = None
    forwarded: Forwarded | None = None
    group: Group | None = None
    bans: Bans | None = None
    links: Links | None = None
    link_preview: LinkPreview | None = None
    join_requests: JoinRequests | None = None
    pins: Pins | None = None
    readers: Readers | None = None
    read_counts: ReadCounts | None = None
    scheduled: Scheduled | None = None
    scheduled_list: ScheduledList | None = None
    signal: SignalPush | None = None
    upload: Upload | None = None
    file: File | None = None
    file_part: FilePart | None = None
    usage: Usage | None = None
    preview: Preview | None = None
    file_messages: FileMessages | None = None
    own_profile: OwnProfile | None = None
    contact: Contact | None = None
    contacts: Contacts | None = None
    blocks: Blocks | None = None
    profile: ProfilePush | None = None
    contact_changed: ContactPush | None = None
    personal: Personal | None = None
    favourites: Favourites | None = None
    personal_changed: PersonalPush | None = None
    favourite_changed: FavouritePush | None = None
    bot: Bot | None = None
    bots: Bots | None = None
    hook: Hook | None = None
    hooks: Hooks | None = None
    dead_events: DeadEvents | None = None
    found: Found | None = None
    watched: Watched | None = None
    presence: PresencePush | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Failure(Message):
    kind: int = 0
    code: str = ""
    text: str = ""
    retry_after_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Done(Message):
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Ping(Message):
    nonce: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Pong(Message):
    nonce: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Hello(Message):
    min_version: int = 0
    max_version: int = 0
    client: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Welcome(Message):
    version: int = 0
    cluster_id: bytes = b""
    node_id: int = 0
    server: str = ""
    nodes: list[str] = field(default_factory=list)
    max_message_bytes: int = 0
    send_window: int = 0
    ping_seconds: int = 0
    history: int = 0
    continues: list[bytes] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Register(Message):
    name: str = ""
    password: str = ""
    request: bytes = b""
    invite: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Registered(Message):
    user_id: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Login(Message):
    name: str = ""
    password: str = ""
    device: str = ""
    new_password: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Resume(Message):
    token: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class LoggedIn(Message):
    user_id: int = 0
    name: str = ""
    device: str = ""
    token: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Logout(Message):
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListSessions(Message):
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Sessions(Message):
    sessions: list[Session] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Session(Message):
    device: str = ""
    created_ms: int = 0
    online: bool = False
    current: bool = False
    used_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class RevokeSession(Message):
    device: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Kicked(Message):
    code: str = ""
    text: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class GoAway(Message):
    nodes: list[str] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Send(Message):
    conversation: str = ""
    client_message_id: bytes = b""
    after: bytes = b""
    body: Body | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Body(Message):
    kind: int = 0
    content: bytes = b""
    context: Context | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class SendAck(Message):
    client_message_id: bytes = b""
    seq: int = 0
    time_ms: int = 0
    duplicate: bool = False
    conversation: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Schedule(Message):
    conversation: str = ""
    client_message_id: bytes = b""
    body: Body | None = None
    deliver_at_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Scheduled(Message):
    conversation: str = ""
    client_message_id: bytes = b""
    deliver_at_ms: int = 0
    duplicate: bool = False
    seq: int = 0
    time_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListScheduled(Message):
    conversation: str = ""
    after: bytes = b""
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ScheduledList(Message):
    messages: list[ScheduledMessage] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ScheduledMessage(Message):
    client_message_id: bytes = b""
    body: Body | None = None
    deliver_at_ms: int = 0
    refused: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CancelScheduled(Message):
    conversation: str = ""
    client_message_id: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Created(Message):
    name: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Renamed(Message):
    name: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Added(Message):
    users: list[int] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Removed(Message):
    user: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class RoleChanged(Message):
    user: int = 0
    role: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Reacted(Message):
    to: int = 0
    emoji: str = ""
    removed: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Edited(Message):
    to: int = 0
    body: Body | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Recalled(Message):
    to: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Vanished(Message):
    to: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class StreamEnded(Message):
    to: int = 0
    body: Body | None = None
    aborted: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Voted(Message):
    to: int = 0
    options: list[int] = field(default_factory=list)
    removed: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class PollClosed(Message):
    to: int = 0
    voters: int = 0
    counts: list[int] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Muted(Message):
    user: int = 0
    until_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Banned(Message):
    user: int = 0
    lifted: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Transferred(Message):
    to: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Disbanded(Message):
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class LinkMade(Message):
    hash: bytes = b""
    uses: int = 0
    expires_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class LinkRevoked(Message):
    link: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class JoinAsked(Message):
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class JoinClosed(Message):
    user: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Pinned(Message):
    to: int = 0
    removed: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CallStarted(Message):
    video: bool = False
    device: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CallAnswered(Message):
    call: int = 0
    device: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CallEnded(Message):
    call: int = 0
    caller: int = 0
    video: bool = False
    outcome: int = 0
    lasted_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class EventPush(Message):
    conversation: str = ""
    event: WireEvent | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Acknowledge(Message):
    conversation: str = ""
    seq: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class MarkRead(Message):
    conversation: str = ""
    seq: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CursorPush(Message):
    conversation: str = ""
    user_id: int = 0
    delivered: int = 0
    read: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Fetch(Message):
    conversation: str = ""
    seq: int = 0
    backward: bool = False
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Page(Message):
    conversation: str = ""
    events: list[WireEvent] = field(default_factory=list)
    head: int = 0
    more: bool = False
    reactions: list[Reactions] = field(default_factory=list)
    states: list[MessageState] = field(default_factory=list)
    polls: list[PollState] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class MessageState(Message):
    seq: int = 0
    erased: bool = False
    edits: list[int] = field(default_factory=list)
    body: Body | None = None
    streaming: bool = False
    pieces: int = 0
    deleted: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class PollState(Message):
    seq: int = 0
    counts: list[int] = field(default_factory=list)
    voters: int = 0
    mine: list[int] = field(default_factory=list)
    closed: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Reactions(Message):
    seq: int = 0
    counts: list[Reaction] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Reaction(Message):
    emoji: str = ""
    users: int = 0
    mine: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Search(Message):
    query: str = ""
    sender: int = 0
    kind: int = 0
    after_ms: int = 0
    before_ms: int = 0
    limit: int = 0
    page: str = ""
    conversations: list[str] = field(default_factory=list)
    rows: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Found(Message):
    messages: list[FoundMessage] = field(default_factory=list)
    page: str = ""
    incomplete: list[str] = field(default_factory=list)
    rows: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class FoundMessage(Message):
    conversation: str = ""
    seq: int = 0
    time_ms: int = 0
    sender: int = 0
    kind: int = 0
    snippet: str = ""
    places: list[int] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class React(Message):
    request: bytes = b""
    conversation: str = ""
    seq: int = 0
    emoji: str = ""
    remove: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class EditMessage(Message):
    request: bytes = b""
    conversation: str = ""
    seq: int = 0
    body: Body | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class RecallMessage(Message):
    request: bytes = b""
    conversation: str = ""
    seq: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Vote(Message):
    request: bytes = b""
    conversation: str = ""
    seq: int = 0
    options: list[int] = field(default_factory=list)
    remove: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ClosePoll(Message):
    request: bytes = b""
    conversation: str = ""
    seq: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListVotes(Message):
    conversation: str = ""
    seq: int = 0
    after: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Votes(Message):
    votes: list[UserVote] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class UserVote(Message):
    user_id: int = 0
    options: list[int] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Forward(Message):
    request: bytes = b""
    from_: str = ""
    seqs: list[int] = field(default_factory=list)
    to: list[str] = field(default_factory=list)
    bundle: bool = False
    text: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Broadcast(Message):
    request: bytes = b""
    body: Body | None = None
    after: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Forwarded(Message):
    outcomes: list[ForwardOutcome] = field(default_factory=list)
    next: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ForwardOutcome(Message):
    conversation: str = ""
    acks: list[SendAck] = field(default_factory=list)
    failure: Failure | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class WritePiece(Message):
    conversation: str = ""
    seq: int = 0
    index: int = 0
    text: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class StreamPiece(Message):
    message: int = 0
    index: int = 0
    text: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class EndStream(Message):
    request: bytes = b""
    conversation: str = ""
    seq: int = 0
    text: str = ""
    aborted: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Signal(Message):
    conversation: str = ""
    kind: int = 0
    payload: bytes = b""
    device: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class SignalPush(Message):
    conversation: str = ""
    user_id: int = 0
    device: int = 0
    kind: int = 0
    payload: bytes = b""
    seq: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Call(Message):
    request: bytes = b""
    conversation: str = ""
    start: StartCall | None = None
    answer: AnswerCall | None = None
    end: int | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class StartCall(Message):
    video: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class AnswerCall(Message):
    call: int = 0
    answer: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListConversations(Message):
    after: str = ""
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class GetConversations(Message):
    conversations: list[str] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Conversations(Message):
    conversations: list[Conversation] = field(default_factory=list)
    more: bool = False
    unavailable: list[str] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Conversation(Message):
    conversation: str = ""
    name: str = ""
    head: int = 0
    time_ms: int = 0
    delivered: int = 0
    read: int = 0
    unread: int = 0
    members: int = 0
    role: int = 0
    open: bool = False
    kept: int = 0
    personal: Personal | None = None
    mentions: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Personal(Message):
    conversation: str = ""
    version: int = 0
    pin: int = 0
    muted_until_ms: int = 0
    archived: bool = False
    hidden: bool = False
    draft: str = ""
    marked_unread: bool = False
    cleared: int = 0
    deleted: list[int] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ChangePersonal(Message):
    conversation: str = ""
    request: bytes = b""
    seen: int | None = None
    pin: int | None = None
    muted_until_ms: int | None = None
    archived: bool | None = None
    hidden: bool | None = None
    draft: str | None = None
    marked_unread: bool | None = None
    clear_to: int | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ShowPersonal(Message):
    conversation: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class DeleteForMe(Message):
    conversation: str = ""
    seqs: list[int] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ChangeFavourite(Message):
    request: bytes = b""
    conversation: str = ""
    seq: int = 0
    removed: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListFavourites(Message):
    before: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Favourites(Message):
    favourites: list[Favourite] = field(default_factory=list)
    next: int = 0
    version: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Favourite(Message):
    number: int = 0
    conversation: str = ""
    seq: int = 0
    saved_ms: int = 0
    event: WireEvent | None = None
    state: MessageState | None = None
    unavailable: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class FavouritePush(Message):
    conversation: str = ""
    seq: int = 0
    removed: bool = False
    version: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class PersonalPush(Message):
    personal: Personal | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ConversationPush(Message):
    conversation: str = ""
    present: bool = False
    head: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListInvitations(Message):
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Invitations(Message):
    invitations: list[Invitation] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Invitation(Message):
    conversation: str = ""
    name: str = ""
    invited_by: int = 0
    seq: int = 0
    created_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class InvitationPush(Message):
    conversation: str = ""
    invited_by: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class AcceptInvitation(Message):
    conversation: str = ""
    seq: int = 0
    decline: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CreateGroup(Message):
    request: bytes = b""
    name: str = ""
    open: bool = False
    members: list[int] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class GroupCreated(Message):
    conversation: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ChangeGroup(Message):
    request: bytes = b""
    conversation: str = ""
    rename: str | None = None
    add: AddMembers | None = None
    remove: int | None = None
    leave: Done | None = None
    join: Done | None = None
    set_role: RoleChanged | None = None
    set: GroupSettings | None = None
    mute: Muted | None = None
    ban: Banned | None = None
    transfer: int | None = None
    disband: Done | None = None
    make_link: NewLink | None = None
    revoke_link: int | None = None
    join_link: str | None = None
    ask_to_join: str | None = None
    answer_request: AnswerRequest | None = None
    withdraw: Done | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class AddMembers(Message):
    users: list[int] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class AnswerRequest(Message):
    user: int = 0
    accept: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class GroupSettings(Message):
    name: str | None = None
    notice: str | None = None
    avatar: str | None = None
    join: int = 0
    history: int = 0
    slow_seconds: int | None = None
    muted_until_ms: int | None = None
    permissions: list[Permission] = field(default_factory=list)
    no_contact: bool | None = None
    retention_seconds: int | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Permission(Message):
    act: int = 0
    role: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ShowGroup(Message):
    conversation: str = ""
    user_id: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Group(Message):
    conversation: str = ""
    settings: GroupSettings | None = None
    notice_by: int = 0
    notice_ms: int = 0
    bans: int = 0
    meeting: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class NewLink(Message):
    code: str = ""
    uses: int = 0
    expires_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListLinks(Message):
    conversation: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Links(Message):
    links: list[Link] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Link(Message):
    link: int = 0
    by: int = 0
    created_ms: int = 0
    expires_ms: int = 0
    uses: int = 0
    used: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class PreviewLink(Message):
    conversation: str = ""
    code: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class LinkPreview(Message):
    conversation: str = ""
    name: str = ""
    avatar: str = ""
    notice: str = ""
    members: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CreateUpload(Message):
    conversation: str = ""
    upload: bytes = b""
    name: str = ""
    media_type: str = ""
    size: int = 0
    hash: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class WriteChunk(Message):
    conversation: str = ""
    upload: bytes = b""
    offset: int = 0
    content: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class GetUpload(Message):
    conversation: str = ""
    upload: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CancelUpload(Message):
    conversation: str = ""
    upload: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Upload(Message):
    received: int = 0
    size: int = 0
    hash: bytes = b""
    expires_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ReadPreview(Message):
    conversation: str = ""
    hash: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Preview(Message):
    content: bytes = b""
    is_kept: bool = False
    size: int = 0
    media_type: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListFiles(Message):
    conversation: str = ""
    before: int = 0
    kind: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class FileMessages(Message):
    events: list[WireEvent] = field(default_factory=list)
    states: list[MessageState] = field(default_factory=list)
    next: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class GetUsage(Message):
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Usage(Message):
    bytes: int = 0
    reserved_bytes: int = 0
    most_bytes: int = 0
    reserved_until_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ShowFile(Message):
    conversation: str = ""
    hash: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class File(Message):
    hash: bytes = b""
    name: str = ""
    media_type: str = ""
    size: int = 0
    by: int = 0
    time_ms: int = 0
    expires_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ReadFile(Message):
    conversation: str = ""
    hash: bytes = b""
    offset: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class FilePart(Message):
    offset: int = 0
    content: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CheckFileLink(Message):
    conversation: str = ""
    hash: bytes = b""
    device: str = ""
    expires_ms: int = 0
    signature: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListBans(Message):
    conversation: str = ""
    after: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Bans(Message):
    bans: list[Ban] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Ban(Message):
    user_id: int = 0
    by: int = 0
    time_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListReaders(Message):
    conversation: str = ""
    seq: int = 0
    after: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Readers(Message):
    read_by: int = 0
    seen_by: int = 0
    users: list[int] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CountReaders(Message):
    conversation: str = ""
    seqs: list[int] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ReadCounts(Message):
    counts: list[ReadCount] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ReadCount(Message):
    seq: int = 0
    read_by: int = 0
    seen_by: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class PinMessage(Message):
    request: bytes = b""
    conversation: str = ""
    seq: int = 0
    remove: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListPins(Message):
    conversation: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Pins(Message):
    pins: list[Pin] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Pin(Message):
    seq: int = 0
    by: int = 0
    time_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListJoinRequests(Message):
    conversation: str = ""
    after: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class JoinRequests(Message):
    requests: list[JoinRequest] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class JoinRequest(Message):
    user_id: int = 0
    text: str = ""
    time_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListMembers(Message):
    conversation: str = ""
    after: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Members(Message):
    members: list[Member] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Member(Message):
    user_id: int = 0
    role: int = 0
    delivered: int = 0
    read: int = 0
    muted_until_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class FindUsers(Message):
    prefix: str = ""
    after: str = ""
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListOnline(Message):
    after: str = ""
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class GetUsers(Message):
    ids: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Users(Message):
    users: list[User] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class User(Message):
    user_id: int = 0
    name: str = ""
    online: bool = False
    deleted: bool = False
    last_seen_ms: int = 0
    presence_shown_to: int = 0
    profile: Profile | None = None
    bot_of: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ChangePresence(Message):
    shown_to: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Watch(Message):
    user_ids: list[int] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Watched(Message):
    users: list[PresencePush] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class PresencePush(Message):
    user_id: int = 0
    online: bool = False
    last_seen_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class BotScopes(Message):
    read: bool = False
    send: bool = False
    manage: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ChangeBot(Message):
    request: bytes = b""
    create: NewBot | None = None
    rotate: int | None = None
    end: int | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class NewBot(Message):
    name: str = ""
    scopes: BotScopes | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Bot(Message):
    user_id: int = 0
    name: str = ""
    scopes: BotScopes | None = None
    created_ms: int = 0
    token_set_ms: int = 0
    token: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListBots(Message):
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Bots(Message):
    bots: list[Bot] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ChangeHook(Message):
    request: bytes = b""
    conversation: str = ""
    make: NewHook | None = None
    end: int | None = None
    retry: RetryDead | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class NewHook(Message):
    kind: int = 0
    name: str = ""
    secret: str = ""
    url: str = ""
    closed: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class RetryDead(Message):
    hook: int = 0
    seq: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Hook(Message):
    hook: int = 0
    kind: int = 0
    name: str = ""
    by: int = 0
    created_ms: int = 0
    url: str = ""
    delivered: int = 0
    dead: int = 0
    closed: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListHooks(Message):
    conversation: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Hooks(Message):
    hooks: list[Hook] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListDead(Message):
    conversation: str = ""
    hook: int = 0
    after: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class DeadEvents(Message):
    events: list[DeadEvent] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class DeadEvent(Message):
    seq: int = 0
    attempts: int = 0
    status: int = 0
    why: str = ""
    at_ms: int = 0
    again: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Profile(Message):
    display_name: str = ""
    avatar: str = ""
    about: str = ""
    language: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ChangeProfile(Message):
    request: bytes = b""
    display_name: str | None = None
    avatar: str | None = None
    about: str | None = None
    language: str | None = None
    messages_from: int | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ShowProfile(Message):
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class OwnProfile(Message):
    profile: Profile | None = None
    version: int = 0
    messages_from: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ProfilePush(Message):
    profile: OwnProfile | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ChangeContact(Message):
    request: bytes = b""
    user_id: int = 0
    ask: str | None = None
    accept: Done | None = None
    end: Done | None = None
    remark: str | None = None
    block: bool | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ShowContact(Message):
    user_id: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListContacts(Message):
    after: int = 0
    limit: int = 0
    since: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Contacts(Message):
    contacts: list[Contact] = field(default_factory=list)
    next: int = 0
    version: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Contact(Message):
    user_id: int = 0
    state: int = 0
    text: str = ""
    remark: str = ""
    since_ms: int = 0
    version: int = 0
    blocked: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ContactPush(Message):
    contact: Contact | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListBlocks(Message):
    after: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Blocks(Message):
    blocks: list[Block] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Block(Message):
    user_id: int = 0
    since_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Report(Message):
    request: bytes = b""
    conversation: str = ""
    seq: int = 0
    user_id: int = 0
    reason: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ChangePassword(Message):
    old_password: str = ""
    new_password: str = ""
    request: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Admin(Message):
    request: bytes = b""
    list_accounts: ListAccounts | None = None
    show_account: str | None = None
    create_account: CreateAccount | None = None
    disable_account: str | None = None
    enable_account: str | None = None
    delete_account: str | None = None
    reset_password: ResetPassword | None = None
    set_admin: SetAdmin | None = None
    account_sessions: str | None = None
    end_sessions: EndSessions | None = None
    create_invite: CreateInvite | None = None
    list_invites: ListInvites | None = None
    revoke_invite: str | None = None
    read_audit: ReadAudit | None = None
    show_settings: Done | None = None
    change_settings: ChangeSettings | None = None
    export: Export | None = None
    import_events: Import | None = None
    import_account: ImportAccount | None = None
    import_file: ImportFile | None = None
    import_profile: ImportProfile | None = None
    import_contact: ExportedContact | None = None
    list_reports: ListReports | None = None
    close_report: CloseReport | None = None
    set_role: SetRole | None = None
    list_groups: ListGroups | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class AdminAnswer(Message):
    done: Done | None = None
    accounts: Accounts | None = None
    sessions: Sessions | None = None
    invites: Invites | None = None
    audit: AuditPage | None = None
    settings: Settings | None = None
    exported: Exported | None = None
    imported: Imported | None = None
    upload: Upload | None = None
    reports: Reports | None = None
    groups: Groups | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListReports(Message):
    after: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Reports(Message):
    reports: list[ReportRow] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ReportRow(Message):
    number: int = 0
    by: int = 0
    about: int = 0
    conversation: str = ""
    seq: int = 0
    excerpt: str = ""
    reason: str = ""
    created_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CloseReport(Message):
    number: int = 0
    note: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListGroups(Message):
    after: str = ""
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Groups(Message):
    groups: list[GroupRow] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class GroupRow(Message):
    conversation: str = ""
    name: str = ""
    members: int = 0
    head: int = 0
    file_bytes: int = 0
    last_ms: int = 0
    created_ms: int = 0
    open: bool = False
    disbanded: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class SetRole(Message):
    account: str = ""
    role: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListAccounts(Message):
    after: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Accounts(Message):
    accounts: list[Account] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Account(Message):
    user_id: int = 0
    name: str = ""
    status: str = ""
    admin: bool = False
    one_time_password: bool = False
    created_ms: int = 0
    password_set_ms: int = 0
    sessions: int = 0
    online: bool = False
    last_login_ms: int = 0
    last_login_from: str = ""
    role: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CreateAccount(Message):
    name: str = ""
    password: str = ""
    admin: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ResetPassword(Message):
    account: str = ""
    password: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class SetAdmin(Message):
    account: str = ""
    admin: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class EndSessions(Message):
    account: str = ""
    device: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class CreateInvite(Message):
    code: str = ""
    uses: int = 0
    expires_ms: int = 0
    note: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ListInvites(Message):
    after: str = ""
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Invites(Message):
    invites: list[Invite] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Invite(Message):
    id: str = ""
    created_ms: int = 0
    expires_ms: int = 0
    uses: int = 0
    used: int = 0
    revoked: bool = False
    note: str = ""
    by: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ReadAudit(Message):
    since_ms: int = 0
    after: AuditPlace | None = None
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class AuditPlace(Message):
    time_ms: int = 0
    slot: int = 0
    number: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class AuditPage(Message):
    rows: list[AuditRow] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class AuditRow(Message):
    place: AuditPlace | None = None
    by: int = 0
    by_name: str = ""
    address: str = ""
    action: str = ""
    target: str = ""
    detail: str = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Settings(Message):
    registration: str = ""
    session_idle_seconds: int = 0
    strangers: str = ""
    recall_seconds: int = 0
    file_bytes: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ChangeSettings(Message):
    registration: str | None = None
    session_idle_seconds: int | None = None
    strangers: str | None = None
    recall_seconds: int | None = None
    file_bytes: int | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Export(Message):
    accounts: ExportAccounts | None = None
    conversations: ExportConversations | None = None
    events: ExportEvents | None = None
    positions: ExportPositions | None = None
    file: ExportFile | None = None
    contacts: ExportContacts | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ExportAccounts(Message):
    after: int = 0
    limit: int = 0
    password_hashes: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ExportConversations(Message):
    after: str = ""
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ExportEvents(Message):
    conversation: str = ""
    after: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ExportPositions(Message):
    conversation: str = ""
    after: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ExportContacts(Message):
    after: int = 0
    after_other: int = 0
    limit: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ExportFile(Message):
    conversation: str = ""
    hash: bytes = b""
    offset: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Exported(Message):
    accounts: ExportedAccounts | None = None
    conversations: ExportedConversations | None = None
    events: Page | None = None
    positions: Members | None = None
    file: ExportedFile | None = None
    contacts: ExportedContacts | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ExportedFile(Message):
    name: str = ""
    media_type: str = ""
    size: int = 0
    content: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ExportedAccounts(Message):
    accounts: list[ExportedAccount] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ExportedAccount(Message):
    user_id: int = 0
    name: str = ""
    status: str = ""
    admin: bool = False
    one_time_password: bool = False
    created_ms: int = 0
    password_hash: str = ""
    born_with_cluster: bool = False
    profile: OwnProfile | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ExportedContacts(Message):
    contacts: list[ExportedContact] = field(default_factory=list)
    more: bool = False
    next: int = 0
    next_other: int = 0
    rows: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ExportedContact(Message):
    user_id: int = 0
    other_id: int = 0
    wants: bool = False
    text: str = ""
    remark: str = ""
    blocked: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ExportedConversations(Message):
    conversations: list[ExportedConversation] = field(default_factory=list)
    more: bool = False
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ExportedConversation(Message):
    conversation: str = ""
    head: int = 0
    open: bool = False
    first_sender: int = 0
    first_id: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Import(Message):
    conversation: str = ""
    group_key: bytes = b""
    open: bool = False
    source: str = ""
    events: list[WireEvent] = field(default_factory=list)
    positions: list[ImportPosition] = field(default_factory=list)
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ImportPosition(Message):
    user_id: int = 0
    delivered: int = 0
    read: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class Imported(Message):
    conversation: str = ""
    head: int = 0
    placed: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ImportFile(Message):
    conversation: str = ""
    owner: int = 0
    hash: bytes = b""
    name: str = ""
    media_type: str = ""
    size: int = 0
    offset: int = 0
    content: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ImportProfile(Message):
    user_id: int = 0
    profile: OwnProfile | None = None
    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclass(slots=True)
class ImportAccount(Message):
    name: str = ""
    password_hash: str = ""
    admin: bool = False
    one_time_password: bool = False
    created_ms: int = 0
    FIELDS: ClassVar[tuple[Field, ...]] = ()


Context.FIELDS = (
    Field(1, "reply_to", "uint64"),
    Field(2, "thread", "uint64"),
    Field(3, "mentions", "uint64", repeated=True),
    Field(4, "mentions_everyone", "bool"),
    Field(100, "expires_in_ms", "uint64"),
    Field(150, "stream", "bool"),
)
Attachment.FIELDS = (
    Field(1, "hash", "bytes"),
    Field(2, "name", "string"),
    Field(3, "size", "uint64"),
    Field(4, "media_type", "string"),
)
ImageBody.FIELDS = (
    Field(1, "file", "message", message=Attachment),
    Field(2, "width", "uint32"),
    Field(3, "height", "uint32"),
    Field(4, "preview", "bytes"),
    Field(5, "caption", "string"),
)
VoiceBody.FIELDS = (
    Field(1, "file", "message", message=Attachment),
    Field(2, "duration_ms", "uint64"),
)
VideoBody.FIELDS = (
    Field(1, "file", "message", message=Attachment),
    Field(2, "width", "uint32"),
    Field(3, "height", "uint32"),
    Field(4, "preview", "bytes"),
    Field(5, "caption", "string"),
    Field(6, "duration_ms", "uint64"),
)
FileBody.FIELDS = (
    Field(1, "file", "message", message=Attachment),
    Field(2, "caption", "string"),
)
StickerBody.FIELDS = (
    Field(1, "set", "string"),
    Field(2, "name", "string"),
    Field(3, "file", "message", message=Attachment),
)
EmojiBody.FIELDS = (
    Field(1, "emoji", "string"),
)
CardBody.FIELDS = (
    Field(1, "user", "uint64"),
    Field(2, "group", "string"),
    Field(3, "name", "string"),
)
LocationBody.FIELDS = (
    Field(1, "latitude_e7", "int64"),
    Field(2, "longitude_e7", "int64"),
    Field(3, "name", "string"),
)
CustomBody.FIELDS = (
    Field(1, "name", "string"),
    Field(2, "data", "bytes"),
)
NoticeBody.FIELDS = (
    Field(1, "text", "string"),
)
PollBody.FIELDS = (
    Field(1, "question", "string"),
    Field(2, "options", "string", repeated=True),
    Field(3, "multiple", "bool"),
    Field(4, "anonymous", "bool"),
    Field(5, "ends_ms", "uint64"),
)
BundleBody.FIELDS = (
    Field(1, "from_", "string"),
    Field(2, "messages", "message", message=BundledMessage, repeated=True),
)
BundledMessage.FIELDS = (
    Field(1, "seq", "uint64"),
    Field(2, "sender", "uint64"),
    Field(3, "time_ms", "uint64"),
    Field(4, "kind", "uint32"),
    Field(5, "content", "bytes"),
)
ClientFrame.FIELDS = (
    Field(1, "request_id", "uint64"),
    Field(2, "hello", "message", message=Hello, explicit=True, oneof="request"),
    Field(3, "register", "message", message=Register, explicit=True, oneof="request"),
    Field(4, "login", "message", message=Login, explicit=True, oneof="request"),
    Field(5, "resume", "message", message=Resume, explicit=True, oneof="request"),
    Field(6, "logout", "message", message=Logout, explicit=True, oneof="request"),
    Field(7, "list_sessions", "message", message=ListSessions, explicit=True, oneof="request"),
    Field(8, "revoke_session", "message", message=RevokeSession, explicit=True, oneof="request"),
    Field(9, "send", "message", message=Send, explicit=True, oneof="request"),
    Field(10, "acknowledge", "message", message=Acknowledge, explicit=True, oneof="request"),
    Field(11, "mark_read", "message", message=MarkRead, explicit=True, oneof="request"),
    Field(12, "fetch", "message", message=Fetch, explicit=True, oneof="request"),
    Field(13, "list_conversations", "message", message=ListConversations, explicit=True, oneof="request"),
    Field(14, "create_group", "message", message=CreateGroup, explicit=True, oneof="request"),
    Field(15, "change_group", "message", message=ChangeGroup, explicit=True, oneof="request"),
    Field(16, "list_members", "message", message=ListMembers, explicit=True, oneof="request"),
    Field(17, "find_users", "message", message=FindUsers, explicit=True, oneof="request"),
    Field(18, "list_online", "message", message=ListOnline, explicit=True, oneof="request"),
    Field(19, "get_users", "message", message=GetUsers, explicit=True, oneof="request"),
    Field(20, "ping", "message", message=Ping, explicit=True, oneof="request"),
    Field(21, "pong", "message", message=Pong, explicit=True, oneof="request"),
    Field(40, "list_invitations", "message", message=ListInvitations, explicit=True, oneof="request"),
    Field(41, "accept_invitation", "message", message=AcceptInvitation, explicit=True, oneof="request"),
    Field(50, "change_password", "message", message=ChangePassword, explicit=True, oneof="request"),
    Field(51, "admin", "message", message=Admin, explicit=True, oneof="request"),
    Field(60, "react", "message", message=React, explicit=True, oneof="request"),
    Field(61, "edit_message", "message", message=EditMessage, explicit=True, oneof="request"),
    Field(62, "recall_message", "message", message=RecallMessage, explicit=True, oneof="request"),
    Field(70, "vote", "message", message=Vote, explicit=True, oneof="request"),
    Field(71, "close_poll", "message", message=ClosePoll, explicit=True, oneof="request"),
    Field(72, "list_votes", "message", message=ListVotes, explicit=True, oneof="request"),
    Field(73, "forward", "message", message=Forward, explicit=True, oneof="request"),
    Field(74, "broadcast", "message", message=Broadcast, explicit=True, oneof="request"),
    Field(130, "get_conversations", "message", message=GetConversations, explicit=True, oneof="request"),
    Field(140, "show_group", "message", message=ShowGroup, explicit=True, oneof="request"),
    Field(141, "list_bans", "message", message=ListBans, explicit=True, oneof="request"),
    Field(142, "list_links", "message", message=ListLinks, explicit=True, oneof="request"),
    Field(143, "preview_link", "message", message=PreviewLink, explicit=True, oneof="request"),
    Field(144, "list_join_requests", "message", message=ListJoinRequests, explicit=True, oneof="request"),
    Field(145, "pin_message", "message", message=PinMessage, explicit=True, oneof="request"),
    Field(146, "list_pins", "message", message=ListPins, explicit=True, oneof="request"),
    Field(147, "list_readers", "message", message=ListReaders, explicit=True, oneof="request"),
    Field(148, "count_readers", "message", message=CountReaders, explicit=True, oneof="request"),
    Field(170, "schedule", "message", message=Schedule, explicit=True, oneof="request"),
    Field(171, "list_scheduled", "message", message=ListScheduled, explicit=True, oneof="request"),
    Field(172, "cancel_scheduled", "message", message=CancelScheduled, explicit=True, oneof="request"),
    Field(185, "signal", "message", message=Signal, explicit=True, oneof="request"),
    Field(186, "call", "message", message=Call, explicit=True, oneof="request"),
    Field(187, "change_presence", "message", message=ChangePresence, explicit=True, oneof="request"),
    Field(200, "create_upload", "message", message=CreateUpload, explicit=True, oneof="request"),
    Field(201, "write_chunk", "message", message=WriteChunk, explicit=True, oneof="request"),
    Field(202, "get_upload", "message", message=GetUpload, explicit=True, oneof="request"),
    Field(203, "cancel_upload", "message", message=CancelUpload, explicit=True, oneof="request"),
    Field(204, "show_file", "message", message=ShowFile, explicit=True, oneof="request"),
    Field(205, "read_file", "message", message=ReadFile, explicit=True, oneof="request"),
    Field(206, "check_file_link", "message", message=CheckFileLink, explicit=True, oneof="request"),
    Field(207, "get_usage", "message", message=GetUsage, explicit=True, oneof="request"),
    Field(208, "read_preview", "message", message=ReadPreview, explicit=True, oneof="request"),
    Field(209, "list_files", "message", message=ListFiles, explicit=True, oneof="request"),
    Field(220, "change_profile", "message", message=ChangeProfile, explicit=True, oneof="request"),
    Field(221, "show_profile", "message", message=ShowProfile, explicit=True, oneof="request"),
    Field(222, "change_contact", "message", message=ChangeContact, explicit=True, oneof="request"),
    Field(223, "show_contact", "message", message=ShowContact, explicit=True, oneof="request"),
    Field(224, "list_contacts", "message", message=ListContacts, explicit=True, oneof="request"),
    Field(225, "list_blocks", "message", message=ListBlocks, explicit=True, oneof="request"),
    Field(226, "report", "message", message=Report, explicit=True, oneof="request"),
    Field(240, "change_personal", "message", message=ChangePersonal, explicit=True, oneof="request"),
    Field(241, "show_personal", "message", message=ShowPersonal, explicit=True, oneof="request"),
    Field(242, "delete_for_me", "message", message=DeleteForMe, explicit=True, oneof="request"),
    Field(243, "change_favourite", "message", message=ChangeFavourite, explicit=True, oneof="request"),
    Field(244, "list_favourites", "message", message=ListFavourites, explicit=True, oneof="request"),
    Field(260, "change_bot", "message", message=ChangeBot, explicit=True, oneof="request"),
    Field(261, "list_bots", "message", message=ListBots, explicit=True, oneof="request"),
    Field(264, "change_hook", "message", message=ChangeHook, explicit=True, oneof="request"),
    Field(265, "list_hooks", "message", message=ListHooks, explicit=True, oneof="request"),
    Field(266, "list_dead", "message", message=ListDead, explicit=True, oneof="request"),
    Field(290, "search", "message", message=Search, explicit=True, oneof="request"),
    Field(300, "write_piece", "message", message=WritePiece, explicit=True, oneof="request"),
    Field(301, "end_stream", "message", message=EndStream, explicit=True, oneof="request"),
    Field(320, "watch", "message", message=Watch, explicit=True, oneof="request"),
)
ServerFrame.FIELDS = (
    Field(1, "request_id", "uint64"),
    Field(2, "failure", "message", message=Failure, explicit=True, oneof="message"),
    Field(3, "welcome", "message", message=Welcome, explicit=True, oneof="message"),
    Field(4, "registered", "message", message=Registered, explicit=True, oneof="message"),
    Field(5, "logged_in", "message", message=LoggedIn, explicit=True, oneof="message"),
    Field(6, "done", "message", message=Done, explicit=True, oneof="message"),
    Field(7, "sessions", "message", message=Sessions, explicit=True, oneof="message"),
    Field(8, "send_ack", "message", message=SendAck, explicit=True, oneof="message"),
    Field(9, "page", "message", message=Page, explicit=True, oneof="message"),
    Field(10, "conversations", "message", message=Conversations, explicit=True, oneof="message"),
    Field(11, "group_created", "message", message=GroupCreated, explicit=True, oneof="message"),
    Field(12, "members", "message", message=Members, explicit=True, oneof="message"),
    Field(13, "users", "message", message=Users, explicit=True, oneof="message"),
    Field(14, "pong", "message", message=Pong, explicit=True, oneof="message"),
    Field(20, "event", "message", message=EventPush, explicit=True, oneof="message"),
    Field(21, "cursor", "message", message=CursorPush, explicit=True, oneof="message"),
    Field(22, "conversation", "message", message=ConversationPush, explicit=True, oneof="message"),
    Field(23, "kicked", "message", message=Kicked, explicit=True, oneof="message"),
    Field(24, "go_away", "message", message=GoAway, explicit=True, oneof="message"),
    Field(25, "ping", "message", message=Ping, explicit=True, oneof="message"),
    Field(40, "invitations", "message", message=Invitations, explicit=True, oneof="message"),
    Field(41, "invitation", "message", message=InvitationPush, explicit=True, oneof="message"),
    Field(50, "admin", "message", message=AdminAnswer, explicit=True, oneof="message"),
    Field(72, "votes", "message", message=Votes, explicit=True, oneof="message"),
    Field(73, "forwarded", "message", message=Forwarded, explicit=True, oneof="message"),
    Field(140, "group", "message", message=Group, explicit=True, oneof="message"),
    Field(141, "bans", "message", message=Bans, explicit=True, oneof="message"),
    Field(142, "links", "message", message=Links, explicit=True, oneof="message"),
    Field(143, "link_preview", "message", message=LinkPreview, explicit=True, oneof="message"),
    Field(144, "join_requests", "message", message=JoinRequests, explicit=True, oneof="message"),
    Field(146, "pins", "message", message=Pins, explicit=True, oneof="message"),
    Field(147, "readers", "message", message=Readers, explicit=True, oneof="message"),
    Field(148, "read_counts", "message", message=ReadCounts, explicit=True, oneof="message"),
    Field(170, "scheduled", "message", message=Scheduled, explicit=True, oneof="message"),
    Field(171, "scheduled_list", "message", message=ScheduledList, explicit=True, oneof="message"),
    Field(185, "signal", "message", message=SignalPush, explicit=True, oneof="message"),
    Field(200, "upload", "message", message=Upload, explicit=True, oneof="message"),
    Field(201, "file", "message", message=File, explicit=True, oneof="message"),
    Field(202, "file_part", "message", message=FilePart, explicit=True, oneof="message"),
    Field(203, "usage", "message", message=Usage, explicit=True, oneof="message"),
    Field(204, "preview", "message", message=Preview, explicit=True, oneof="message"),
    Field(205, "file_messages", "message", message=FileMessages, explicit=True, oneof="message"),
    Field(221, "own_profile", "message", message=OwnProfile, explicit=True, oneof="message"),
    Field(223, "contact", "message", message=Contact, explicit=True, oneof="message"),
    Field(224, "contacts", "message", message=Contacts, explicit=True, oneof="message"),
    Field(225, "blocks", "message", message=Blocks, explicit=True, oneof="message"),
    Field(230, "profile", "message", message=ProfilePush, explicit=True, oneof="message"),
    Field(231, "contact_changed", "message", message=ContactPush, explicit=True, oneof="message"),
    Field(241, "personal", "message", message=Personal, explicit=True, oneof="message"),
    Field(244, "favourites", "message", message=Favourites, explicit=True, oneof="message"),
    Field(250, "personal_changed", "message", message=PersonalPush, explicit=True, oneof="message"),
    Field(251, "favourite_changed", "message", message=FavouritePush, explicit=True, oneof="message"),
    Field(260, "bot", "message", message=Bot, explicit=True, oneof="message"),
    Field(261, "bots", "message", message=Bots, explicit=True, oneof="message"),
    Field(264, "hook", "message", message=Hook, explicit=True, oneof="message"),
    Field(265, "hooks", "message", message=Hooks, explicit=True, oneof="message"),
    Field(266, "dead_events", "message", message=DeadEvents, explicit=True, oneof="message"),
    Field(290, "found", "message", message=Found, explicit=True, oneof="message"),
    Field(320, "watched", "message", message=Watched, explicit=True, oneof="message"),
    Field(321, "presence", "message", message=PresencePush, explicit=True, oneof="message"),
)
Failure.FIELDS = (
    Field(1, "kind", "enum"),
    Field(2, "code", "string"),
    Field(3, "text", "string"),
    Field(4, "retry_after_ms", "uint32"),
)
Ping.FIELDS = (
    Field(1, "nonce", "uint64"),
)
Pong.FIELDS = (
    Field(1, "nonce", "uint64"),
)
Hello.FIELDS = (
    Field(1, "min_version", "uint32"),
    Field(2, "max_version", "uint32"),
    Field(3, "client", "string"),
)
Welcome.FIELDS = (
    Field(1, "version", "uint32"),
    Field(2, "cluster_id", "bytes"),
    Field(3, "node_id", "uint64"),
    Field(4, "server", "string"),
    Field(5, "nodes", "string", repeated=True),
    Field(6, "max_message_bytes", "uint32"),
    Field(7, "send_window", "uint32"),
    Field(8, "ping_seconds", "uint32"),
    Field(75, "history", "uint64"),
    Field(90, "continues", "bytes", repeated=True),
)
Register.FIELDS = (
    Field(1, "name", "string"),
    Field(2, "password", "string"),
    Field(3, "request", "bytes"),
    Field(50, "invite", "string"),
)
Registered.FIELDS = (
    Field(1, "user_id", "uint64"),
)
Login.FIELDS = (
    Field(1, "name", "string"),
    Field(2, "password", "string"),
    Field(3, "device", "string"),
    Field(50, "new_password", "string"),
)
Resume.FIELDS = (
    Field(1, "token", "bytes"),
)
LoggedIn.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "name", "string"),
    Field(3, "device", "string"),
    Field(4, "token", "bytes"),
)
Sessions.FIELDS = (
    Field(1, "sessions", "message", message=Session, repeated=True),
)
Session.FIELDS = (
    Field(1, "device", "string"),
    Field(2, "created_ms", "uint64"),
    Field(3, "online", "bool"),
    Field(4, "current", "bool"),
    Field(50, "used_ms", "uint64"),
)
RevokeSession.FIELDS = (
    Field(1, "device", "string"),
)
Kicked.FIELDS = (
    Field(1, "code", "string"),
    Field(2, "text", "string"),
)
GoAway.FIELDS = (
    Field(1, "nodes", "string", repeated=True),
)
Send.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "client_message_id", "bytes"),
    Field(3, "after", "bytes"),
    Field(4, "body", "message", message=Body),
)
Body.FIELDS = (
    Field(1, "kind", "uint32"),
    Field(2, "content", "bytes"),
    Field(30, "context", "message", message=Context),
)
SendAck.FIELDS = (
    Field(1, "client_message_id", "bytes"),
    Field(2, "seq", "uint64"),
    Field(3, "time_ms", "uint64"),
    Field(4, "duplicate", "bool"),
    Field(5, "conversation", "string"),
)
Schedule.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "client_message_id", "bytes"),
    Field(3, "body", "message", message=Body),
    Field(4, "deliver_at_ms", "uint64"),
)
Scheduled.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "client_message_id", "bytes"),
    Field(3, "deliver_at_ms", "uint64"),
    Field(4, "duplicate", "bool"),
    Field(5, "seq", "uint64"),
    Field(6, "time_ms", "uint64"),
)
ListScheduled.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "after", "bytes"),
    Field(3, "limit", "uint32"),
)
ScheduledList.FIELDS = (
    Field(1, "messages", "message", message=ScheduledMessage, repeated=True),
    Field(2, "more", "bool"),
)
ScheduledMessage.FIELDS = (
    Field(1, "client_message_id", "bytes"),
    Field(2, "body", "message", message=Body),
    Field(3, "deliver_at_ms", "uint64"),
    Field(4, "refused", "string"),
)
CancelScheduled.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "client_message_id", "bytes"),
)
Created.FIELDS = (
    Field(1, "name", "string"),
)
Renamed.FIELDS = (
    Field(1, "name", "string"),
)
Added.FIELDS = (
    Field(1, "users", "uint64", repeated=True),
)
Removed.FIELDS = (
    Field(1, "user", "uint64"),
)
RoleChanged.FIELDS = (
    Field(1, "user", "uint64"),
    Field(2, "role", "enum"),
)
Reacted.FIELDS = (
    Field(1, "to", "uint64"),
    Field(2, "emoji", "string"),
    Field(3, "removed", "bool"),
)
Edited.FIELDS = (
    Field(1, "to", "uint64"),
    Field(2, "body", "message", message=Body),
)
Recalled.FIELDS = (
    Field(1, "to", "uint64"),
)
Vanished.FIELDS = (
    Field(1, "to", "uint64"),
)
StreamEnded.FIELDS = (
    Field(1, "to", "uint64"),
    Field(2, "body", "message", message=Body),
    Field(3, "aborted", "bool"),
)
Voted.FIELDS = (
    Field(1, "to", "uint64"),
    Field(2, "options", "uint32", repeated=True),
    Field(3, "removed", "bool"),
)
PollClosed.FIELDS = (
    Field(1, "to", "uint64"),
    Field(2, "voters", "uint32"),
    Field(3, "counts", "uint32", repeated=True),
)
Muted.FIELDS = (
    Field(1, "user", "uint64"),
    Field(2, "until_ms", "uint64"),
)
Banned.FIELDS = (
    Field(1, "user", "uint64"),
    Field(2, "lifted", "bool"),
)
Transferred.FIELDS = (
    Field(1, "to", "uint64"),
)
LinkMade.FIELDS = (
    Field(1, "hash", "bytes"),
    Field(2, "uses", "uint32"),
    Field(3, "expires_ms", "uint64"),
)
LinkRevoked.FIELDS = (
    Field(1, "link", "uint64"),
)
JoinClosed.FIELDS = (
    Field(1, "user", "uint64"),
)
Pinned.FIELDS = (
    Field(1, "to", "uint64"),
    Field(2, "removed", "bool"),
)
CallStarted.FIELDS = (
    Field(1, "video", "bool"),
    Field(2, "device", "uint64"),
)
CallAnswered.FIELDS = (
    Field(1, "call", "uint64"),
    Field(2, "device", "uint64"),
)
CallEnded.FIELDS = (
    Field(1, "call", "uint64"),
    Field(2, "caller", "uint64"),
    Field(3, "video", "bool"),
    Field(4, "outcome", "enum"),
    Field(5, "lasted_ms", "uint64"),
)
EventPush.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "event", "message", message=WireEvent),
)
Acknowledge.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "seq", "uint64"),
)
MarkRead.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "seq", "uint64"),
)
CursorPush.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "user_id", "uint64"),
    Field(3, "delivered", "uint64"),
    Field(4, "read", "uint64"),
)
Fetch.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "seq", "uint64"),
    Field(3, "backward", "bool"),
    Field(4, "limit", "uint32"),
)
Page.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "events", "message", message=WireEvent, repeated=True),
    Field(3, "head", "uint64"),
    Field(4, "more", "bool"),
    Field(5, "reactions", "message", message=Reactions, repeated=True),
    Field(20, "states", "message", message=MessageState, repeated=True),
    Field(30, "polls", "message", message=PollState, repeated=True),
)
MessageState.FIELDS = (
    Field(1, "seq", "uint64"),
    Field(2, "erased", "bool"),
    Field(3, "edits", "uint64", repeated=True),
    Field(4, "body", "message", message=Body),
    Field(150, "streaming", "bool"),
    Field(151, "pieces", "uint64"),
    Field(160, "deleted", "bool"),
)
PollState.FIELDS = (
    Field(1, "seq", "uint64"),
    Field(2, "counts", "uint32", repeated=True),
    Field(3, "voters", "uint32"),
    Field(4, "mine", "uint32", repeated=True),
    Field(5, "closed", "bool"),
)
Reactions.FIELDS = (
    Field(1, "seq", "uint64"),
    Field(2, "counts", "message", message=Reaction, repeated=True),
)
Reaction.FIELDS = (
    Field(1, "emoji", "string"),
    Field(2, "users", "uint64"),
    Field(3, "mine", "bool"),
)
Search.FIELDS = (
    Field(1, "query", "string"),
    Field(2, "sender", "uint64"),
    Field(3, "kind", "uint32"),
    Field(4, "after_ms", "uint64"),
    Field(5, "before_ms", "uint64"),
    Field(6, "limit", "uint32"),
    Field(7, "page", "string"),
    Field(8, "conversations", "string", repeated=True),
    Field(9, "rows", "uint32"),
)
Found.FIELDS = (
    Field(1, "messages", "message", message=FoundMessage, repeated=True),
    Field(2, "page", "string"),
    Field(3, "incomplete", "string", repeated=True),
    Field(4, "rows", "uint32"),
)
FoundMessage.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "seq", "uint64"),
    Field(3, "time_ms", "uint64"),
    Field(4, "sender", "uint64"),
    Field(5, "kind", "uint32"),
    Field(6, "snippet", "string"),
    Field(7, "places", "uint32", repeated=True),
)
React.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "conversation", "string"),
    Field(3, "seq", "uint64"),
    Field(4, "emoji", "string"),
    Field(5, "remove", "bool"),
)
EditMessage.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "conversation", "string"),
    Field(3, "seq", "uint64"),
    Field(4, "body", "message", message=Body),
)
RecallMessage.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "conversation", "string"),
    Field(3, "seq", "uint64"),
)
Vote.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "conversation", "string"),
    Field(3, "seq", "uint64"),
    Field(4, "options", "uint32", repeated=True),
    Field(5, "remove", "bool"),
)
ClosePoll.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "conversation", "string"),
    Field(3, "seq", "uint64"),
)
ListVotes.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "seq", "uint64"),
    Field(3, "after", "uint64"),
    Field(4, "limit", "uint32"),
)
Votes.FIELDS = (
    Field(1, "votes", "message", message=UserVote, repeated=True),
    Field(2, "more", "bool"),
)
UserVote.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "options", "uint32", repeated=True),
)
Forward.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "from_", "string"),
    Field(3, "seqs", "uint64", repeated=True),
    Field(4, "to", "string", repeated=True),
    Field(5, "bundle", "bool"),
    Field(6, "text", "string"),
)
Broadcast.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "body", "message", message=Body),
    Field(3, "after", "uint64"),
    Field(4, "limit", "uint32"),
)
Forwarded.FIELDS = (
    Field(1, "outcomes", "message", message=ForwardOutcome, repeated=True),
    Field(2, "next", "uint64"),
)
ForwardOutcome.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "acks", "message", message=SendAck, repeated=True),
    Field(3, "failure", "message", message=Failure),
)
WritePiece.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "seq", "uint64"),
    Field(3, "index", "uint64"),
    Field(4, "text", "string"),
)
StreamPiece.FIELDS = (
    Field(1, "message", "uint64"),
    Field(2, "index", "uint64"),
    Field(3, "text", "string"),
)
EndStream.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "conversation", "string"),
    Field(3, "seq", "uint64"),
    Field(4, "text", "string"),
    Field(5, "aborted", "bool"),
)
Signal.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "kind", "uint32"),
    Field(3, "payload", "bytes"),
    Field(4, "device", "uint64"),
)
SignalPush.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "user_id", "uint64"),
    Field(3, "device", "uint64"),
    Field(4, "kind", "uint32"),
    Field(5, "payload", "bytes"),
    Field(6, "seq", "uint64"),
)
Call.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "conversation", "string"),
    Field(3, "start", "message", message=StartCall, explicit=True, oneof="step"),
    Field(4, "answer", "message", message=AnswerCall, explicit=True, oneof="step"),
    Field(5, "end", "uint64", explicit=True, oneof="step"),
)
StartCall.FIELDS = (
    Field(1, "video", "bool"),
)
AnswerCall.FIELDS = (
    Field(1, "call", "uint64"),
    Field(2, "answer", "enum"),
)
ListConversations.FIELDS = (
    Field(1, "after", "string"),
    Field(2, "limit", "uint32"),
)
GetConversations.FIELDS = (
    Field(1, "conversations", "string", repeated=True),
)
Conversations.FIELDS = (
    Field(1, "conversations", "message", message=Conversation, repeated=True),
    Field(2, "more", "bool"),
    Field(3, "unavailable", "string", repeated=True),
)
Conversation.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "name", "string"),
    Field(3, "head", "uint64"),
    Field(4, "time_ms", "uint64"),
    Field(5, "delivered", "uint64"),
    Field(6, "read", "uint64"),
    Field(7, "unread", "uint64"),
    Field(8, "members", "uint32"),
    Field(9, "role", "enum"),
    Field(10, "open", "bool"),
    Field(75, "kept", "uint64"),
    Field(160, "personal", "message", message=Personal),
    Field(161, "mentions", "uint32"),
)
Personal.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "version", "uint64"),
    Field(3, "pin", "uint64"),
    Field(4, "muted_until_ms", "uint64"),
    Field(5, "archived", "bool"),
    Field(6, "hidden", "bool"),
    Field(7, "draft", "string"),
    Field(8, "marked_unread", "bool"),
    Field(9, "cleared", "uint64"),
    Field(10, "deleted", "uint64", repeated=True),
)
ChangePersonal.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "request", "bytes"),
    Field(3, "seen", "uint64", explicit=True),
    Field(4, "pin", "uint64", explicit=True),
    Field(5, "muted_until_ms", "uint64", explicit=True),
    Field(6, "archived", "bool", explicit=True),
    Field(7, "hidden", "bool", explicit=True),
    Field(8, "draft", "string", explicit=True),
    Field(9, "marked_unread", "bool", explicit=True),
    Field(10, "clear_to", "uint64", explicit=True),
)
ShowPersonal.FIELDS = (
    Field(1, "conversation", "string"),
)
DeleteForMe.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "seqs", "uint64", repeated=True),
)
ChangeFavourite.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "conversation", "string"),
    Field(3, "seq", "uint64"),
    Field(4, "removed", "bool"),
)
ListFavourites.FIELDS = (
    Field(1, "before", "uint64"),
    Field(2, "limit", "uint32"),
)
Favourites.FIELDS = (
    Field(1, "favourites", "message", message=Favourite, repeated=True),
    Field(2, "next", "uint64"),
    Field(3, "version", "uint64"),
)
Favourite.FIELDS = (
    Field(1, "number", "uint64"),
    Field(2, "conversation", "string"),
    Field(3, "seq", "uint64"),
    Field(4, "saved_ms", "uint64"),
    Field(5, "event", "message", message=WireEvent),
    Field(6, "state", "message", message=MessageState),
    Field(7, "unavailable", "bool"),
)
FavouritePush.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "seq", "uint64"),
    Field(3, "removed", "bool"),
    Field(4, "version", "uint64"),
)
PersonalPush.FIELDS = (
    Field(1, "personal", "message", message=Personal),
)
ConversationPush.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "present", "bool"),
    Field(3, "head", "uint64"),
)
Invitations.FIELDS = (
    Field(1, "invitations", "message", message=Invitation, repeated=True),
)
Invitation.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "name", "string"),
    Field(3, "invited_by", "uint64"),
    Field(4, "seq", "uint64"),
    Field(5, "created_ms", "uint64"),
)
InvitationPush.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "invited_by", "uint64"),
)
AcceptInvitation.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "seq", "uint64"),
    Field(120, "decline", "bool"),
)
CreateGroup.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "name", "string"),
    Field(3, "open", "bool"),
    Field(4, "members", "uint64", repeated=True),
)
GroupCreated.FIELDS = (
    Field(1, "conversation", "string"),
)
ChangeGroup.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "conversation", "string"),
    Field(3, "rename", "string", explicit=True, oneof="change"),
    Field(4, "add", "message", message=AddMembers, explicit=True, oneof="change"),
    Field(5, "remove", "uint64", explicit=True, oneof="change"),
    Field(6, "leave", "message", message=Done, explicit=True, oneof="change"),
    Field(7, "join", "message", message=Done, explicit=True, oneof="change"),
    Field(8, "set_role", "message", message=RoleChanged, explicit=True, oneof="change"),
    Field(50, "set", "message", message=GroupSettings, explicit=True, oneof="change"),
    Field(51, "mute", "message", message=Muted, explicit=True, oneof="change"),
    Field(52, "ban", "message", message=Banned, explicit=True, oneof="change"),
    Field(53, "transfer", "uint64", explicit=True, oneof="change"),
    Field(54, "disband", "message", message=Done, explicit=True, oneof="change"),
    Field(55, "make_link", "message", message=NewLink, explicit=True, oneof="change"),
    Field(56, "revoke_link", "uint64", explicit=True, oneof="change"),
    Field(57, "join_link", "string", explicit=True, oneof="change"),
    Field(58, "ask_to_join", "string", explicit=True, oneof="change"),
    Field(59, "answer_request", "message", message=AnswerRequest, explicit=True, oneof="change"),
    Field(60, "withdraw", "message", message=Done, explicit=True, oneof="change"),
)
AddMembers.FIELDS = (
    Field(1, "users", "uint64", repeated=True),
)
AnswerRequest.FIELDS = (
    Field(1, "user", "uint64"),
    Field(2, "accept", "bool"),
)
GroupSettings.FIELDS = (
    Field(1, "name", "string", explicit=True),
    Field(2, "notice", "string", explicit=True),
    Field(3, "avatar", "string", explicit=True),
    Field(4, "join", "enum"),
    Field(5, "history", "enum"),
    Field(6, "slow_seconds", "uint64", explicit=True),
    Field(7, "muted_until_ms", "uint64", explicit=True),
    Field(8, "permissions", "message", message=Permission, repeated=True),
    Field(9, "no_contact", "bool", explicit=True),
    Field(100, "retention_seconds", "uint64", explicit=True),
)
Permission.FIELDS = (
    Field(1, "act", "enum"),
    Field(2, "role", "enum"),
)
ShowGroup.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "user_id", "uint64"),
)
Group.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "settings", "message", message=GroupSettings),
    Field(3, "notice_by", "uint64"),
    Field(4, "notice_ms", "uint64"),
    Field(5, "bans", "uint32"),
    Field(6, "meeting", "enum"),
)
NewLink.FIELDS = (
    Field(1, "code", "string"),
    Field(2, "uses", "uint32"),
    Field(3, "expires_ms", "uint64"),
)
ListLinks.FIELDS = (
    Field(1, "conversation", "string"),
)
Links.FIELDS = (
    Field(1, "links", "message", message=Link, repeated=True),
)
Link.FIELDS = (
    Field(1, "link", "uint64"),
    Field(2, "by", "uint64"),
    Field(3, "created_ms", "uint64"),
    Field(4, "expires_ms", "uint64"),
    Field(5, "uses", "uint32"),
    Field(6, "used", "uint32"),
)
PreviewLink.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "code", "string"),
)
LinkPreview.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "name", "string"),
    Field(3, "avatar", "string"),
    Field(4, "notice", "string"),
    Field(5, "members", "uint32"),
)
CreateUpload.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "upload", "bytes"),
    Field(3, "name", "string"),
    Field(4, "media_type", "string"),
    Field(5, "size", "uint64"),
    Field(6, "hash", "bytes"),
)
WriteChunk.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "upload", "bytes"),
    Field(3, "offset", "uint64"),
    Field(4, "content", "bytes"),
)
GetUpload.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "upload", "bytes"),
)
CancelUpload.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "upload", "bytes"),
)
Upload.FIELDS = (
    Field(1, "received", "uint64"),
    Field(2, "size", "uint64"),
    Field(3, "hash", "bytes"),
    Field(4, "expires_ms", "uint64"),
)
ReadPreview.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "hash", "bytes"),
)
Preview.FIELDS = (
    Field(1, "content", "bytes"),
    Field(2, "is_kept", "bool"),
    Field(3, "size", "uint64"),
    Field(4, "media_type", "string"),
)
ListFiles.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "before", "uint64"),
    Field(3, "kind", "uint32"),
    Field(4, "limit", "uint32"),
)
FileMessages.FIELDS = (
    Field(1, "events", "message", message=WireEvent, repeated=True),
    Field(2, "states", "message", message=MessageState, repeated=True),
    Field(3, "next", "uint64"),
)
Usage.FIELDS = (
    Field(1, "bytes", "uint64"),
    Field(2, "reserved_bytes", "uint64"),
    Field(3, "most_bytes", "uint64"),
    Field(4, "reserved_until_ms", "uint64"),
)
ShowFile.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "hash", "bytes"),
)
File.FIELDS = (
    Field(1, "hash", "bytes"),
    Field(2, "name", "string"),
    Field(3, "media_type", "string"),
    Field(4, "size", "uint64"),
    Field(5, "by", "uint64"),
    Field(6, "time_ms", "uint64"),
    Field(7, "expires_ms", "uint64"),
)
ReadFile.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "hash", "bytes"),
    Field(3, "offset", "uint64"),
)
FilePart.FIELDS = (
    Field(1, "offset", "uint64"),
    Field(2, "content", "bytes"),
)
CheckFileLink.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "hash", "bytes"),
    Field(3, "device", "string"),
    Field(4, "expires_ms", "uint64"),
    Field(5, "signature", "bytes"),
)
ListBans.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "after", "uint64"),
    Field(3, "limit", "uint32"),
)
Bans.FIELDS = (
    Field(1, "bans", "message", message=Ban, repeated=True),
    Field(2, "more", "bool"),
)
Ban.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "by", "uint64"),
    Field(3, "time_ms", "uint64"),
)
ListReaders.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "seq", "uint64"),
    Field(3, "after", "uint64"),
    Field(4, "limit", "uint32"),
)
Readers.FIELDS = (
    Field(1, "read_by", "uint32"),
    Field(2, "seen_by", "uint32"),
    Field(3, "users", "uint64", repeated=True),
    Field(4, "more", "bool"),
)
CountReaders.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "seqs", "uint64", repeated=True),
)
ReadCounts.FIELDS = (
    Field(1, "counts", "message", message=ReadCount, repeated=True),
)
ReadCount.FIELDS = (
    Field(1, "seq", "uint64"),
    Field(2, "read_by", "uint32"),
    Field(3, "seen_by", "uint32"),
)
PinMessage.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "conversation", "string"),
    Field(3, "seq", "uint64"),
    Field(4, "remove", "bool"),
)
ListPins.FIELDS = (
    Field(1, "conversation", "string"),
)
Pins.FIELDS = (
    Field(1, "pins", "message", message=Pin, repeated=True),
)
Pin.FIELDS = (
    Field(1, "seq", "uint64"),
    Field(2, "by", "uint64"),
    Field(3, "time_ms", "uint64"),
)
ListJoinRequests.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "after", "uint64"),
    Field(3, "limit", "uint32"),
)
JoinRequests.FIELDS = (
    Field(1, "requests", "message", message=JoinRequest, repeated=True),
    Field(2, "more", "bool"),
)
JoinRequest.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "text", "string"),
    Field(3, "time_ms", "uint64"),
)
ListMembers.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "after", "uint64"),
    Field(3, "limit", "uint32"),
)
Members.FIELDS = (
    Field(1, "members", "message", message=Member, repeated=True),
    Field(2, "more", "bool"),
)
Member.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "role", "enum"),
    Field(3, "delivered", "uint64"),
    Field(4, "read", "uint64"),
    Field(50, "muted_until_ms", "uint64"),
)
FindUsers.FIELDS = (
    Field(1, "prefix", "string"),
    Field(2, "after", "string"),
    Field(3, "limit", "uint32"),
)
ListOnline.FIELDS = (
    Field(1, "after", "string"),
    Field(2, "limit", "uint32"),
)
GetUsers.FIELDS = (
    Field(1, "ids", "uint64", repeated=True),
    Field(2, "names", "string", repeated=True),
)
Users.FIELDS = (
    Field(1, "users", "message", message=User, repeated=True),
    Field(2, "more", "bool"),
)
User.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "name", "string"),
    Field(3, "online", "bool"),
    Field(50, "deleted", "bool"),
    Field(110, "last_seen_ms", "uint64"),
    Field(111, "presence_shown_to", "enum"),
    Field(120, "profile", "message", message=Profile),
    Field(140, "bot_of", "uint64"),
)
ChangePresence.FIELDS = (
    Field(1, "shown_to", "enum"),
)
Watch.FIELDS = (
    Field(1, "user_ids", "uint64", repeated=True),
)
Watched.FIELDS = (
    Field(1, "users", "message", message=PresencePush, repeated=True),
)
PresencePush.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "online", "bool"),
    Field(3, "last_seen_ms", "uint64"),
)
BotScopes.FIELDS = (
    Field(1, "read", "bool"),
    Field(2, "send", "bool"),
    Field(3, "manage", "bool"),
)
ChangeBot.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "create", "message", message=NewBot, explicit=True, oneof="change"),
    Field(3, "rotate", "uint64", explicit=True, oneof="change"),
    Field(4, "end", "uint64", explicit=True, oneof="change"),
)
NewBot.FIELDS = (
    Field(1, "name", "string"),
    Field(2, "scopes", "message", message=BotScopes),
)
Bot.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "name", "string"),
    Field(3, "scopes", "message", message=BotScopes),
    Field(4, "created_ms", "uint64"),
    Field(5, "token_set_ms", "uint64"),
    Field(6, "token", "bytes"),
)
Bots.FIELDS = (
    Field(1, "bots", "message", message=Bot, repeated=True),
)
ChangeHook.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "conversation", "string"),
    Field(3, "make", "message", message=NewHook, explicit=True, oneof="change"),
    Field(4, "end", "uint64", explicit=True, oneof="change"),
    Field(5, "retry", "message", message=RetryDead, explicit=True, oneof="change"),
)
NewHook.FIELDS = (
    Field(1, "kind", "enum"),
    Field(2, "name", "string"),
    Field(3, "secret", "string"),
    Field(4, "url", "string"),
    Field(5, "closed", "bool"),
)
RetryDead.FIELDS = (
    Field(1, "hook", "uint64"),
    Field(2, "seq", "uint64"),
)
Hook.FIELDS = (
    Field(1, "hook", "uint64"),
    Field(2, "kind", "enum"),
    Field(3, "name", "string"),
    Field(4, "by", "uint64"),
    Field(5, "created_ms", "uint64"),
    Field(6, "url", "string"),
    Field(7, "delivered", "uint64"),
    Field(8, "dead", "uint32"),
    Field(9, "closed", "bool"),
)
ListHooks.FIELDS = (
    Field(1, "conversation", "string"),
)
Hooks.FIELDS = (
    Field(1, "hooks", "message", message=Hook, repeated=True),
)
ListDead.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "hook", "uint64"),
    Field(3, "after", "uint64"),
    Field(4, "limit", "uint32"),
)
DeadEvents.FIELDS = (
    Field(1, "events", "message", message=DeadEvent, repeated=True),
    Field(2, "more", "bool"),
)
DeadEvent.FIELDS = (
    Field(1, "seq", "uint64"),
    Field(2, "attempts", "uint32"),
    Field(3, "status", "uint32"),
    Field(4, "why", "string"),
    Field(5, "at_ms", "uint64"),
    Field(6, "again", "bool"),
)
Profile.FIELDS = (
    Field(1, "display_name", "string"),
    Field(2, "avatar", "string"),
    Field(3, "about", "string"),
    Field(4, "language", "string"),
)
ChangeProfile.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "display_name", "string", explicit=True),
    Field(3, "avatar", "string", explicit=True),
    Field(4, "about", "string", explicit=True),
    Field(5, "language", "string", explicit=True),
    Field(6, "messages_from", "enum", explicit=True),
)
OwnProfile.FIELDS = (
    Field(1, "profile", "message", message=Profile),
    Field(2, "version", "uint64"),
    Field(3, "messages_from", "enum"),
)
ProfilePush.FIELDS = (
    Field(1, "profile", "message", message=OwnProfile),
)
ChangeContact.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "user_id", "uint64"),
    Field(3, "ask", "string", explicit=True, oneof="change"),
    Field(4, "accept", "message", message=Done, explicit=True, oneof="change"),
    Field(5, "end", "message", message=Done, explicit=True, oneof="change"),
    Field(6, "remark", "string", explicit=True, oneof="change"),
    Field(7, "block", "bool", explicit=True, oneof="change"),
)
ShowContact.FIELDS = (
    Field(1, "user_id", "uint64"),
)
ListContacts.FIELDS = (
    Field(1, "after", "uint64"),
    Field(2, "limit", "uint32"),
    Field(3, "since", "uint64"),
)
Contacts.FIELDS = (
    Field(1, "contacts", "message", message=Contact, repeated=True),
    Field(2, "next", "uint64"),
    Field(3, "version", "uint64"),
)
Contact.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "state", "enum"),
    Field(3, "text", "string"),
    Field(4, "remark", "string"),
    Field(5, "since_ms", "uint64"),
    Field(6, "version", "uint64"),
    Field(7, "blocked", "bool"),
)
ContactPush.FIELDS = (
    Field(1, "contact", "message", message=Contact),
)
ListBlocks.FIELDS = (
    Field(1, "after", "uint64"),
    Field(2, "limit", "uint32"),
)
Blocks.FIELDS = (
    Field(1, "blocks", "message", message=Block, repeated=True),
    Field(2, "more", "bool"),
)
Block.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "since_ms", "uint64"),
)
Report.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "conversation", "string"),
    Field(3, "seq", "uint64"),
    Field(4, "user_id", "uint64"),
    Field(5, "reason", "string"),
)
ChangePassword.FIELDS = (
    Field(1, "old_password", "string"),
    Field(2, "new_password", "string"),
    Field(3, "request", "bytes"),
)
Admin.FIELDS = (
    Field(1, "request", "bytes"),
    Field(2, "list_accounts", "message", message=ListAccounts, explicit=True, oneof="operation"),
    Field(3, "show_account", "string", explicit=True, oneof="operation"),
    Field(4, "create_account", "message", message=CreateAccount, explicit=True, oneof="operation"),
    Field(5, "disable_account", "string", explicit=True, oneof="operation"),
    Field(6, "enable_account", "string", explicit=True, oneof="operation"),
    Field(7, "delete_account", "string", explicit=True, oneof="operation"),
    Field(8, "reset_password", "message", message=ResetPassword, explicit=True, oneof="operation"),
    Field(9, "set_admin", "message", message=SetAdmin, explicit=True, oneof="operation"),
    Field(10, "account_sessions", "string", explicit=True, oneof="operation"),
    Field(11, "end_sessions", "message", message=EndSessions, explicit=True, oneof="operation"),
    Field(12, "create_invite", "message", message=CreateInvite, explicit=True, oneof="operation"),
    Field(13, "list_invites", "message", message=ListInvites, explicit=True, oneof="operation"),
    Field(14, "revoke_invite", "string", explicit=True, oneof="operation"),
    Field(15, "read_audit", "message", message=ReadAudit, explicit=True, oneof="operation"),
    Field(16, "show_settings", "message", message=Done, explicit=True, oneof="operation"),
    Field(17, "change_settings", "message", message=ChangeSettings, explicit=True, oneof="operation"),
    Field(18, "export", "message", message=Export, explicit=True, oneof="operation"),
    Field(19, "import_events", "message", message=Import, explicit=True, oneof="operation"),
    Field(20, "import_account", "message", message=ImportAccount, explicit=True, oneof="operation"),
    Field(21, "import_file", "message", message=ImportFile, explicit=True, oneof="operation"),
    Field(22, "import_profile", "message", message=ImportProfile, explicit=True, oneof="operation"),
    Field(23, "import_contact", "message", message=ExportedContact, explicit=True, oneof="operation"),
    Field(120, "list_reports", "message", message=ListReports, explicit=True, oneof="operation"),
    Field(121, "close_report", "message", message=CloseReport, explicit=True, oneof="operation"),
    Field(240, "set_role", "message", message=SetRole, explicit=True, oneof="operation"),
    Field(241, "list_groups", "message", message=ListGroups, explicit=True, oneof="operation"),
)
AdminAnswer.FIELDS = (
    Field(1, "done", "message", message=Done, explicit=True, oneof="answer"),
    Field(2, "accounts", "message", message=Accounts, explicit=True, oneof="answer"),
    Field(3, "sessions", "message", message=Sessions, explicit=True, oneof="answer"),
    Field(4, "invites", "message", message=Invites, explicit=True, oneof="answer"),
    Field(5, "audit", "message", message=AuditPage, explicit=True, oneof="answer"),
    Field(6, "settings", "message", message=Settings, explicit=True, oneof="answer"),
    Field(7, "exported", "message", message=Exported, explicit=True, oneof="answer"),
    Field(8, "imported", "message", message=Imported, explicit=True, oneof="answer"),
    Field(9, "upload", "message", message=Upload, explicit=True, oneof="answer"),
    Field(120, "reports", "message", message=Reports, explicit=True, oneof="answer"),
    Field(240, "groups", "message", message=Groups, explicit=True, oneof="answer"),
)
ListReports.FIELDS = (
    Field(1, "after", "uint64"),
    Field(2, "limit", "uint32"),
)
Reports.FIELDS = (
    Field(1, "reports", "message", message=ReportRow, repeated=True),
    Field(2, "more", "bool"),
)
ReportRow.FIELDS = (
    Field(1, "number", "uint64"),
    Field(2, "by", "uint64"),
    Field(3, "about", "uint64"),
    Field(4, "conversation", "string"),
    Field(5, "seq", "uint64"),
    Field(6, "excerpt", "string"),
    Field(7, "reason", "string"),
    Field(8, "created_ms", "uint64"),
)
CloseReport.FIELDS = (
    Field(1, "number", "uint64"),
    Field(2, "note", "string"),
)
ListGroups.FIELDS = (
    Field(1, "after", "string"),
    Field(2, "limit", "uint32"),
)
Groups.FIELDS = (
    Field(1, "groups", "message", message=GroupRow, repeated=True),
    Field(2, "more", "bool"),
)
GroupRow.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "name", "string"),
    Field(3, "members", "uint32"),
    Field(4, "head", "uint64"),
    Field(5, "file_bytes", "uint64"),
    Field(6, "last_ms", "uint64"),
    Field(7, "created_ms", "uint64"),
    Field(8, "open", "bool"),
    Field(9, "disbanded", "bool"),
)
SetRole.FIELDS = (
    Field(1, "account", "string"),
    Field(2, "role", "string"),
)
ListAccounts.FIELDS = (
    Field(1, "after", "uint64"),
    Field(2, "limit", "uint32"),
)
Accounts.FIELDS = (
    Field(1, "accounts", "message", message=Account, repeated=True),
    Field(2, "more", "bool"),
)
Account.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "name", "string"),
    Field(3, "status", "string"),
    Field(4, "admin", "bool"),
    Field(5, "one_time_password", "bool"),
    Field(6, "created_ms", "uint64"),
    Field(7, "password_set_ms", "uint64"),
    Field(8, "sessions", "uint32"),
    Field(9, "online", "bool"),
    Field(240, "last_login_ms", "uint64"),
    Field(241, "last_login_from", "string"),
    Field(242, "role", "string"),
)
CreateAccount.FIELDS = (
    Field(1, "name", "string"),
    Field(2, "password", "string"),
    Field(3, "admin", "bool"),
)
ResetPassword.FIELDS = (
    Field(1, "account", "string"),
    Field(2, "password", "string"),
)
SetAdmin.FIELDS = (
    Field(1, "account", "string"),
    Field(2, "admin", "bool"),
)
EndSessions.FIELDS = (
    Field(1, "account", "string"),
    Field(2, "device", "string"),
)
CreateInvite.FIELDS = (
    Field(1, "code", "string"),
    Field(2, "uses", "uint32"),
    Field(3, "expires_ms", "uint64"),
    Field(4, "note", "string"),
)
ListInvites.FIELDS = (
    Field(1, "after", "string"),
    Field(2, "limit", "uint32"),
)
Invites.FIELDS = (
    Field(1, "invites", "message", message=Invite, repeated=True),
    Field(2, "more", "bool"),
)
Invite.FIELDS = (
    Field(1, "id", "string"),
    Field(2, "created_ms", "uint64"),
    Field(3, "expires_ms", "uint64"),
    Field(4, "uses", "uint32"),
    Field(5, "used", "uint32"),
    Field(6, "revoked", "bool"),
    Field(7, "note", "string"),
    Field(8, "by", "string"),
)
ReadAudit.FIELDS = (
    Field(1, "since_ms", "uint64"),
    Field(2, "after", "message", message=AuditPlace),
    Field(3, "limit", "uint32"),
)
AuditPlace.FIELDS = (
    Field(1, "time_ms", "uint64"),
    Field(2, "slot", "uint32"),
    Field(3, "number", "uint64"),
)
AuditPage.FIELDS = (
    Field(1, "rows", "message", message=AuditRow, repeated=True),
    Field(2, "more", "bool"),
)
AuditRow.FIELDS = (
    Field(1, "place", "message", message=AuditPlace),
    Field(2, "by", "uint64"),
    Field(3, "by_name", "string"),
    Field(4, "address", "string"),
    Field(5, "action", "string"),
    Field(6, "target", "string"),
    Field(7, "detail", "string"),
)
Settings.FIELDS = (
    Field(1, "registration", "string"),
    Field(2, "session_idle_seconds", "uint64"),
    Field(3, "strangers", "string"),
    Field(20, "recall_seconds", "uint64"),
    Field(130, "file_bytes", "uint64"),
)
ChangeSettings.FIELDS = (
    Field(1, "registration", "string", explicit=True),
    Field(2, "session_idle_seconds", "uint64", explicit=True),
    Field(3, "strangers", "string", explicit=True),
    Field(20, "recall_seconds", "uint64", explicit=True),
    Field(130, "file_bytes", "uint64", explicit=True),
)
Export.FIELDS = (
    Field(1, "accounts", "message", message=ExportAccounts, explicit=True, oneof="part"),
    Field(2, "conversations", "message", message=ExportConversations, explicit=True, oneof="part"),
    Field(3, "events", "message", message=ExportEvents, explicit=True, oneof="part"),
    Field(4, "positions", "message", message=ExportPositions, explicit=True, oneof="part"),
    Field(5, "file", "message", message=ExportFile, explicit=True, oneof="part"),
    Field(6, "contacts", "message", message=ExportContacts, explicit=True, oneof="part"),
)
ExportAccounts.FIELDS = (
    Field(1, "after", "uint64"),
    Field(2, "limit", "uint32"),
    Field(3, "password_hashes", "bool"),
)
ExportConversations.FIELDS = (
    Field(1, "after", "string"),
    Field(2, "limit", "uint32"),
)
ExportEvents.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "after", "uint64"),
    Field(3, "limit", "uint32"),
)
ExportPositions.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "after", "uint64"),
    Field(3, "limit", "uint32"),
)
ExportContacts.FIELDS = (
    Field(1, "after", "uint64"),
    Field(2, "after_other", "uint64"),
    Field(3, "limit", "uint32"),
)
ExportFile.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "hash", "bytes"),
    Field(3, "offset", "uint64"),
)
Exported.FIELDS = (
    Field(1, "accounts", "message", message=ExportedAccounts, explicit=True, oneof="part"),
    Field(2, "conversations", "message", message=ExportedConversations, explicit=True, oneof="part"),
    Field(3, "events", "message", message=Page, explicit=True, oneof="part"),
    Field(4, "positions", "message", message=Members, explicit=True, oneof="part"),
    Field(5, "file", "message", message=ExportedFile, explicit=True, oneof="part"),
    Field(6, "contacts", "message", message=ExportedContacts, explicit=True, oneof="part"),
)
ExportedFile.FIELDS = (
    Field(1, "name", "string"),
    Field(2, "media_type", "string"),
    Field(3, "size", "uint64"),
    Field(4, "content", "bytes"),
)
ExportedAccounts.FIELDS = (
    Field(1, "accounts", "message", message=ExportedAccount, repeated=True),
    Field(2, "more", "bool"),
)
ExportedAccount.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "name", "string"),
    Field(3, "status", "string"),
    Field(4, "admin", "bool"),
    Field(5, "one_time_password", "bool"),
    Field(6, "created_ms", "uint64"),
    Field(7, "password_hash", "string"),
    Field(8, "born_with_cluster", "bool"),
    Field(9, "profile", "message", message=OwnProfile),
)
ExportedContacts.FIELDS = (
    Field(1, "contacts", "message", message=ExportedContact, repeated=True),
    Field(2, "more", "bool"),
    Field(3, "next", "uint64"),
    Field(4, "next_other", "uint64"),
    Field(5, "rows", "uint32"),
)
ExportedContact.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "other_id", "uint64"),
    Field(3, "wants", "bool"),
    Field(4, "text", "string"),
    Field(5, "remark", "string"),
    Field(6, "blocked", "bool"),
)
ExportedConversations.FIELDS = (
    Field(1, "conversations", "message", message=ExportedConversation, repeated=True),
    Field(2, "more", "bool"),
)
ExportedConversation.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "head", "uint64"),
    Field(3, "open", "bool"),
    Field(4, "first_sender", "uint64"),
    Field(5, "first_id", "bytes"),
)
Import.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "group_key", "bytes"),
    Field(3, "open", "bool"),
    Field(4, "source", "string"),
    Field(5, "events", "message", message=WireEvent, repeated=True),
    Field(6, "positions", "message", message=ImportPosition, repeated=True),
)
ImportPosition.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "delivered", "uint64"),
    Field(3, "read", "uint64"),
)
Imported.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "head", "uint64"),
    Field(3, "placed", "uint64"),
)
ImportFile.FIELDS = (
    Field(1, "conversation", "string"),
    Field(2, "owner", "uint64"),
    Field(3, "hash", "bytes"),
    Field(4, "name", "string"),
    Field(5, "media_type", "string"),
    Field(6, "size", "uint64"),
    Field(7, "offset", "uint64"),
    Field(8, "content", "bytes"),
)
ImportProfile.FIELDS = (
    Field(1, "user_id", "uint64"),
    Field(2, "profile", "message", message=OwnProfile),
)
ImportAccount.FIELDS = (
    Field(1, "name", "string"),
    Field(2, "password_hash", "string"),
    Field(3, "admin", "bool"),
    Field(4, "one_time_password", "bool"),
    Field(5, "created_ms", "uint64"),
)
