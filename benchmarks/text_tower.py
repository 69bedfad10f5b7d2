"""Measures how many texts a second the text tower encodes, and what each speed-up costs.

    python -m benchmarks.text_tower [--items FILE.parquet --column title] [--texts 1000]

Every row is the best of three passes over the same texts. "Processor" counts texts a second of
processor time over all cores: unlike wall time it means the same on a busy machine. "Cosine" is the
lowest cosine between a text's vector and the one that the first row gave.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

import tfrec

SAMPLE = Path(tfrec.__file__).parent / "data" / "sample" / "online_retail" / "items.parquet"
PASSES = 3
BATCH_TOKENS = (256, 512, 1024, 2048, 4096, 8192)
FIXED_LENGTHS = (48, 128)
XLA_LENGTH_STEP = 8


class Measurement:
    """One tower and its texts, tokenized once."""

    def __init__(self, texts: list[str], bert: str | None, dtype: str = "float32") -> None:
        import tensorflow as tf

        from tfrec.towers.bert.tower import BertTextTower
        from tfrec.towers.bert.weights import find_weights

        self._tf = tf
        self.tower = BertTextTower.from_files(find_weights(bert), max_tokens=128, dtype=dtype)
        tokenize = tf.function(
            self.tower.tokenizer.tokenize, input_signature=[tf.TensorSpec([None], tf.string)]
        )
        tokenize(tf.constant(["warm up"]))
        started = time.perf_counter()
        self.rows = [np.array(row) for row in tokenize(tf.constant(texts)).to_list()]
        self.tokenizing_seconds = time.perf_counter() - started
        self.lengths = np.array([len(row) for row in self.rows])

    def batches(self, order: np.ndarray, tokens: int, length: int = 0, step: int = 1) -> list:
        """Cuts texts in `order` into batches of `tokens`; `length` pads all rows to it."""
        made = []
        start = 0
        while start < len(order):
            # The widest row of an unsorted batch is not known before the batch is cut.
            width = length or int(self.lengths[order[start]])
            rows = order[start : start + max(1, tokens // width)]
            width = length or -(-int(self.lengths[rows].max()) // step) * step
            token_ids = np.zeros((len(rows), width), np.int32)
            for place, row in enumerate(rows):
                token_ids[place, : self.lengths[row]] = self.rows[row][:width]
            mask = np.arange(width) < self.lengths[rows][:, np.newaxis]
            made.append((rows, self._tf.constant(token_ids), self._tf.constant(mask)))
            start += len(rows)
        return made

    def forward(self, xla: bool = False) -> Callable:
        """Returns the tower as a graph; under XLA one program a shape."""
        tf = self._tf
        shapes = [tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None], tf.bool)]
        return tf.function(
            lambda token_ids, mask: self.tower.encode_tokens(token_ids, mask, training=False),
            input_signature=None if xla else shapes,
            jit_compile=xla,
        )

    def run(self, forward: Callable, batches: list) -> tuple[dict[str, float], np.ndarray]:
        """Returns texts a second, and the vectors."""
        vectors = np.zeros((len(self.rows), self.tower.dimension), np.float32)
        seconds, processor, first = np.inf, np.inf, 0.0
        for number in range(PASSES + 1):
            started, used = time.perf_counter(), time.process_time()
            for rows, token_ids, mask in batches:
                vectors[rows] = forward(token_ids, mask).numpy()
            took = time.perf_counter() - started
            if number == 0:
                first = took  # tracing, and compiling under XLA
                continue
            seconds, processor = min(seconds, took), min(processor, time.process_time() - used)
        figures = {
            "wall": len(self.rows) / seconds,
            "processor": len(self.rows) / processor,
            "first": first,
        }
        return figures, vectors


def other_process(options: list[str], **environment: str) -> dict[str, float]:
    """Measures one variant in a process of its own, for settings that TensorFlow reads once."""
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.text_tower", *options],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout.splitlines()[-1])


@click.command()
@click.option("--items", type=click.Path(path_type=Path), default=SAMPLE, help="a Parquet table")
@click.option("--column", default="title", show_default=True, help="its column of texts")
@click.option("--texts", "count", default=1000, show_default=True, help="texts to draw from it")
@click.option("--bert", help="folder of another BERT than MiniLM")
@click.option("--only-default", is_flag=True, help="print one measurement as JSON")
def main(items: Path, column: str, count: int, bert: str | None, only_default: bool) -> None:
    from tfrec.towers.bert.encoding import TOKENS_PER_BATCH

    table = pd.read_parquet(items)[column].fillna("")
    texts = table.sample(min(count, len(table)), random_state=0).tolist()
    measurement = Measurement(texts, bert)
    by_length = np.argsort(-measurement.lengths, kind="stable")
    as_given = np.arange(len(texts))
    forward = measurement.forward()
    sorted_batches = measurement.batches(by_length, TOKENS_PER_BATCH)
    figures, reference = measurement.run(forward, sorted_batches)
    if only_default:
        print(json.dumps(figures))
        return

    shown = Table(title=f"{len(texts)} texts, {measurement.lengths.mean():.1f} tokens on average")
    for heading in ("variant", "texts/s", "texts/s of processor", "first pass, s", "cosine"):
        shown.add_column(heading, justify="left" if heading == "variant" else "right")

    def add(variant: str, figures: dict[str, float], vectors: np.ndarray | None = None) -> None:
        cosine = "" if vectors is None else f"{np.sum(vectors * reference, axis=1).min():.5f}"
        shown.add_row(
            variant,
            f"{figures['wall']:.0f}",
            f"{figures['processor']:.0f}",
            f"{figures['first']:.1f}",
            cosine,
        )

    add(f"sorted by length, {TOKENS_PER_BATCH} tokens a batch (used)", figures, reference)
    add(
        "in the order given, padded to the longest of the batch",
        *measurement.run(forward, measurement.batches(as_given, TOKENS_PER_BATCH)),
    )
    for length in FIXED_LENGTHS:
        if measurement.lengths.max() <= length:
            batches = measurement.batches(as_given, TOKENS_PER_BATCH, length=length)
            add(f"padded to {length} tokens", *measurement.run(forward, batches))
    for tokens in BATCH_TOKENS:
        batches = measurement.batches(by_length, tokens)
        add(f"sorted, {tokens} tokens a batch", *measurement.run(forward, batches))
    batches = measurement.batches(by_length, TOKENS_PER_BATCH, step=XLA_LENGTH_STEP)
    add("sorted, compiled by XLA", *measurement.run(measurement.forward(xla=True), batches))
    half = Measurement(texts, bert, dtype="mixed_bfloat16")
    add("sorted, bfloat16", *half.run(half.forward(), sorted_batches))
    same = ["--items", str(items), "--column", column, "--texts", str(count), "--only-default"]
    same += [] if bert is None else ["--bert", bert]
    add("sorted, oneDNN off", other_process(same, TF_ENABLE_ONEDNN_OPTS="0"))
    console = Console()
    console.print(shown)
    console.print(f"tokenizer: {len(texts) / measurement.tokenizing_seconds:.0f} texts/s")


if __name__ == "__main__":
    main()
