"""Clusters of unit vectors, how many of them there are, and what to call them."""

from collections.abc import Sequence

import numpy as np

_ROUNDS = 50
_SAMPLE = 5_000


def k_means(vectors: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Returns the unit centres `[k, dimension]` of spherical k-means (Dhillon and Modha, 2001).

    The first centres are drawn as k-means++ does (Arthur and Vassilvitskii, 2007). Where only the
    groups are wanted, as in `tfrec.surfaces.groups`, SciPy's Euclidean k-means is enough; here the
    centres themselves are served, as directions that a shopper's vector has its cosine with, and
    the means of Euclidean clusters are no unit vectors.

    Args:
        vectors: float `[count, dimension]`, unit vectors.
        k: number of centres, at most `count`.
        seed: seed of the draws.
    """
    generator = np.random.default_rng(seed)
    centres = vectors[generator.integers(len(vectors))][np.newaxis]
    for _ in range(k - 1):
        distance = np.maximum(1.0 - (vectors @ centres.T).max(axis=1), 0.0)
        total = distance.sum()
        chances = distance / total if total > 0 else None
        centres = np.concatenate([centres, vectors[[generator.choice(len(vectors), p=chances)]]])
    nearest = np.full(len(vectors), -1)
    for _ in range(_ROUNDS):
        before, nearest = nearest, (vectors @ centres.T).argmax(axis=1)
        if (before == nearest).all():
            break
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, vectors)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        # A centre that nobody is near stays where it is.
        centres = np.where(norms > 0, sums / np.maximum(norms, 1e-12), centres)
    return centres


def silhouette(vectors: np.ndarray, centres: np.ndarray) -> float:
    """Returns the mean simplified silhouette (Hruschka et al., 2004), from -1 to 1.

    Of each vector: ``(b - a) / max(a, b)``, `a` being the cosine distance to its own centre and
    `b` that to the next one.
    """
    distance = np.sort(np.maximum(1.0 - vectors @ centres.T, 0.0), axis=1)
    own, other = distance[:, 0], distance[:, 1]
    return float(np.divide(other - own, other, out=np.zeros_like(own), where=other > 0).mean())


def best_clusters(
    vectors: np.ndarray, sizes: Sequence[int], seed: int
) -> tuple[np.ndarray, dict[int, float]]:
    """Returns the centres with the best simplified silhouette, and the silhouette of each size.

    Args:
        vectors: float `[count, dimension]`, unit vectors.
        sizes: numbers of clusters to try; those above half of `count` are not.
        seed: seed of the draws.
    """
    if len(vectors) > _SAMPLE:
        rows = np.random.default_rng(seed).permutation(len(vectors))[:_SAMPLE]
        vectors = vectors[np.sort(rows)]
    found = {k: k_means(vectors, k, seed) for k in sizes if 2 <= k <= len(vectors) // 2}
    if not found:
        centre = vectors.sum(axis=0, keepdims=True)
        return centre / np.maximum(np.linalg.norm(centre), 1e-12), {}
    scores = {k: silhouette(vectors, centres) for k, centres in found.items()}
    return found[max(scores, key=scores.__getitem__)], scores


def distinctive_names(counts: np.ndarray, names: Sequence[str], words: int = 2) -> list[str]:
    """Names clusters by what they have more of than all together.

    A name weighs ``p log(p / q)`` in a cluster, `p` being its share there and `q` its share
    among all. Clusters that would be called the same get one more name, and a number at last.

    Args:
        counts: float `[clusters, len(names)]`, how often each cluster has each name.
        names: what is counted; "" is never used.
        words: names a cluster.

    Returns:
        A distinct name a cluster, such as ``"christmas, lights"``.
    """
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
    overall = counts.sum(axis=0) / max(float(counts.sum()), 1e-12)
    lift = np.log(np.maximum(share, 1e-12) / np.maximum(overall, 1e-12))
    weight = np.where((share > 0) & np.array([bool(name) for name in names]), share * lift, -1.0)
    order = np.argsort(-weight, axis=1, kind="stable")
    given: list[str] = []
    for cluster, row in enumerate(order):
        speaking: list[str] = []
        for place in row[weight[cluster, row] > 0]:
            # No "heart, hearts".
            if not any(_same_stem(names[place], name) for name in speaking):
                speaking.append(names[place])
            if len(speaking) > words:
                break
        for count in range(words, words + 2):
            name = ", ".join(speaking[:count]) or "others"
            if name not in given:
                break
        number, plain = 2, name
        while name in given:
            name, number = f"{plain} {number}", number + 1
        given.append(name)
    return given


def _same_stem(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
