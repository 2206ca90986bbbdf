"""Kernels: functions that numba compiles, each when it is first called.

numba takes a third of a second to import, and each function given to it looks for the folder of its cache on disk. A
program that imports a room and calls none of its kernels pays for neither, and this file alone says how all are
compiled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Set
from typing import Any, Literal, ParamSpec, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")


class Kernel:
    """A function, and what numba makes of it once it is called.

    What numba looks for in the kernels that a kernel calls (type, options, function) is answered by the dispatcher, as
    is everything else that has no name here. Threads that call first at once may each make a dispatcher; the code that
    these compile is the same.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._options = options

    @functools.cached_property
    def dispatcher(self) -> Any:
        """The function in numba's hands, which hold the machine code for each combination of argument types."""
        import numba

        return numba.njit(nogil=True, cache=True, **self._options)(self._function)

    def __call__(self, *arguments: Any) -> Any:
        """Call the compiled function."""
        return self.dispatcher(*arguments)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the dispatcher; names of Python's protocols are not worth the import of numba."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.dispatcher, name)


@overload
def kernel(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def kernel(
    *,
    inline: Literal["never", "always"] = ...,
    fastmath: Set[str] = ...,
    error_model: Literal["python", "numpy"] = ...,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def kernel(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Return the function as a kernel: compiled at its first call, without the GIL, its machine code kept on disk.

    Parameters
    ----------
    inline : {"never", "always"}
        "always" writes the function into the kernels that call it.
    fastmath : set of str
        What the compiler may do to sums of floats, such as ``{"reassoc", "contract"}``.
    error_model : {"python", "numpy"}
        What becomes of a division by zero: an error, or an infinity as in NumPy. A loop that asks before each division
        is not turned into vector instructions: that of skip-gram took seven times as long.

    Notes
    -----
    A kernel is called with arguments by position. It costs a third of a microsecond more than numba's own dispatcher.
    """
    if function is None:
        return functools.partial(Kernel, options=options)
    return Kernel(function, options)
