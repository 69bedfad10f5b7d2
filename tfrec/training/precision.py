"""Mixed precision, as an option of training."""

from tfrec.config import TrainingConfig


def training_precision(config: TrainingConfig) -> str:
    """Returns the Keras dtype policy of the layers of a model that is to be trained.

    Mixed precision computes in bfloat16 and keeps the weights in float32 (Micikevicius et al.,
    2018; bfloat16 needs no loss scaling). The policy is given to the layers rather than set for
    the process: losses stay in float32, and so does a trained model when it is loaded.
    """
    return "mixed_bfloat16" if config.mixed_precision else "float32"
