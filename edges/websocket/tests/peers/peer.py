"""The package `websockets` of Python as a client: JSON and binary, fragments, ping, close."""

import asyncio
import base64
import json
import sys

import websockets

URL = f"ws://{sys.argv[1]}/v1/ws"
PASSWORD = "the password of a peer"


async def ask(socket, request_id, name, request):
    await socket.send(json.dumps({"request_id": request_id, name: request}))
    while True:
        answer = json.loads(await socket.recv())
        if answer.get("request_id") == request_id:
            return answer


async def main():
    async with websockets.connect(URL) as socket:
        assert "welcome" in await ask(socket, "1", "hello", {"min_version": 1, "max_version": 1})
        register = {"name": "python-ws", "password": PASSWORD, "request": "BgAAAAAAAAAAAAAAAAAAAA=="}
        assert "registered" in await ask(socket, "2", "register", register)
        login = {"name": "python-ws", "password": PASSWORD, "device": "python"}
        assert "token" in (await ask(socket, "3", "login", login))["logged_in"]
        body = {"kind": 1, "content": base64.b64encode("hello from Python".encode()).decode()}
        send = {"conversation": "everyone", "client_message_id": "BwAAAAAAAAAAAAAAAAAAAA==", "body": body}
        text = json.dumps({"request_id": "4", "send": send})
        await socket.send([text[:20], text[20:50], text[50:]])
        while "send_ack" not in json.loads(await socket.recv()):
            pass
        await asyncio.wait_for(await socket.ping("are you there"), 5)
    assert socket.close_code == 1000, socket.close_code
    async with websockets.connect(URL) as socket:
        await socket.send(bytes([0x08, 0x01, 0x12, 0x04, 0x08, 0x01, 0x10, 0x01]))
        welcome = await socket.recv()
        assert isinstance(welcome, bytes) and welcome[:3] == bytes([0x08, 0x01, 0x1A])
        await socket.send(b"\xff\xff\xff")
        try:
            while True:
                await socket.recv()
        except websockets.ConnectionClosed:
            assert socket.close_code == 1007, socket.close_code
    print("ok python-websockets")


asyncio.run(asyncio.wait_for(main(), 60))
