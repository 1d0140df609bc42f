"""Places that are taken in the order of asking, by callers in any event loop or thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque


class Places:
    """Some places, each held by one caller at a time.

    How many there are is said by each caller, since several may share them and be told otherwise.
    Whoever came first is served first, also where a later one would be content with fewer.
    """

    def __init__(self) -> None:
        self.taken = 0
        """How many are held."""
        self._lock = threading.Lock()
        self._waiting: deque[_Waiting] = deque()

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return len(self._waiting)

    def has_room(self, most: int) -> bool:
        """Return whether `take(most)` would not wait."""
        return self.taken < most and not self._waiting

    async def take(self, most: int) -> None:
        """Take one of `most` places, waiting for it if need be; `release` gives it back.

        A caller that is cancelled while it waits holds none.
        """
        with self._lock:
            if self.has_room(most):
                self.taken += 1
                return
            waiting = _Waiting(most)
            self._waiting.append(waiting)
        try:
            await waiting.served
        except BaseException:
            with self._lock:
                if waiting in self._waiting:
                    self._waiting.remove(waiting)
                else:
                    self.taken -= 1
                # Whoever stood behind may be content with what there is.
                self._serve()
            raise

    def release(self) -> None:
        """Give a place back; whoever waits longest gets it."""
        with self._lock:
            self.taken -= 1
            self._serve()

    def _serve(self) -> None:
        while self._waiting and self.taken < self._waiting[0].most:
            if self._waiting.popleft().serve():
                self.taken += 1


class _Waiting:
    """A caller that waits, in its own event loop."""

    __slots__ = ("_loop", "most", "served")

    def __init__(self, most: int) -> None:
        self._loop = asyncio.get_running_loop()
        self.most = most
        self.served: asyncio.Future[None] = self._loop.create_future()

    def serve(self) -> bool:
        """Wake the caller; return False where its loop is gone, and the caller with it."""
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:
            return False
        return True

    def _wake(self) -> None:
        if not self.served.done():
            self.served.set_result(None)
