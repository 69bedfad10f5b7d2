"""Typed configuration of the monitor."""

from importlib import resources
from pathlib import Path

from pydantic import Field, model_validator

from tfrec.config.loading import load_section
from tfrec.config.section import Section
from tfrec.monitoring.alerts.rules import Rule

DEFAULT_RULES = "default_rules.yaml"


class WebhookConfig(Section):
    """Where alerts are posted as JSON."""

    url: str = Field(pattern="^https?://")
    timeout_seconds: float = Field(default=5.0, gt=0)
    retries: int = Field(default=3, ge=0, description="further tries after a failed one")


class DriftConfig(Section):
    """How live traffic is compared with the reference statistics."""

    window_days: float = Field(default=7.0, gt=0, description="traffic that is compared")
    every_minutes: float = Field(default=60.0, gt=0, description="how often")
    min_events: int = Field(default=200, ge=1, description="a window with fewer says nothing")


class MonitorConfig(Section):
    """What `tfrec monitor` does."""

    interval_seconds: float = Field(default=15.0, gt=0, description="between two looks")
    timeout_seconds: float = Field(default=5.0, gt=0, description="for a metrics page")
    window_minutes: float = Field(default=60.0, gt=0, description="of what is served, and of rates")
    attribution_hours: float = Field(
        default=24.0, gt=0, description="how long after a list an event may belong to it"
    )
    conversion_event: str = Field(default="purchase", description="the event a shop lives on")
    file_megabytes: float = Field(default=8.0, gt=0, description="size of an event file")
    keep_files: int = Field(default=8, ge=2, description="event files of that size that are kept")
    repeat_hours: float = Field(default=24.0, gt=0, description="says again what is still so")
    drift: DriftConfig = DriftConfig()
    webhook: WebhookConfig | None = None
    rules: list[Rule] | None = Field(default=None, description="null: the rules that are shipped")

    @model_validator(mode="after")
    def _names_are_unique(self) -> "MonitorConfig":
        names = [rule.name for rule in self.rules or []]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two rules are called {twice[0]}; give each a name of its own")
        return self


def load_monitor_config(path: str | Path | None = None) -> MonitorConfig:
    """Returns the configuration in a YAML file, with the shipped rules where it has none.

    Raises:
        UserError: if the file is missing or not YAML, or holds an unknown key or a wrong value.
    """
    config = load_section(path, MonitorConfig)
    if config.rules is not None:
        return config
    with resources.as_file(resources.files("tfrec.monitoring.live") / DEFAULT_RULES) as shipped:
        return config.model_copy(update={"rules": load_section(shipped, MonitorConfig).rules})
