"""The golden stories, each with a store in memory and one on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import troupe
import virtual
from story import STORIES, Player

NAMES = sorted(path.stem for path in STORIES.glob("*.json"))


class InMemory:
    def __init__(self) -> None:
        self._store = troupe.MemoryStore()

    def open(self) -> troupe.Store:
        return self._store


class OnDisk:
    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> troupe.Store:
        return troupe.SqliteStore(self._path)


@pytest.mark.parametrize("disk", [False, True], ids=["memory", "disk"])
@pytest.mark.parametrize("name", NAMES)
def test_story(name: str, disk: bool, tmp_path: Path) -> None:
    story = json.loads((STORIES / f"{name}.json").read_text(encoding="utf-8"))
    assert story["name"] == name
    memory = OnDisk(tmp_path / "alice.db") if disk else InMemory()

    async def play() -> None:
        await Player(story, memory).play()

    virtual.run(play())


def test_there_are_stories() -> None:
    assert len(NAMES) >= 15
