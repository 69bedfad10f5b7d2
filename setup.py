"""Package metadata: what tfrec needs, with ranges; requirements/ holds the exact locks."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.findall(r'__version__ = "(.+)"', (ROOT / "tfrec/__init__.py").read_text())[0]

# One line of TensorFlow for which TFRS, TF Text, KerasNLP on Keras 2 and the model server exist.
# KerasNLP from 0.14 on is Keras 3 only, and silently trains nothing beside Keras 2.
TENSORFLOW = [
    "tensorflow>=2.20,<2.21",
    "tf-keras>=2.20,<2.21",
    "tensorflow-text>=2.20,<2.21",
    "tensorflow-recommenders>=0.7.7,<0.8",
    "tensorflow-serving-api>=2.20,<2.21",
    "keras-nlp>=0.12.1,<0.13",
    "tensorboard>=2.20,<2.21",
    # TensorBoard imports pkg_resources, which setuptools 82 no longer has.
    "setuptools>=70,<82",
]

setup(
    name="tfrec",
    version=VERSION,
    description="An end-to-end recommender for shops, on TensorFlow: from an event log to gRPC",
    long_description=(ROOT / "README.md").read_text() if (ROOT / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    python_requires=">=3.11,<3.12",
    packages=find_packages(include=["tfrec*", "pipelines*", "serving*"]),
    package_data={
        "tfrec.data": ["sample/**/*"],
        "tfrec.monitoring.live": ["*.yaml"],
        "serving": ["deploy/**/*"],
        "serving.gateway.protos": ["*.proto", "*.binpb"],
        "serving.protos": ["*.proto", "*.binpb"],
    },
    install_requires=[
        *TENSORFLOW,
        "aiohttp>=3.10",
        "click>=8.2",
        "fastapi>=0.115",
        "grpcio>=1.71",
        "grpcio-health-checking>=1.71",
        "limits>=4",
        "matplotlib>=3.9",
        "numpy>=2.0",
        "optuna>=4.5",
        "pandas>=2.2",
        "pandera>=0.24",
        "pillow>=11",
        "prometheus-client>=0.21",
        "protobuf>=5.28",
        "psutil>=5.9",
        "pyarrow>=16",
        "pydantic>=2.7",
        "python-calamine>=0.3",
        "PyYAML>=6.0",
        "redis>=5.2",
        "rich>=13",
        "safetensors>=0.4",
        "scikit-learn>=1.6",
        "scipy>=1.13",
        "tqdm>=4.66",
        "uvicorn>=0.32",
    ],
    extras_require={
        # To follow a topic with `tfrec update --follow kafka://…`.
        "kafka": ["confluent-kafka>=2.6"],
        # To open notebooks/ in a browser; the tests run them without.
        "notebooks": ["jupyterlab>=4.2"],
    },
    entry_points={"console_scripts": ["tfrec=pipelines.cli:main"]},
)
