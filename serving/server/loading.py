"""Loads a version: session, batching, warm-up."""

import logging
import time
from pathlib import Path

from serving.model_folder import GRAPH, ModelFolderError, check_version
from serving.server.batching.runner import BatchingRunner
from serving.server.batching.scheduler import BatchScheduler
from serving.server.flags import Flags
from serving.server.metrics import Metrics
from serving.server.servable import Servable
from serving.server.session import SavedModelSession
from serving.server.statuses import Code, ServingError
from serving.server.warmup import warm_up

log = logging.getLogger("serving.server")


class Loader:
    """Loads versions as the flags say."""

    def __init__(self, flags: Flags, metrics: Metrics) -> None:
        self._flags = flags
        self._metrics = metrics
        # All models share the threads, as they share the cores.
        self._scheduler = BatchScheduler(flags.batching) if flags.batching else None

    def __call__(self, name: str, version: int, folder: Path) -> Servable:
        """Loads the SavedModel in `folder` and warms it up.

        Raises:
            ServingError: if it cannot be loaded, or a warm-up record cannot be run.
        """
        flags = self._flags
        _check_whole(name, folder)
        session = SavedModelSession(
            folder,
            intra_op_threads=flags.intra_op_threads,
            inter_op_threads=flags.inter_op_threads,
        )
        try:
            if flags.enable_model_warmup:
                self._warm_up(Servable(name, version, session), folder)
        except BaseException:
            session.close()
            raise
        return Servable(
            name,
            version,
            session,
            runner=self._batching(session),
            observe_run=self._metrics.run,
            checks_method_names=flags.enable_signature_method_name_check,
        )

    def _batching(self, session: SavedModelSession) -> BatchingRunner | None:
        options = self._flags.batching
        if options is None or self._scheduler is None:
            return None
        pool = options.thread_pool_name
        return BatchingRunner(
            session,
            self._scheduler,
            options,
            lambda seconds: self._metrics.wait(pool, seconds),
            self._metrics.run_of_batch,
        )

    def _warm_up(self, servable: Servable, folder: Path) -> None:
        started = time.perf_counter()
        code = Code.OK
        try:
            count = warm_up(servable, folder, self._flags.num_request_iterations_for_warmup)
        except ServingError as error:
            code = error.code
            raise
        finally:
            self._metrics.warm_up(str(folder), code, time.perf_counter() - started)
        log.info(
            "model %s: version %d ran %d warm-up requests", servable.name, servable.version, count
        )


def _check_whole(name: str, folder: Path) -> None:
    """Fails for a version that is still being copied and that TensorFlow would take for whole."""
    if not (folder / GRAPH).exists():
        # TensorFlow says so in the official words.
        return
    try:
        check_version(name, folder)
    except ModelFolderError as error:
        raise ServingError(Code.DATA_LOSS, str(error)) from error
