"""`seesay serve`: the library over HTTP, with a page."""

import os
import signal
import sys
from gettext import gettext as _
from pathlib import Path

import click

from seesay.cli.options import library_option, model_option, open_model
from seesay.errors import MissingExtra


@click.command()
@click.argument("folders", nargs=-1, type=click.Path())
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen at; beyond this machine it takes a key."
)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free.")
@click.option(
    "--name", "names", metavar="NAME", multiple=True, help="A name by which others reach this server; may be repeated."
)
@click.option("--allow-urls", is_flag=True, help="Fetch pictures that clients name by URL, from public addresses only.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
@library_option
@model_option
def serve(
    folders: tuple[str, ...],
    host: str,
    port: int,
    names: tuple[str, ...],
    allow_urls: bool,
    open_page: bool,
    library: str | None,
    model: str | None,
) -> int:
    """Search, classify and embed over HTTP, and a page for it at http://127.0.0.1:8000.

    FOLDERS are indexed first, while the page is there already. Only this machine reaches the server unless --host says
    otherwise, which takes a key of your choice in SEESAY_API_KEY. Needs the extra serve: pip install 'seesay[serve]'.
    """
    try:
        import fastapi  # noqa: F401
        import fastapi_offline  # noqa: F401
        import orjson  # noqa: F401
        import pathvalidate  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn
    except ImportError:
        raise MissingExtra("seesay serve", "serve") from None
    from seesay.library.indexing.indexer import check_paths
    from seesay.serving.app import create_app
    from seesay.serving.listening import listen, uvicorn_config
    from seesay.serving.log import to_stderr
    from seesay.serving.settings import Settings
    from seesay.system.cache import cache_dir
    from seesay.system.paths import absolute

    settings = Settings(
        host=host, port=port, api_key=os.environ.get("SEESAY_API_KEY") or None, names=names, allow_urls=allow_urls
    )
    check_paths([absolute(folder) for folder in folders])
    sock = listen(settings)
    port = sock.getsockname()[1]
    cache = cache_dir() / "thumbnails"
    app = create_app(open_model(model), settings, library=None if library is None else Path(absolute(library)), cache=cache)
    address = f"http://{'localhost' if settings.local or host in ('0.0.0.0', '::') else host}:{port}"
    elsewhere = "" if settings.local else _(", and to other machines at port {port} of this one's addresses").format(port=port)
    click.echo(
        _("seesay: serving at {address}{elsewhere}  (Ctrl-C ends)").format(address=address, elsewhere=elsewhere), err=True
    )
    if open_page:
        click.launch(address)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())  # ended as asked, and the log is whole
    with to_stderr():
        if folders:
            app.state.service.indexing.start(folders)
        uvicorn.Server(uvicorn_config(app)).run(sockets=[sock])
    return 0
