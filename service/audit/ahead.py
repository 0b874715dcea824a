"""Asking ahead: while answers are worked on, the node is asked the next questions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


def ahead(
    questions: Iterable[Question],
    ask: Callable[[Question], Answer],
    depth: int,
    *,
    at_once: int = 1,
) -> Generator[tuple[Question, Answer], None, None]:
    """Yield questions and their answers, in order; what `ask` raises is raised here.

    Whoever may leave before the end closes it, and the thread is gone.

    Parameters
    ----------
    questions
        Taken so many ahead, in the caller's thread.
    ask
        Called in other threads, for one question after the other.
    depth
        Answers that wait at most.
    at_once
        Questions that are asked at the same time.
    """
    waiting: deque[tuple[Question, Future[Answer]]] = deque()
    thread = ThreadPoolExecutor(at_once, thread_name_prefix="ask")
    try:
        for question in questions:
            waiting.append((question, thread.submit(ask, question)))
            if len(waiting) > depth:
                asked, answer = waiting.popleft()
                yield asked, answer.result()
        while waiting:
            asked, answer = waiting.popleft()
            yield asked, answer.result()
    finally:
        thread.shutdown(wait=True, cancel_futures=True)
