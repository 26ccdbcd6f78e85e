"""Text that noise rewrote, and its tokens: made once, before anything is trained, and shared by all seeds and studies.

A version is named by what made it, so that another dose, seed or text is another folder, and what is there is never
made again. It has the same documents in the same order as the text without noise, and its tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dq.config import fingerprint
from dq.executors import QUIET, Executor, LocalExecutor, Progress
from dq.stages.base import View
from dq.stages.cleaned import make_version
from dq.stages.read import Documents
from dq.stages.tokens import RewrittenTokens, count_parts, tokenize_rewritten
from dq.text import Cleaner
from dq.variants.ingredient import Layer
from dq.variants.kind import Kind


def rewrite_texts(
    view: View, kinds: Iterable[Kind], *, executor: Executor | None = None, progress: Progress = QUIET
) -> None:
    """Make the token pools that variants of these kinds read, or find that they are there."""
    executor = executor or LocalExecutor()
    chains = {_names(view, one.texts): one.texts for kind in kinds for one in kind.composition() if one.texts}
    for names, texts in chains.items():
        shards = len(view.open(Documents, "trained").shards)
        with progress.step(f"noise: {texts[-1].label}", unit="shards", total=shards * len(names)) as step:
            for of, version, cleaner in _versions(view, texts):
                make_version(view, cleaner, of=of, version=version, executor=executor, step=step)
        with progress.step(f"tokens: {texts[-1].label}", unit="parts", total=count_parts(view, names[-1])) as step:
            tokenize_rewritten(view, names, executor=executor, step=step)


def open_rewritten(view: View, texts: tuple[Layer, ...]) -> RewrittenTokens:
    """The pool of documents whose text these layers rewrote; raises WorkspaceError where it has not been made."""
    return view.open(RewrittenTokens, version_of(view, texts))


def is_rewritten(view: View, texts: tuple[Layer, ...]) -> bool:
    """Whether that pool has been made."""
    return (RewrittenTokens.place(view, version_of(view, texts)) / "stage.json").exists()


def version_of(view: View, texts: tuple[Layer, ...]) -> str:
    """The name of the text version that these layers make."""
    return _names(view, texts)[-1]


def _names(view: View, texts: tuple[Layer, ...]) -> tuple[str, ...]:
    return tuple(version for _, version, _ in _versions(view, texts))


def _versions(view: View, texts: tuple[Layer, ...]) -> Iterator[tuple[str, str, Cleaner]]:
    """Of each layer the version that it rewrites, the one that it makes, and what makes it."""
    of = view.texts.trained
    for layer in texts:
        cleaner = layer.cleaner
        assert cleaner is not None, "a layer that rewrites text"
        identity = fingerprint([of, cleaner.name, cleaner.version, dict(cleaner.config())])
        version = f"{cleaner.name}_{identity[:12]}"
        yield of, version, cleaner
        of = version
