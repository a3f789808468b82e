"""Limits of docs/protocol.md that a client keeps. A test compares them with that page."""

MESSAGE_BYTES = 65_536
FRAME_BYTES = 81_920
SERVER_FRAME_BYTES = 1_048_576
CHUNK_BYTES = 65_536
FILE_BYTES = 104_857_600
DEVICE_BYTES = 64
PAGE_EVENTS = 500
PAGE_USERS = 100
PAGE_MEMBERS = 500
PAGE_CONTACTS = 200
PAGE_DEAD = 100
PAGE_CONVERSATIONS = 200
# Seconds for which an unanswered send may still commit.
DOUBT_SECONDS = 20.0
