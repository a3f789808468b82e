"""Kinds of signals. Those from `OF_APPLICATIONS` on belong to applications."""

# The sender types. Show it for a few seconds.
TYPING = 1
# The sender does neither any more.
STOPPED = 2
# The sender records a voice message.
RECORDING = 3
# A device of the called user rings.
RINGING = 9
# A session description, and a candidate, of WebRTC.
DESCRIPTION = 10
CANDIDATE = 11
# A stream has grown; the payload is a `wire.StreamPiece`. Only nodes send it.
PIECE = 90
OF_APPLICATIONS = 1_000
