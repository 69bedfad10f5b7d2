"""Adversarial training: a loss where embeddings or weights have been moved the worst way."""

import abc
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import tensorflow as tf

from tfrec.config import TrainingConfig
from tfrec.errors import UserError
from tfrec.training.gradients import Gradient, added, merged, values_of, with_values

LossAndGradients = tuple[dict[str, tf.Tensor], list[Gradient | None]]
"""The terms of a loss by name, and the gradient of each trained variable."""
Measure = Callable[[], LossAndGradients]

ADVERSARIAL = "adversarial"
"""The term that the moved embeddings add to the loss."""

EMBEDDINGS = re.compile(r"id_offset|embeddings|\w+_embedding|(category|context)_\d+")
"""Names of variables that are tables of embeddings: the item tower's id offsets and categories,
the query tower's contexts, the behaviour tower's events and time gaps, and whatever a Keras
`Embedding` holds, such as the tokens of a BERT that is trained along."""


class Adversary(abc.ABC):
    """Changes what a step of training minimises.

    Args:
        epsilon: how far it moves variables; see the subclasses.
    """

    def __init__(self, epsilon: float) -> None:
        self._epsilon = epsilon

    @abc.abstractmethod
    def __call__(self, measure: Measure, variables: Sequence[tf.Variable]) -> LossAndGradients:
        """Returns the loss to be minimised and its gradients, and leaves no variable moved.

        Called in a graph, once: the variables are moved and moved back in every step.

        Args:
            measure: makes the graph of the loss where the variables are.
            variables: those of the gradients.
        """


class FastGradientMethod(Adversary):
    """Adds the loss with embeddings moved against the model to that of the batch as it is.

    Where `g` is the gradient of the loss with respect to an embedding, that is moved by
    `epsilon * g / |g|` (Miyato, Dai and Goodfellow, "Adversarial training methods for
    semi-supervised text classification", ICLR 2017, equation 5). Each row of a table is moved
    that far, as in the recommender of He, He, Du and Chua ("Adversarial personalized ranking for
    recommendation", SIGIR 2018); rows that the loss does not depend on stay.

    Args:
        epsilon: length of each embedding's move; item vectors have length 1.
        tables: the variables whose rows are moved.
    """

    def __init__(self, epsilon: float, tables: Sequence[tf.Variable]) -> None:
        super().__init__(epsilon)
        self._tables = {table.ref() for table in tables}

    def __call__(self, measure: Measure, variables: Sequence[tf.Variable]) -> LossAndGradients:
        """Returns the sum of both losses, and of their gradients."""
        terms, gradients = measure()
        moves = []
        for variable, gradient in zip(variables, gradients, strict=True):
            if gradient is not None and variable.ref() in self._tables:
                whole = merged(gradient)
                rows = values_of(whole)
                norms = tf.norm(rows, axis=-1, keepdims=True)
                far = rows * tf.math.divide_no_nan(self._epsilon, norms)
                moves.append((variable, with_values(whole, far)))
        with _moved(moves):
            worst, worst_gradients = measure()
        terms = {**terms, ADVERSARIAL: tf.add_n(list(worst.values()))}
        pairs = zip(gradients, worst_gradients, strict=True)
        return terms, [added(*pair) for pair in pairs]


class WeightPerturbation(Adversary):
    """Takes the gradients where all weights have been moved against the model.

    Adversarial weight perturbation (Wu, Xia and Wang, "Adversarial weight perturbation helps
    robust generalization", NeurIPS 2020, equations 9 and 10, with one step): weights `w` with
    gradient `g` are moved by `epsilon * |w| * g / |g|`, layer by layer, and the step is taken
    from where they were with the gradients of where they went. It looks for weights around which
    the loss is flat. Vectors, such as biases, stay.

    Args:
        epsilon: length of a matrix's move, as a share of its own norm.
    """

    def __call__(self, measure: Measure, variables: Sequence[tf.Variable]) -> LossAndGradients:
        """Returns loss and gradients where the weights went."""
        _, gradients = measure()
        moves = []
        for variable, gradient in zip(variables, gradients, strict=True):
            if gradient is not None and variable.shape.rank > 1:
                whole = merged(gradient)
                values = values_of(whole)
                length = self._epsilon * tf.norm(variable)
                far = values * tf.math.divide_no_nan(length, tf.norm(values))
                moves.append((variable, with_values(whole, far)))
        with _moved(moves):
            return measure()


def make_adversary(
    config: TrainingConfig, variables: Mapping[str, Sequence[tf.Variable]], description: str
) -> Adversary | None:
    """Returns the adversary that a configuration asks for, or None.

    Args:
        config: the training.
        variables: the trained variables of every part.
        description: names the training in the message.

    Raises:
        UserError: if embeddings are to be moved and there are none.
    """
    if config.adversarial == "none":
        return None
    if config.adversarial == "awp":
        return WeightPerturbation(config.adversarial_epsilon)
    tables = embedding_tables(variables)
    if not tables:
        raise UserError(
            f"{description}: training.adversarial: fgm moves embeddings, of which this model "
            "trains none; set it to awp or none"
        )
    return FastGradientMethod(config.adversarial_epsilon, tables)


def embedding_tables(variables: Mapping[str, Sequence[tf.Variable]]) -> list[tf.Variable]:
    """Returns the variables that are tables of embeddings; see `EMBEDDINGS`.

    Args:
        variables: the trained variables of every part.
    """
    return [
        variable
        for several in variables.values()
        for variable in several
        if variable.shape.rank == 2 and EMBEDDINGS.fullmatch(_own_name(variable))
    ]


def _own_name(variable: tf.Variable) -> str:
    """Returns the name without those of the layers around it and the output's number."""
    name: str = variable.name.split("/")[-1].split(":")[0]
    return name


@contextmanager
def _moved(moves: Sequence[tuple[tf.Variable, Gradient]]) -> Iterator[None]:
    """The variables are moved inside of the block, and to the bit what they were after it.

    In a graph, where operations on a variable run in the order in which they were made.
    """
    with tf.name_scope("move"):
        before = [_move(variable, move) for variable, move in moves]
    yield
    with tf.name_scope("move_back"):
        for (variable, _), was in zip(moves, before, strict=True):
            if isinstance(was, tf.IndexedSlices):
                variable.scatter_update(was)
            else:
                variable.assign(was)


def _move(variable: tf.Variable, move: Gradient) -> Gradient:
    """Moves a variable and returns what it, or the moved rows of it, held before."""
    if isinstance(move, tf.IndexedSlices):
        was = tf.IndexedSlices(tf.gather(variable, move.indices), move.indices)
        variable.scatter_add(move)
        return was
    was = tf.identity(variable)
    variable.assign_add(move)
    return was
