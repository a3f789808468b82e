"""All requests except sends.

Each request is safe to repeat, reads by nature and changes by their request id. It is repeated at any
node that answers, until the client's patience ends. Answers are messages of client.proto.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from . import limits, wire
from .codec import Message
from .errors import ProtocolError, TroupeError
from .event import TEXT, Event, of_wire
from .event import Message as Body
from .hooks import HookRequests
from .ids import ClientMessageId, ConversationId, Seq, UserId, conversation_id, order
from .incoming import Acked, Kicked, State
from .personal import PersonalRequests
from .signals import TYPING

_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True)
class HistoryPage:
    # Oldest first.
    events: list[Event]
    head: Seq
    # There are more events in the requested direction.
    more: bool
    # To messages of this page, by their seq, counting every event up to `head`.
    reactions: dict[Seq, list[wire.Reaction]]
    # Of messages of this page that are not as they were sent, as of `head`.
    states: dict[Seq, wire.MessageState]
    # The polls of this page that have votes or are closed, as of `head`.
    polls: dict[Seq, wire.PollState]


class Requests(HookRequests, PersonalRequests):
    @abstractmethod
    async def once(self, message: Message, answer: type[_M]) -> _M:
        """Asks the present node once. For requests that must not be repeated."""

    @property
    @abstractmethod
    def state(self) -> State: ...

    # ---- sessions

    async def logout(self) -> None:
        """Ends this session everywhere. The client stops."""
        try:
            await self.call(wire.Logout(), wire.Done)
        except TroupeError:
            # The last frame may be the kick instead of the answer.
            if not isinstance(self.state, Kicked):
                raise

    async def sessions(self) -> list[wire.Session]:
        return (await self.call(wire.ListSessions(), wire.Sessions)).sessions

    async def revoke(self, device: str) -> None:
        """Logs out another device of this user."""
        await self.call(wire.RevokeSession(device), wire.Done)

    async def change_password(self, old: str, new: str) -> None:
        """Ends the sessions of the other devices."""
        await self.call(wire.ChangePassword(old, new, self.request_id()), wire.Done)

    # ---- conversations

    async def conversations(self) -> tuple[list[wire.Conversation], list[ConversationId]]:
        """The whole list, and the conversations whose shard does not answer now: ask again."""
        lines: list[wire.Conversation] = []
        unavailable: list[ConversationId] = []
        after = ""
        while True:
            message = wire.ListConversations(after, limits.PAGE_CONVERSATIONS)
            page = await self.call(message, wire.Conversations)
            lines.extend(page.conversations)
            unavailable.extend(conversation_id(one) for one in page.unavailable)
            # A page may hold only unavailable conversations. The next page begins after the last of
            # both.
            last = max([line.conversation for line in page.conversations] + page.unavailable, key=order, default="")
            if not page.more or not last or (after and order(last) <= order(after)):
                return lines, unavailable
            after = last

    async def history_after(self, conversation: str, seq: int = 0, limit: int = limits.PAGE_EVENTS) -> HistoryPage:
        """Up to `limit` (500) events after `seq`."""
        return await self._history(conversation, seq, False, limit)

    async def history_before(self, conversation: str, seq: int = 0, limit: int = limits.PAGE_EVENTS) -> HistoryPage:
        """Up to `limit` (500) events before `seq`; zero means up to the newest."""
        return await self._history(conversation, seq, True, limit)

    async def _history(self, conversation: str, seq: int, backward: bool, limit: int) -> HistoryPage:
        message = wire.Fetch(conversation, seq, backward, min(limit, limits.PAGE_EVENTS))
        page = await self.call(message, wire.Page)
        reactions = {Seq(line.seq): line.counts for line in page.reactions}
        states = {Seq(state.seq): state for state in page.states}
        polls = {Seq(poll.seq): poll for poll in page.polls}
        events = [of_wire(event) for event in page.events]
        return HistoryPage(events, Seq(page.head), page.more, reactions, states, polls)

    async def mark_read(self, conversation: str, seq: int) -> None:
        """Tells the members that this user has read up to `seq`."""
        await self.call(wire.MarkRead(conversation, seq), wire.Done)

    async def react(
        self, conversation: str, seq: int, emoji: str, *, remove: bool = False, request: bytes | None = None
    ) -> Acked:
        """Gives a reaction to a message, or takes it back. It is an event of the conversation's log."""
        message = wire.React(request or self.request_id(), conversation, seq, emoji, remove)
        ack = await self.call(message, wire.SendAck)
        return Acked(ClientMessageId(message.request), Seq(ack.seq), ack.time_ms)

    async def schedule(
        self, conversation: str, body: wire.Body, deliver_at_ms: int, *, request: bytes | None = None
    ) -> wire.Scheduled:
        """Keeps a message until its time, at most a year ahead. The cluster sends it then, without this client."""
        message = wire.Schedule(conversation, request or self.request_id(), body, deliver_at_ms)
        return await self.call(message, wire.Scheduled)

    async def scheduled(self, conversation: str) -> list[wire.ScheduledMessage]:
        """The user's messages that wait there, and those refused in the last week, in order of their ids."""
        messages: list[wire.ScheduledMessage] = []
        after = b""
        while True:
            page = await self.call(wire.ListScheduled(conversation, after), wire.ScheduledList)
            messages.extend(page.messages)
            last = page.messages[-1].client_message_id if page.messages else b""
            if not page.more or last <= after:
                return messages
            after = last

    async def cancel_scheduled(self, conversation: str, client_message_id: bytes) -> None:
        """Takes a message back before its time, or a refused one off the list."""
        await self.call(wire.CancelScheduled(conversation, client_message_id), wire.Done)

    async def send_typing(self, conversation: str) -> None:
        """Tells the other members that this user types. Repeat it every few seconds while that lasts."""
        await self.signal(conversation, TYPING)

    async def signal(self, conversation: str, kind: int, payload: bytes = b"", *, device: int = 0) -> None:
        """Sends a signal to the devices of the other members that are connected now.

        In a direct conversation `device` names the only one to get it. A signal is never repeated: it
        arrives at most once, or not at all. `troupe.signals` has the kinds.
        """
        await self.once(wire.Signal(conversation, kind, payload, device), wire.Done)

    async def start_call(self, conversation: str, *, video: bool = False, request: bytes | None = None) -> Acked:
        """Calls the other user of a direct conversation, whose devices ring for a minute.

        The seq of the answer names the call.
        """
        return await self._step(wire.Call(request or self.request_id(), conversation, start=wire.StartCall(video)))

    async def answer_call(
        self, conversation: str, call: int, answer: wire.CallAnswer, *, request: bytes | None = None
    ) -> Acked:
        """Takes a call, or refuses it. One device takes it: all others get `already_answered`."""
        answered = wire.AnswerCall(call, answer)
        return await self._step(wire.Call(request or self.request_id(), conversation, answer=answered))

    async def end_call(self, conversation: str, call: int, *, request: bytes | None = None) -> Acked:
        """Hangs up, or takes a call back that rings."""
        return await self._step(wire.Call(request or self.request_id(), conversation, end=call))

    async def edit(
        self, conversation: str, seq: int, text: str | Body, *, request: bytes | None = None
    ) -> Acked:
        """Gives an own message another text, or another body of the kind that it has."""
        body = wire.Body(TEXT, text.encode()) if isinstance(text, str) else wire.Body(text.kind, text.content)
        message = wire.EditMessage(request or self.request_id(), conversation, seq, body)
        return await self._step(message)

    async def recall(self, conversation: str, seq: int, *, request: bytes | None = None) -> Acked:
        """Erases the content of a message. Senders may for a time, admins of a group always."""
        return await self._step(wire.RecallMessage(request or self.request_id(), conversation, seq))

    async def vote(
        self, conversation: str, poll: int, options: Sequence[int], *, request: bytes | None = None
    ) -> Acked:
        """Votes in a poll, or changes the vote. The options count from 0."""
        message = wire.Vote(request or self.request_id(), conversation, poll, sorted(options))
        return await self._step(message)

    async def take_vote_back(self, conversation: str, poll: int, *, request: bytes | None = None) -> Acked:
        return await self._step(wire.Vote(request or self.request_id(), conversation, poll, remove=True))

    async def close_poll(self, conversation: str, poll: int, *, request: bytes | None = None) -> Acked:
        """Its sender closes a poll, and admins of a group."""
        return await self._step(wire.ClosePoll(request or self.request_id(), conversation, poll))

    async def forward(
        self,
        from_: str,
        seqs: Sequence[int],
        to: Sequence[str],
        *,
        bundle: bool = False,
        text: str = "",
        request: bytes | None = None,
    ) -> list[wire.ForwardOutcome]:
        """Sends messages that this user sees to other conversations, nothing twice under one request."""
        message = wire.Forward(request or self.request_id(), from_, list(seqs), list(to), bundle, text)
        return (await self.call(message, wire.Forwarded)).outcomes

    async def broadcast(self, text: str | Body, *, request: bytes | None = None) -> list[wire.ForwardOutcome]:
        """Sends a message to the direct conversation of each contact."""
        body = wire.Body(TEXT, text.encode()) if isinstance(text, str) else wire.Body(text.kind, text.content)
        request = request or self.request_id()
        outcomes: list[wire.ForwardOutcome] = []
        after = 0
        while True:
            page = await self.call(wire.Broadcast(request, body, after), wire.Forwarded)
            outcomes.extend(page.outcomes)
            if page.next <= after:
                return outcomes
            after = page.next

    async def write_piece(self, conversation: str, seq: int, index: int, text: str) -> None:
        """Appends a piece to an own stream. `index` is the number of pieces before it: a repeat is harmless."""
        await self.call(wire.WritePiece(conversation, seq, index, text), wire.Done)

    async def end_stream(
        self, conversation: str, seq: int, text: str = "", *, aborted: bool = False, request: bytes | None = None
    ) -> Acked:
        """Ends an own stream with this text, or with what was streamed."""
        return await self._step(wire.EndStream(request or self.request_id(), conversation, seq, text, aborted))

    async def votes(self, conversation: str, poll: int) -> list[wire.UserVote]:
        """All votes of a poll that is not anonymous, in order of the ids of their users."""
        votes: list[wire.UserVote] = []
        after = 0
        while True:
            page = await self.call(wire.ListVotes(conversation, poll, after), wire.Votes)
            votes.extend(page.votes)
            last = page.votes[-1].user_id if page.votes else 0
            if not page.more or last <= after:
                return votes
            after = last

    async def _step(
        self, message: wire.Call | wire.EditMessage | wire.RecallMessage | wire.Vote | wire.ClosePoll | wire.EndStream
    ) -> Acked:
        ack = await self.call(message, wire.SendAck)
        return Acked(ClientMessageId(message.request), Seq(ack.seq), ack.time_ms)

    # ---- groups

    async def create_group(
        self, name: str, members: Sequence[UserId] = (), *, open: bool = False, request: bytes | None = None
    ) -> ConversationId:
        """Creates a group once, however often it is repeated with the same `request`."""
        message = wire.CreateGroup(request or self.request_id(), name, open, list(members))
        return conversation_id((await self.call(message, wire.GroupCreated)).conversation)

    async def rename_group(self, group: str, name: str, *, request: bytes | None = None) -> Acked:
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, rename=name))

    async def add_members(self, group: str, users: Sequence[UserId], *, request: bytes | None = None) -> Acked:
        add = wire.AddMembers(list(users))
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, add=add))

    async def remove_member(self, group: str, user: UserId, *, request: bytes | None = None) -> Acked:
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, remove=user))

    async def leave_group(self, group: str, *, request: bytes | None = None) -> Acked:
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, leave=wire.Done()))

    async def join_group(self, group: str, *, request: bytes | None = None) -> Acked:
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, join=wire.Done()))

    async def set_role(self, group: str, user: UserId, role: wire.Role, *, request: bytes | None = None) -> Acked:
        change = wire.RoleChanged(user, role)
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, set_role=change))

    async def group(self, group: str) -> wire.Group:
        """The settings of a group, all of them."""
        return await self.call(wire.ShowGroup(group), wire.Group)

    async def set_retention(self, conversation: str, seconds: int, *, request: bytes | None = None) -> Acked:
        """Lets new messages of a group or direct conversation vanish after so many seconds; 0: they stay."""
        settings = wire.GroupSettings(retention_seconds=seconds)
        return await self.set_group(conversation, settings, request=request)

    async def set_group(self, group: str, settings: wire.GroupSettings, *, request: bytes | None = None) -> Acked:
        """Changes the settings that are present."""
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, set=settings))

    async def mute(self, group: str, user: UserId, until_ms: int, *, request: bytes | None = None) -> Acked:
        """Until then the member does not speak; 0 lifts the mute."""
        mute = wire.Muted(user, until_ms)
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, mute=mute))

    async def ban(self, group: str, user: UserId, *, lift: bool = False, request: bytes | None = None) -> Acked:
        """Removes a user and keeps it out, or lifts the ban."""
        ban = wire.Banned(user, lift)
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, ban=ban))

    async def transfer_group(self, group: str, to: UserId, *, request: bytes | None = None) -> Acked:
        """Makes another member the owner; this user stays as an admin."""
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, transfer=to))

    async def disband_group(self, group: str, *, request: bytes | None = None) -> Acked:
        """Ends a group for all of its members."""
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, disband=wire.Done()))

    async def bans(self, group: str) -> list[wire.Ban]:
        """All bans, in order of the ids of their users."""
        bans: list[wire.Ban] = []
        after = 0
        while True:
            page = await self.call(wire.ListBans(group, after, limits.PAGE_MEMBERS), wire.Bans)
            bans.extend(page.bans)
            last = page.bans[-1].user_id if page.bans else 0
            if not page.more or last <= after:
                return bans
            after = last

    async def make_link(
        self, group: str, code: str, uses: int, expires_ms: int = 0, *, request: bytes | None = None
    ) -> Acked:
        """A link lets the holders of its code in. `expires_ms` 0: it does not expire."""
        link = wire.NewLink(code, uses, expires_ms)
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, make_link=link))

    async def links(self, group: str) -> list[wire.Link]:
        """Without their codes, which the cluster does not keep."""
        return (await self.call(wire.ListLinks(group), wire.Links)).links

    async def revoke_link(self, group: str, link: int, *, request: bytes | None = None) -> Acked:
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, revoke_link=link))

    async def preview_link(self, group: str, code: str) -> wire.LinkPreview:
        """What the holder of a code sees of the group before it joins."""
        return await self.call(wire.PreviewLink(group, code), wire.LinkPreview)

    async def join_by_link(self, group: str, code: str, *, request: bytes | None = None) -> Acked:
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, join_link=code))

    async def pin(self, conversation: str, seq: int, *, remove: bool = False, request: bytes | None = None) -> Acked:
        """Pins a message for all members, or takes the pin away."""
        pin = wire.PinMessage(request or self.request_id(), conversation, seq, remove)
        ack = await self.call(pin, wire.SendAck)
        return Acked(ClientMessageId(pin.request), Seq(ack.seq), ack.time_ms)

    async def pins(self, conversation: str) -> list[wire.Pin]:
        """The pinned messages that this user sees; the one that was pinned first comes first."""
        return (await self.call(wire.ListPins(conversation), wire.Pins)).pins

    async def readers(self, conversation: str, seq: int) -> list[UserId]:
        """All members that have read a message, in order of their ids. Its sender does not count."""
        users: list[UserId] = []
        after = 0
        while True:
            page = await self.call(wire.ListReaders(conversation, seq, after), wire.Readers)
            users.extend(UserId(user) for user in page.users)
            last = page.users[-1] if page.users else 0
            if not page.more or last <= after:
                return users
            after = last

    async def read_counts(self, conversation: str, seqs: Sequence[int]) -> list[wire.ReadCount]:
        """How many members see these messages, and have read them. At most 50."""
        return (await self.call(wire.CountReaders(conversation, list(seqs)), wire.ReadCounts)).counts

    async def ask_to_join(self, group: str, text: str = "", *, request: bytes | None = None) -> Acked:
        """Asks to join a group that lets users in by approval. Those that decide read the text."""
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, ask_to_join=text))

    async def withdraw_request(self, group: str, *, request: bytes | None = None) -> Acked:
        """Takes this user's own request back."""
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, withdraw=wire.Done()))

    async def answer_request(self, group: str, user: UserId, accept: bool, *, request: bytes | None = None) -> Acked:
        """Lets a user in that has asked to join, or refuses it."""
        answer = wire.AnswerRequest(user, accept)
        return await self._change(wire.ChangeGroup(request or self.request_id(), group, answer_request=answer))

    async def join_requests(self, group: str) -> list[wire.JoinRequest]:
        """All open requests to join, in order of the ids of their users. An outsider gets its own."""
        requests: list[wire.JoinRequest] = []
        after = 0
        while True:
            page = await self.call(wire.ListJoinRequests(group, after), wire.JoinRequests)
            requests.extend(page.requests)
            last = page.requests[-1].user_id if page.requests else 0
            if not page.more or last <= after:
                return requests
            after = last

    async def _change(self, change: wire.ChangeGroup) -> Acked:
        """A change is an event of the group's log."""
        ack = await self.call(change, wire.SendAck)
        return Acked(ClientMessageId(change.request), Seq(ack.seq), ack.time_ms)

    async def members(self, conversation: str) -> list[wire.Member]:
        """All members, in order of their ids."""
        members: list[wire.Member] = []
        after = 0
        while True:
            page = await self.call(wire.ListMembers(conversation, after, limits.PAGE_MEMBERS), wire.Members)
            members.extend(page.members)
            last = page.members[-1].user_id if page.members else 0
            if not page.more or last <= after:
                return members
            after = last

    async def invitations(self) -> list[wire.Invitation]:
        """Groups that strangers have added this user to, and conversations that they have begun."""
        return (await self.call(wire.ListInvitations(), wire.Invitations)).invitations

    async def accept_invitation(self, conversation: str, seq: int) -> None:
        """`seq` is the invitation's, as listed."""
        await self.call(wire.AcceptInvitation(conversation, seq), wire.Done)

    async def decline_messages(self, conversation: str, seq: int) -> None:
        """The direct conversation of a stranger stays unlisted. `seq` is as listed."""
        await self.call(wire.AcceptInvitation(conversation, seq, decline=True), wire.Done)

    async def decline_invitation(self, conversation: str) -> None:
        """Leaves the group, which ends the invitation."""
        await self.leave_group(conversation)

    # ---- files

    async def upload(
        self, conversation: str, name: str, content: bytes, *, media_type: str = "", upload: bytes | None = None
    ) -> bytes:
        """Uploads a file and returns its name. A repeat with the same `upload` goes on where it was."""
        upload = upload or self.request_id()
        create = wire.CreateUpload(conversation, upload, name, media_type, len(content), file_name(content))
        state = await self.call(create, wire.Upload)
        while not state.hash:
            offset = state.received
            end = offset - offset % limits.CHUNK_BYTES + limits.CHUNK_BYTES
            chunk = wire.WriteChunk(conversation, upload, offset, content[offset:end])
            state = await self.call(chunk, wire.Upload)
        return state.hash

    async def upload_state(self, conversation: str, upload: bytes) -> wire.Upload:
        return await self.call(wire.GetUpload(conversation, upload), wire.Upload)

    async def cancel_upload(self, conversation: str, upload: bytes) -> None:
        """Ends an upload. A file that has come of it stays."""
        await self.call(wire.CancelUpload(conversation, upload), wire.Done)

    async def preview(self, conversation: str, name: bytes) -> bytes:
        """A small JPEG of an image, without what its file says about place and camera."""
        return (await self.call(wire.ReadPreview(conversation, name), wire.Preview)).content

    async def files(self, conversation: str, before: int = 0, *, kind: int = 0, limit: int = 0) -> wire.FileMessages:
        """The images, voice messages, videos and files that this user sees, newest first.

        `before` is `next` of the page before; `kind` selects one kind of bodies. `states` has the present bodies
        of edited messages.
        """
        return await self.call(wire.ListFiles(conversation_id(conversation), before, kind, limit), wire.FileMessages)

    async def usage(self) -> wire.Usage:
        """The room of the user's files over all conversations, in bytes."""
        return await self.call(wire.GetUsage(), wire.Usage)

    async def file(self, conversation: str, name: bytes) -> wire.File:
        """Name, type and size of a file."""
        return await self.call(wire.ShowFile(conversation, name), wire.File)

    async def download(self, conversation: str, name: bytes) -> bytes:
        """A whole file, whose bytes have this name."""
        size = min((await self.file(conversation, name)).size, limits.FILE_BYTES)
        content = bytearray()
        while len(content) < size:
            part = await self.call(wire.ReadFile(conversation, name, len(content)), wire.FilePart)
            if not part.content:
                raise ProtocolError("a part of a file is empty")
            content += part.content
        if file_name(content) != name:
            raise ProtocolError("the file is not the one that was asked for")
        return bytes(content)

    # ---- search

    async def find_messages(
        self,
        words: str = "",
        *,
        sender: UserId | int = 0,
        kind: int = 0,
        after_ms: int = 0,
        before_ms: int = 0,
        conversations: Sequence[str] = (),
        limit: int = 0,
        page: str = "",
    ) -> wire.Found:
        """The newest messages of this user's conversations for which all conditions hold.

        One of `words`, `sender` and `kind` is needed. `page` is that of the answer before; an answer
        without one is the last.
        """
        places = [str(conversation_id(conversation)) for conversation in conversations]
        search = wire.Search(words, sender, kind, after_ms, before_ms, limit, page, places)
        return await self.call(search, wire.Found)

    # ---- people

    async def find_users(self, prefix: str, after: str = "") -> tuple[list[wire.User], bool]:
        """Users whose name begins with `prefix`, after the name `after`, and whether there are more."""
        page = await self.call(wire.FindUsers(prefix, after, limits.PAGE_USERS), wire.Users)
        return page.users, page.more

    async def online_users(self, after: str = "") -> tuple[list[wire.User], bool]:
        page = await self.call(wire.ListOnline(after, limits.PAGE_USERS), wire.Users)
        return page.users, page.more

    async def get_users(self, ids: Sequence[UserId] = (), names: Sequence[str] = ()) -> list[wire.User]:
        """The users with these ids and names. Unknown ones are omitted."""
        return (await self.call(wire.GetUsers(list(ids), list(names)), wire.Users)).users


def file_name(content: bytes | bytearray) -> bytes:
    """The name of a file: a chain over the SHA-256 of its chunks. Empty without bytes."""
    name = b""
    for start in range(0, len(content), limits.CHUNK_BYTES):
        chunk = sha256(content[start : start + limits.CHUNK_BYTES]).digest()
        name = sha256(name + chunk).digest()
    return name
