"""tuspy, a client of tus 1.0, unchanged: uploads to real nodes, one of which is killed."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from cluster import PROGRAM, Demo
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

pytestmark = pytest.mark.skipif(not PROGRAM, reason="TROUPE does not name the program of the nodes")
# Not a multiple of a chunk of the server.
PIECE = 100_000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with Demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


def ask(url: str, token: str = "", body: object = None) -> tuple[Any, bytes]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as answer:
        return answer.headers, answer.read()


def log_in(node: str, demo: Demo, device: str) -> str:
    account = demo.accounts[0]
    body = {"name": account.name, "password": account.password, "device": device}
    return str(json.loads(ask(f"http://{node}/v1/login", body=body)[1])["token"])


def begin(node: str, token: str, content: bytes) -> str:
    body = {"conversation": "everyone", "name": "a.bin", "size": len(content)}
    return str(ask(f"http://{node}/v1/uploads", token, body)[0]["Location"])


def test_an_upload_is_written_and_read(demo: Demo) -> None:
    node = demo.http[0]
    token = log_in(node, demo, "tus")
    content = os.urandom(3 * PIECE + 1)
    location = begin(node, token, content)
    client = TusClient(f"http://{node}/v1/uploads", headers={"Authorization": f"Bearer {token}"})
    uploader = client.uploader(file_stream=BytesIO(content), url=f"http://{node}{location}", chunk_size=PIECE)
    uploader.upload()
    assert uploader.offset == len(content)
    file = json.loads(ask(f"http://{node}{location}", token)[1])["file"]
    assert ask(f"http://{node}/v1/files/{file}?conversation=everyone", token)[1] == content


def test_an_upload_goes_on_at_another_node(demo: Demo) -> None:
    first, second = demo.http[0], demo.http[1]
    token = log_in(second, demo, "tus-moving")
    content = os.urandom(2 * PIECE + 7)
    location = begin(first, token, content)
    client = TusClient("", headers={"Authorization": f"Bearer {token}"})
    uploader = client.uploader(file_stream=BytesIO(content), url=f"http://{first}{location}", chunk_size=PIECE)
    uploader.upload_chunk()
    assert uploader.offset == PIECE
    demo.order("kill", "1")
    # The new uploader asks how far the upload has come.
    deadline = time.monotonic() + 30
    while True:
        again = client.uploader(file_stream=BytesIO(content), url=f"http://{second}{location}", chunk_size=PIECE, retries=20)
        try:
            again.upload()
            break
        except TusCommunicationError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    file = json.loads(ask(f"http://{second}{location}", token)[1])["file"]
    assert ask(f"http://{second}/v1/files/{file}?conversation=everyone", token)[1] == content
    demo.ready()
