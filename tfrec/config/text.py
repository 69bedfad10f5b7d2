"""The BERT that reads texts, and how it is trained on a shop's own."""

from typing import Literal

from pydantic import Field, model_validator

from tfrec.config.section import Section
from tfrec.config.training import TrainingConfig


class TextConfig(Section):
    """The BERT that reads item texts, and how it is trained."""

    bert: str | None = Field(
        default=None,
        description="folder with a BERT in Hugging Face layout; null: the MiniLM weights package",
    )
    policy: Literal["frozen", "top-n", "lora", "adapter", "full"] = "frozen"
    top_n: int = Field(
        default=2, ge=1, description="last encoder layers that top-n, lora and adapter train"
    )
    lora_rank: int = Field(default=8, ge=1, description="rank of the updates of policy lora")
    adapter_units: int = Field(default=32, ge=1, description="width of policy adapter's layers")
    learning_rate: float | None = Field(
        default=None, gt=0, description="of the BERT; null: that of the model it is trained in"
    )
    texts_per_step: int = Field(
        default=128,
        ge=0,
        description="most texts a step encodes with gradients, drawn from its items'; 0: all",
    )
    refresh_steps: int = Field(
        default=0, ge=0, description="steps between refreshes of all text vectors; 0: validation's"
    )
    cache_activations: Literal["disk", "memory", "off"] = Field(
        default="disk", description="where outputs of the layers below the trained ones are kept"
    )
    token_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of tokens hidden where the BERT is trained"
    )
    word_swap: float = Field(
        default=0.0, ge=0, lt=1, description="share of words swapped with their neighbours there"
    )
    max_tokens: int = Field(default=128, ge=8, le=512)
    cache_dir: str | None = Field(
        default=None, description="folder of cached text vectors; null: inside the data set"
    )


class MaskedConfig(Section):
    """Masked-language-model pre-training of the BERT on the shop's own texts."""

    share: float = Field(default=0.15, gt=0, lt=1, description="share of tokens to be guessed")
    batch_texts: int = Field(default=64, ge=1)
    head_learning_rate: float = Field(
        default=1e-3, gt=0, description="of the head that guesses, which starts untrained"
    )
    training: TrainingConfig = TrainingConfig(epochs=10, learning_rate=5e-5, patience=2)


class ContrastiveConfig(Section):
    """Contrastive fine-tuning of the BERT on items that the same shoppers bought."""

    policy: Literal["top-n", "lora", "full"] = "top-n"
    window: int = Field(
        default=3, ge=1, description="events between two items of a pair, the second one counted"
    )
    batch_pairs: int = Field(default=128, ge=2)
    pairs_per_epoch: int = Field(default=20_000, ge=1, description="drawn anew for every epoch")
    temperature: float = Field(default=0.05, gt=0)
    training: TrainingConfig = TrainingConfig(epochs=10, learning_rate=1e-4, patience=2)


class DistilConfig(Section):
    """Distillation of the BERT into a small one."""

    layers: int = Field(default=2, ge=1)
    width: int = Field(default=128, ge=4)
    heads: int = Field(default=4, ge=1)
    fragments: int = Field(
        default=4, ge=0, description="pieces of each text that the small BERT learns as well"
    )
    batch_texts: int = Field(default=128, ge=2)
    training: TrainingConfig = TrainingConfig(epochs=60, learning_rate=1e-3, patience=6)

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "DistilConfig":
        if self.width % self.heads:
            raise ValueError(
                f"width should be a multiple of heads; {self.width} is not one of {self.heads}"
            )
        return self


class TextTrainingConfig(Section):
    """What `tfrec train text` does to the BERT before the models are trained."""

    steps: list[Literal["masked", "contrastive", "distil"]] = Field(
        default=["masked", "contrastive"],
        description="in this order, each from what the one before it left",
    )
    holdout: float = Field(
        default=0.1, gt=0, lt=1, description="share of texts, or shoppers, that decide when to stop"
    )
    masked: MaskedConfig = MaskedConfig()
    contrastive: ContrastiveConfig = ContrastiveConfig()
    distil: DistilConfig = DistilConfig()

    @model_validator(mode="after")
    def _steps_can_do_what_is_asked(self) -> "TextTrainingConfig":
        usual = TrainingConfig()
        for name in ("masked", "contrastive", "distil"):
            training = getattr(self, name).training
            for key in ("batch_positions", "batch_lists"):
                if getattr(training, key) != getattr(usual, key):
                    raise ValueError(
                        f"{name}.training.{key} does nothing; the size of its batches is "
                        f"{name}.{'batch_pairs' if name == 'contrastive' else 'batch_texts'}"
                    )
            if training.mixed_precision:
                raise ValueError(
                    f"{name}.training.mixed_precision does nothing, as BERT is trained in float32 "
                    "only; leave it out"
                )
            if not training.epochs:
                raise ValueError(
                    f"{name}.training.epochs should be at least 1; or leave the step out of steps"
                )
        return self

    @model_validator(mode="after")
    def _every_step_once(self) -> "TextTrainingConfig":
        if not self.steps or len(set(self.steps)) < len(self.steps):
            raise ValueError("steps should be a list of different steps, such as [masked]")
        return self
