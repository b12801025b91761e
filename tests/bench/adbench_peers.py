#!/usr/bin/env python3
"""The LSTM objective of ADBench and its gradient in JAX: lax.scan under jit, in double, one thread.

Prints what build/tests/bench/adbench prints: objective, first gradient entry, and the minimum and median ms of
the objective and of the gradient.

examples:
    adbench_peers.py data/lstm/lstm_l2_c1024.txt
    adbench_peers.py data/lstm/lstm_l4_c4096.txt --seconds 10
"""
import argparse
import statistics
import time

from peers import one_thread


def read(path):
    """main (l, 8, b), extra (3, b), state (l, 2, b) and sequence (c, b) of a file."""
    import numpy as np

    with open(path) as file:
        words = file.read().split()
    l, c, b = (int(word) for word in words[:3])
    shapes = [(l, 8, b), (3, b), (l, 2, b), (c, b)]
    sizes = [int(np.prod(shape)) for shape in shapes]
    numbers = np.array(words[3:], dtype=float)
    if numbers.size != sum(sizes):
        raise SystemExit(f"{path}: holds {numbers.size} numbers after its counts; they need {sum(sizes)}")
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes)]


def functions(path):
    """The compiled objective and gradient, each a function of nothing."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    main, extra, state, sequence = [jnp.asarray(part) for part in read(path)]

    def character(main, extra, state, x):
        v, after = x * extra[0], []
        for w, (h, c) in zip(main, state):
            forget, outgate = jax.nn.sigmoid(v * w[0] + w[4]), jax.nn.sigmoid(v * w[2] + w[6])
            ingate, change = jax.nn.sigmoid(h * w[1] + w[5]), jnp.tanh(h * w[3] + w[7])
            c = c * forget + change * ingate
            v = outgate * jnp.tanh(c)
            after.append(jnp.stack([v, c]))
        return jnp.stack(after), v

    def objective(main, extra):
        _, outputs = jax.lax.scan(lambda s, x: character(main, extra, s, x), state, sequence[:-1])
        p = outputs * extra[1] + extra[2]
        normalised = p - jnp.log(jnp.exp(p).sum(axis=1, keepdims=True) + 2)
        return -(sequence[1:] * normalised).mean()

    value = jax.jit(objective)
    gradient = jax.jit(jax.value_and_grad(objective, argnums=(0, 1)))
    return (lambda: jax.block_until_ready(value(main, extra)),
            lambda: jax.block_until_ready(gradient(main, extra)))


def times(function, seconds):
    """Minimum and median ms."""
    for _ in range(3):  # compiles, and warms up
        function()
    taken, end = [], time.perf_counter() + seconds
    while len(taken) < 7 or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        taken.append(1e3 * (time.perf_counter() - start))
    return min(taken), statistics.median(taken)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--seconds", type=float, default=2, help="for each of the two, about")
    arguments = parser.parse_args()
    one_thread()
    objective, gradient = functions(arguments.file)
    value, (by_main, _) = gradient()
    print(f"objective {float(value):.12g}, first gradient entry {float(by_main[0, 0, 0]):.10g}")
    for name, function in ("objective", objective), ("gradient", gradient):
        print("{} ms: minimum {:.4f}, median {:.4f}".format(name, *times(function, arguments.seconds)))


if __name__ == "__main__":
    main()
