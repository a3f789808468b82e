"""Requests around the profile of this user."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

from . import wire
from .codec import Message

_M = TypeVar("_M", bound=Message)


class PeopleRequests:
    @abstractmethod
    async def call(self, message: Message, answer: type[_M]) -> _M: ...

    @abstractmethod
    def request_id(self) -> bytes: ...

    async def profile(self) -> wire.OwnProfile:
        """The texts that this user shows of itself, and the number of their changes."""
        return await self.call(wire.ShowProfile(), wire.OwnProfile)

    async def change_profile(
        self,
        *,
        display_name: str | None = None,
        avatar: str | None = None,
        about: str | None = None,
        language: str | None = None,
        request: bytes | None = None,
    ) -> None:
        """Sets the texts that are given; an empty one erases."""
        change = wire.ChangeProfile(request or self.request_id(), display_name, avatar, about, language)
        await self.call(change, wire.Done)
