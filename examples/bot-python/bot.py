"""Answers private texts. TROUPE_PASSWORD=... python bot.py helper 127.0.0.1:7700"""

import asyncio
import os
import sys

from troupe import Client, EventReceived, SqliteStore


async def main(name: str, *nodes: str) -> None:
    client = Client(nodes, name=name, password=os.environ["TROUPE_PASSWORD"], device="bot", store=SqliteStore(f"{name}.db"))
    async with client:
        print(f"{name} answers", flush=True)
        while incoming := await client.events.receive():
            if isinstance(incoming, EventReceived) and incoming.conversation.startswith("d"):
                event = incoming.event
                if event.text and event.sender != client.user:
                    # A question that arrives again after a crash gets the same answer id: one answer.
                    client.send(incoming.conversation, f"echo: {event.text}", id=b"answer: %8d" % event.seq)
            client.events.processed(incoming)


asyncio.run(main(*sys.argv[1:]))
