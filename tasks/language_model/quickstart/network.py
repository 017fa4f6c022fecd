"""A small decoder-only transformer with Llama's parts: RMS norms, rotary positions, grouped queries, gated layers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

HIDDEN = -1e9
"""Added to the attention to positions that must not be seen."""


@dataclass(frozen=True)
class Size:
    """The network's dimensions; ``context`` is the number of positions of its caches."""

    vocabulary: int
    context: int = 256
    layers: int = 3
    width: int = 128
    heads: int = 4
    groups: int = 2
    """Heads of keys and values; each serves ``heads / groups`` heads of queries."""
    head: int = 32
    inner: int = 256
    base: float = 10_000.0
    """Base of the rotary positions' wavelengths (Su et al., "RoFormer", arXiv:2104.09864)."""
    epsilon: float = 1e-6
    """Added to the mean square in the norms."""


class Network(tf.Module):  # type: ignore[misc]
    """Token ids to scores of the next token; the embedding table also weighs the output."""

    def __init__(self, size: Size, random: np.random.Generator) -> None:
        super().__init__()
        self.size = size

        def dense(inputs: int, outputs: int, gain: float = 1.0) -> Any:
            values = random.standard_normal((inputs, outputs)) * gain / np.sqrt(inputs)
            return tf.Variable(tf.constant(values, tf.float32))

        def gains() -> Any:
            return tf.Variable(tf.ones(size.width))

        small = (2 * size.layers) ** -0.5
        self.embedding = tf.Variable(tf.random.stateless_normal((size.vocabulary, size.width), (1, 1)) * 0.05)
        self.last_norm = gains()
        self.layers = [
            {
                "before_attention": gains(),
                "query": dense(size.width, size.heads * size.head),
                "key": dense(size.width, size.groups * size.head),
                "value": dense(size.width, size.groups * size.head),
                "mixed": dense(size.heads * size.head, size.width, small),
                "before_inner": gains(),
                "gate": dense(size.width, size.inner),
                "inner": dense(size.width, size.inner),
                "outer": dense(size.inner, size.width, small),
            }
            for _ in range(size.layers)
        ]
        waves = size.base ** (-np.arange(size.head // 2) / (size.head // 2))
        angles = np.arange(size.context)[:, None] * waves
        self._cosines = np.cos(angles).astype(np.float32)
        self._sines = np.sin(angles).astype(np.float32)

    @property
    def cache_shape(self) -> tuple[int, ...]:
        """The shape of each cache, as the reference app has it."""
        return 1, self.size.context, self.size.groups, self.size.head

    def __call__(self, tokens: Any) -> Any:
        """Scores [n, l, vocabulary] of the token after each of int32 [n, l]; all positions at once, for training."""
        count, length = tokens.shape
        size = self.size
        state = tf.gather(self.embedding, tokens)
        places = np.arange(length)
        hidden = tf.constant(np.triu(np.full((length, length), HIDDEN, np.float32), 1))
        for layer in self.layers:
            queries, keys, values = self._projected(layer, tf.reshape(state, (-1, size.width)), np.tile(places, count))
            queries = tf.transpose(
                tf.reshape(queries, (count, length, size.groups, size.heads // size.groups, size.head)), (0, 2, 3, 1, 4)
            )
            keys, values = (
                tf.transpose(tf.reshape(part, (count, length, size.groups, 1, size.head)), (0, 2, 3, 1, 4))
                for part in (keys, values)
            )
            agreement = tf.matmul(queries, keys, transpose_b=True) * size.head**-0.5 + hidden
            seen = tf.transpose(tf.matmul(tf.nn.softmax(agreement), values), (0, 3, 1, 2, 4))
            state += tf.reshape(
                tf.matmul(tf.reshape(seen, (-1, size.heads * size.head)), layer["mixed"]), (count, length, size.width)
            )
            state += tf.reshape(self._inner(layer, tf.reshape(state, (-1, size.width))), (count, length, size.width))
        flat = tf.reshape(self._normalised(state, self.last_norm), (-1, size.width))
        return tf.reshape(tf.matmul(flat, self.embedding, transpose_b=True), (count, length, size.vocabulary))

    def step(self, tokens: Any, places: Any, used: Any, caches: list[tuple[Any, Any]]) -> tuple[Any, list[Any]]:
        """The state after int32 [l] tokens, and the new caches.

        Args:
            tokens: int32 [l], the next tokens of one prompt.
            places: int32 [l], their positions.
            used: float32 [l], 1 or 0; a slot with 0 leaves the caches as they are.
            caches: Keys and values of each layer, float32 [1, context, groups, head].

        Returns:
            float32 [l, width] and the pairs of caches. A slot sees the positions up to its own.
        """
        size, length = self.size, tokens.shape[0]
        state = tf.gather(self.embedding, tokens)
        slots = tf.one_hot(places, size.context) * used[:, None]
        kept = 1.0 - tf.reduce_sum(slots, axis=0)[:, None]
        every = tf.constant(np.arange(size.context, dtype=np.int32)[None])
        hidden = tf.where(every > places[:, None], HIDDEN, 0.0)[None, None]
        found = []
        per_group = size.heads // size.groups
        for layer, (old_keys, old_values) in zip(self.layers, caches, strict=True):
            queries, new_keys, new_values = self._projected(layer, state, places)
            keys, values = (
                tf.reshape(old, (size.context, -1)) * kept
                + tf.matmul(slots, tf.reshape(new, (length, -1)), transpose_a=True)
                for old, new in ((old_keys, new_keys), (old_values, new_values))
            )
            shape = (size.context, size.groups, size.head)
            found.append(tuple(tf.reshape(part, (1, *shape)) for part in (keys, values)))
            keys = tf.transpose(tf.reshape(keys, shape), (1, 0, 2))
            values = tf.transpose(tf.reshape(values, shape), (1, 0, 2))
            queries = tf.reshape(queries, (length, size.groups, per_group, size.head))
            queries = tf.reshape(tf.transpose(queries, (1, 2, 0, 3)), (size.groups, per_group * length, size.head))
            agreement = tf.matmul(queries, keys, transpose_b=True) * size.head**-0.5
            agreement = tf.reshape(agreement, (size.groups, per_group, length, size.context)) + hidden
            weights = tf.reshape(tf.nn.softmax(agreement), (size.groups, per_group * length, size.context))
            seen = tf.reshape(tf.matmul(weights, values), (size.groups, per_group, length, size.head))
            seen = tf.reshape(tf.transpose(seen, (2, 0, 1, 3)), (length, size.heads * size.head))
            state += tf.matmul(seen, layer["mixed"])
            state += self._inner(layer, state)
        return state, found

    def scores(self, state: Any) -> Any:
        """Scores [l, vocabulary] of the tokens after states [l, width]."""
        return tf.matmul(self._normalised(state, self.last_norm), self.embedding, transpose_b=True)

    def _projected(self, layer: dict[str, Any], state: Any, places: Any) -> tuple[Any, Any, Any]:
        """Queries [l, heads, head], keys and values [l, groups, head], the first two turned by their positions."""
        inputs = self._normalised(state, layer["before_attention"])
        cosines, sines = (tf.gather(table, places)[:, None] for table in (self._cosines, self._sines))

        def turned(values: Any, heads: int) -> Any:
            first, second = tf.split(tf.reshape(values, (-1, heads, self.size.head)), 2, axis=2)
            return tf.concat([first * cosines - second * sines, first * sines + second * cosines], 2)

        queries = turned(tf.matmul(inputs, layer["query"]), self.size.heads)
        keys = turned(tf.matmul(inputs, layer["key"]), self.size.groups)
        return queries, keys, tf.reshape(tf.matmul(inputs, layer["value"]), (-1, self.size.groups, self.size.head))

    def _inner(self, layer: dict[str, Any], state: Any) -> Any:
        inputs = self._normalised(state, layer["before_inner"])
        gate = tf.matmul(inputs, layer["gate"])
        return tf.matmul(gate * tf.sigmoid(gate) * tf.matmul(inputs, layer["inner"]), layer["outer"])

    def _normalised(self, state: Any, gains: Any) -> Any:
        """Divided by the root of the mean square (Zhang and Sennrich, arXiv:1910.07467), times learned gains."""
        return state * tf.math.rsqrt(tf.reduce_mean(state * state, axis=-1, keepdims=True) + self.size.epsilon) * gains
