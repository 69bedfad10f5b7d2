"""What notebooks use: `tfrec.load_dataset`, `tfrec.Recommender` and what they show.

Everything here calls what the command line calls; see `tfrec/__init__.py` for the names.
"""

from tfrec.api.noise import keep_quiet

keep_quiet()
