"""Says why an item is recommended: what its score would be without each item of the history."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from pipelines.asking import ask, ca_option, split_ids, timeout_option
from pipelines.console import table_console
from pipelines.options import json_option, moved_data_option, path_option
from pipelines.running import run
from serving.client import RecommenderClient
from tfrec.errors import UserError
from tfrec.explaining.explanation import Explanation, tried_items
from tfrec.files import atomic_file, check_writable
from tfrec.progress import progress


@click.command()
@click.option("--server", metavar="HOST:PORT", help="gRPC address of a model server.")
@ca_option
@path_option(
    "--run", "folder", metavar="DIR", help="A run, or exported models, instead of a server."
)
@moved_data_option
@click.option("--history", required=True, metavar="ID,ID,…", help="Items, oldest first.")
@click.option("--events", metavar="EVENT,EVENT,…", help="What was done with each item.")
@click.option("--item", metavar="ID", help="The item; the best recommendation by default.")
@path_option("--image", metavar="FILE", help="Where to write a picture, such as why.png.")
@json_option
@timeout_option
def command(
    server: str | None,
    server_ca: Path | None,
    folder: Path | None,
    data: Path | None,
    history: str,
    events: str | None,
    item: str | None,
    image: Path | None,
    as_json: bool,
    timeout: float,
) -> None:
    """Say why an item is recommended.

    One item of the history after the other is left out and the models are asked again.
    """
    if (server is None) == (folder is None):
        raise UserError("give either --server HOST:PORT or --run DIR, to say whom to ask")
    items = split_ids(history)
    done = split_ids(events) if events else None
    if done is not None and len(done) != len(items):
        raise UserError(f"--events should have one entry an item: {len(items)}, not {len(done)}")
    if image is not None:
        check_writable(image)
        _check_picture(image)
    if server is not None:
        with ask(server, server_ca, timeout) as client:
            found = explain_with(client, item, items, done)
    else:
        from tfrec.api.recommender import Recommender

        assert folder is not None
        recommender = Recommender.load(folder, data)
        if item is None:
            item = recommender.recommend(items, done, k=1)[0].item_id
        found = recommender.explain(item, items, done)
    if image is not None:
        with atomic_file(image) as temporary:
            found.figure().savefig(temporary, format=image.suffix.removeprefix(".") or "png")
    if as_json:
        document = {"sentence": found.sentence, **asdict(found)}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        table_console().print(*found.renderables(), sep="\n")


def _check_picture(path: Path) -> None:
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    if path.suffix and path.suffix[1:].lower() not in known:
        raise UserError(
            f"no picture can be written as {path.name}; give it a name that ends in .png, .svg or "
            ".pdf"
        )


def explain_with(
    client: RecommenderClient,
    item_id: str | None,
    items: Sequence[str],
    events: Sequence[str] | None,
) -> Explanation:
    """Returns the explanation that a server gives.

    Args:
        client: asks the server.
        item_id: the item; None for the best recommendation.
        items: the history, oldest first.
        events: what was done with each; None if not known.

    Raises:
        UserError: if the server does not know the item.
        ClientError: if the server cannot answer.
    """
    answer = client.recommend(items, events, k=100)
    if item_id is None:
        if not len(answer):
            raise UserError("the server recommends nothing to this history; name an item: --item")
        item_id = answer[0].item_id
    names = list(dict.fromkeys([item_id, *items]))
    described = {one.item_id: one.title or "" for one in client.describe(names) if one.known}
    if item_id not in described:
        raise UserError(f"the item {item_id} is not in the catalogue; check the id")

    def score(left_out: str | None) -> float:
        kept = [item if item != left_out else "" for item in items]
        return client.rank(kept, [item_id], events)[0].score

    tried = tried_items(items, described.keys())
    words = next((one.reason_words for one in answer if one.item_id == item_id), ())
    return Explanation.of(
        item_id,
        [(item, done, "") for item, done in zip(items, events or [""] * len(items), strict=True)],
        {item: score(item) for item in progress(tried, description="Explaining", unit="item")},
        score(None),
        described,
        words,
    )


if __name__ == "__main__":
    run(command)
