"""Mixed precision, as an option of the training loop."""

import tensorflow as tf


def use_precision(mixed: bool) -> None:
    """Sets the precision of layers made from now on.

    Args:
        mixed: compute in bfloat16 and keep the weights in float32 (Micikevicius et al., 2018;
            bfloat16 needs no loss scaling); otherwise everything is float32.
    """
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16" if mixed else "float32")
