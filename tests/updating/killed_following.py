"""Follows a shop in processes that are killed at random moments, until one gets to the end.

A process of its own does that, which has only imported: a child of one in which pyarrow has worked
waits for threads that it did not inherit.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path
from unittest.mock import patch

from tests.updating.stream_shop import UNTRAINED, StreamShop
from tfrec.updating.following import Follower, Limits, Stop
from tfrec.updating.generation import Generation
from tfrec.updating.sources import DirectorySource
from tfrec.updating.update import get_ready

LONGEST_SECONDS = 1.0
ENDED, FAILED = 0, 3


def follow(shop: StreamShop) -> None:
    """Takes in everything that is there, in batches of four."""
    get_ready(shop.models, shop.state.folder)
    source = DirectorySource(shop.events)
    Follower(source, shop.state.folder, shop.take, Limits(4, 1e9), Stop()).run(once=True)


def main() -> int:
    """Prints how many processes were killed."""
    shop, kills = StreamShop(Path(sys.argv[1])), int(sys.argv[2])
    moments = random.Random(5)
    killed = 0
    while True:
        child = os.fork()
        if child == 0:
            status = FAILED
            try:
                with patch.object(Generation, "verdict", lambda *_: UNTRAINED):
                    follow(shop)
                status = ENDED
            finally:
                os._exit(status)
        if killed < kills:
            # The first ones live shortest, so that some are killed on the fastest machine, too.
            time.sleep(moments.uniform(0.0, LONGEST_SECONDS * (killed + 1) / kills))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            print(killed)
            return os.WEXITSTATUS(status)
        killed += 1


if __name__ == "__main__":
    sys.exit(main())
