"""A connection to Ray (`connected`): quiet, closed at its end, its errors in one line."""

import logging
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from typing import Any

from seesay.errors import InputError, MissingExtra, SeeSayError
from seesay.system.cpu import available_cores

CONNECT_S = 5.0
LOCAL = "local"


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """The module `ray`, connected and quiet; a Ray that was started for this run ends with it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what Ray will do by default; it warns until then
    local = address == LOCAL
    if local:  # its ports are open to the network: whoever has no token is turned away
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingExtra("embedding on a Ray cluster", "cluster") from None
    _check_reachable(address)
    with ExitStack() as stack:
        stack.enter_context(_core_silent())
        settings: dict[str, Any] = {}
        if local:  # one that ends with this run and leaves no logs behind
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="seesay-ray-", ignore_cleanup_errors=True))
            settings = {"num_cpus": available_cores(), "include_dashboard": False, "_temp_dir": folder}
        try:
            stack.callback(ray.shutdown)
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **settings)
        except Exception as error:  # where a machine is too busy to start it in time, Ray raises just this
            raise _unreachable(address, error) from None
        for name in ("ray", "ray.data"):
            logging.getLogger(name).setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        yield ray


@contextmanager
def _core_silent() -> Iterator[None]:
    """Keeps what Ray writes for its developers away from the user: its core to the standard error of the process, a thread of
    its library to `sys.stdout`. Our own notes on `sys.stderr` stay to be seen."""
    shown, kept = sys.stderr, os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        shown.flush()
        os.dup2(null, 2)
        with suppress(OSError, ValueError):  # a stderr that is no file of the system
            if shown.fileno() == 2:
                sys.stderr = open(kept, "w", buffering=1, encoding=shown.encoding, errors=shown.errors, closefd=False)  # noqa: SIM115
        with open(null, "w", closefd=False) as nothing, redirect_stdout(nothing):
            yield
    finally:
        sys.stderr = shown
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def _check_reachable(address: str) -> None:
    """Raises InputError where nothing listens at HOST:PORT, for which Ray would wait long."""
    host, colon, port = address.rpartition(":")
    if not colon or "://" in address:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S).close()
    except (OSError, ValueError, OverflowError) as error:
        raise _unreachable(address, error) from None


def _unreachable(address: str, error: BaseException) -> InputError:
    reason = str(error).strip().split("\n", 1)[0][:200].rstrip(".")
    return InputError(
        f"Ray cannot be reached at {address!r}: {reason}. Give the HOST:PORT of a cluster's head, auto on one of its machines, "
        "or local to start Ray here"
    )


def check_resources(ray: Any, cpus: float, gpus: float) -> None:
    """Raises InputError for an actor that no machine of the cluster has room for; Ray would wait for one."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        return
    most_cpus, most_gpus = (max((node.get(name, 0) for node in nodes), default=0) for name in ("CPU", "GPU"))
    raise InputError(
        f"an actor was to get {cpus:g} CPUs and {gpus:g} GPUs; the cluster's machines have at most "
        f"{most_cpus:g} and {most_gpus:g}"
    )


@contextmanager
def own_errors(ray: Any) -> Iterator[None]:
    """Errors of SeeSay that were raised in another process, and those of Ray in one line."""
    try:
        yield
    except ray.exceptions.RayError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, SeeSayError):
            cause = getattr(cause, "cause", None) or cause.__cause__
        if isinstance(cause, SeeSayError):
            raise _plain(cause) from None
        reason = next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
        raise InputError(f"Ray could not do the work: {reason[:300]}; what was done is kept. Run it again") from None


def _plain(cause: SeeSayError) -> SeeSayError:
    """An error without the traceback that Ray puts into its message."""
    line = str(cause).strip().splitlines()[-1]
    kind = next(each for each in type(cause).__mro__ if each.__module__ == "seesay.errors")
    message = line.removeprefix(f"seesay.errors.{kind.__name__}: ")
    try:
        return kind(message)  # type: ignore[no-any-return]
    except TypeError:  # it takes more than a message
        return SeeSayError(message)
