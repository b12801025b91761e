#!/usr/bin/env python3
"""The training steps of the recurrent bench in JAX and in PyTorch (Python), one thread.

A line per peer, model and shape, as build/tests/bench/recurrent --csv's columns begin:
    <model> <T,B,I,H> <peer> <median ms> <minimum ms>

A step is forward, mean cross-entropy of a linear readout at every step, backward, clipping by global
norm and SGD, in float32. JAX runs lax.scan under jit: what a cell written by its user gets; JAX-naive
has the products with the input in the scan, too. The model custom is the leaky cell of the README.

examples:
    peers.py                                      every model and shape
    peers.py --model lstm --shape 100,20,6,50     one of each
    peers.py --model custom --peer jax --seconds 10
"""
import argparse
import importlib.util
import os
import sys
import time

SHAPES = ["100,20,6,50", "100,32,64,128", "50,64,128,256", "35,20,650,650", "100,1,64,128"]
LEARNING_RATE, CLIP_NORM = 0.01, 1.0
GATES = {"lstm": 4, "rnn": 1, "gru": 3, "custom": 1}
LEAK = 0.2


def one_thread():
    """Must run before numpy, jax or torch load their thread pools."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["JAX_PLATFORMS"] = "cpu"
    # XLA sizes its pool by the cores the process may use: one core, one thread.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def start(model, T, B, I, H):
    """x (T,B,I), targets (T,B) and parameters, in the layout and as the bench draws them."""
    import numpy as np

    rng = np.random.default_rng(1)
    G = GATES[model]
    cell = {"weight_ih": (G * H, I), "weight_hh": (G * H, H), "bias_ih": (G * H,), "bias_hh": (G * H,)}
    if model == "custom":
        cell = {"w": (I, H), "u": (H, H), "b": (H,)}
    shapes = {**cell, "readout.weight": (I, H), "readout.bias": (I,)}
    bound = H ** -0.5
    parameters = {name: rng.uniform(-bound, bound, shape).astype("float32")
                  for name, shape in shapes.items()}
    return rng.normal(size=(T, B, I)).astype("float32"), rng.integers(0, I, (T, B)), parameters


def jax_step(model, T, B, I, H, naive=False):
    """naive: the custom cell with everything in the scan."""
    import jax
    import jax.numpy as jnp

    x, targets, parameters = jax.tree.map(jnp.asarray, start(model, T, B, I, H))

    def lstm(p, state, z):
        h, c = state
        i, f, g, o = jnp.split(z + h @ p["weight_hh"].T, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def rnn(p, state, z):
        h = jnp.tanh(z + state[0] @ p["weight_hh"].T)
        return (h,), h

    def gru(p, state, z):
        h, u = state[0], state[0] @ p["weight_hh"].T
        r, k = jnp.split(jax.nn.sigmoid(z[..., :2 * H] + u[..., :2 * H]), 2, axis=-1)
        n = jnp.tanh(z[..., 2 * H:] + r * (u[..., 2 * H:] + p["bias_hh"][2 * H:]))
        h = n + k * (h - n)
        return (h,), h

    def custom(p, state, z):
        h = LEAK * state[0] + (1 - LEAK) * jnp.tanh(z + state[0] @ p["u"])
        return (h,), h

    cell = {"lstm": lstm, "rnn": rnn, "gru": gru, "custom": custom}[model]
    state = (jnp.zeros((B, H)),) * (2 if model == "lstm" else 1)

    def project(p, x):
        if model == "custom":
            return x @ p["w"] + p["b"]
        if model == "gru":  # the reset gate multiplies the recurrent bias of n
            return x @ p["weight_ih"].T + p["bias_ih"] + p["bias_hh"].at[2 * H:].set(0)
        return x @ p["weight_ih"].T + p["bias_ih"] + p["bias_hh"]

    def loss_of(p):
        if naive:
            _, h = jax.lax.scan(lambda s, xt: cell(p, s, project(p, xt)), state, x)
        else:
            _, h = jax.lax.scan(lambda s, zt: cell(p, s, zt), state, project(p, x))
        log_p = jax.nn.log_softmax(h @ p["readout.weight"].T + p["readout.bias"])
        return -jnp.take_along_axis(log_p, targets[..., None], axis=-1).mean()

    @jax.jit
    def train(p):
        loss, gradients = jax.value_and_grad(loss_of)(p)
        norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(gradients)))
        rate = LEARNING_RATE * jnp.minimum(1.0, CLIP_NORM / (norm + 1e-6))
        return loss, jax.tree.map(lambda w, g: w - rate * g, p, gradients)

    def step():
        nonlocal parameters
        loss, parameters = train(parameters)
        return float(jax.block_until_ready((loss, parameters))[0])

    return step


def leaky_layer(I, H):
    """The custom cell as a PyTorch user writes it: a loop over time, the input in one product."""
    import torch

    class Leaky(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.u, self.b = (torch.nn.Parameter(torch.empty(*shape))
                                      for shape in [(I, H), (H, H), (H,)])

        def forward(self, x):
            h, states = x.new_zeros(x.shape[1], H), []
            for z in x @ self.w + self.b:
                h = LEAK * h + (1 - LEAK) * torch.tanh(z + h @ self.u)
                states.append(h)
            return torch.stack(states), h

    return Leaky()


def torch_step(model, T, B, I, H):
    import torch

    torch.set_num_threads(1)
    x, targets, parameters = start(model, T, B, I, H)
    x, targets = torch.from_numpy(x), torch.from_numpy(targets).flatten()
    layer = leaky_layer(I, H) if model == "custom" else getattr(torch.nn, model.upper())(I, H)
    readout = torch.nn.Linear(H, I)
    trained = [*layer.parameters(), *readout.parameters()]
    with torch.no_grad():
        for to, value in zip(trained, parameters.values()):
            to.copy_(torch.from_numpy(value))
    sgd = torch.optim.SGD(trained, lr=LEARNING_RATE)

    def step():
        sgd.zero_grad()
        loss = torch.nn.functional.cross_entropy(readout(layer(x)[0]).flatten(0, 1), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, CLIP_NORM)
        sgd.step()
        return loss.item()

    return step


def jax_naive_step(model, *shape):
    return jax_step(model, *shape, naive=True)


PEERS = {"jax": ("JAX", jax_step), "jax-naive": ("JAX-naive", jax_naive_step),
         "torch": ("PyTorch-python", torch_step)}


def measure(steps, seconds):
    """Round robin, one counted step each: (median, minimum) seconds per contestant."""
    samples = [[] for _ in steps]
    for step in steps:
        step(), step()  # compiles, warms up
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds or len(samples[0]) < 7:
        for step, taken in zip(steps, samples):
            step()  # brings its data back into the cache; not counted
            before = time.perf_counter()
            step()
            taken.append(time.perf_counter() - before)
    return [(sorted(taken)[len(taken) // 2], min(taken)) for taken in samples]


def shape_of(text):
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if len(shape) != 4 or min(shape) < 1:
        raise argparse.ArgumentTypeError(f"{text}: a shape is T,B,I,H, four positive integers")
    return shape


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(GATES), help="default: all")
    parser.add_argument("--shape", type=shape_of, nargs="+", metavar="T,B,I,H", help="default: all five")
    parser.add_argument("--peer", choices=list(PEERS), help="default: every one installed")
    parser.add_argument("--seconds", type=float, default=3.0, help="per model and shape (default 3)")
    options = parser.parse_args()

    wanted = [options.peer] if options.peer else list(PEERS)
    installed = [name for name in wanted if importlib.util.find_spec(name.split("-")[0]) is not None]
    if not installed:
        sys.exit(f"peers.py: none of these Python packages is installed: {', '.join(wanted)} "
                 "(pip install jax torch)")
    one_thread()
    for model in [options.model] if options.model else list(GATES):
        for shape in options.shape or [shape_of(text) for text in SHAPES]:
            timings = measure([PEERS[name][1](model, *shape) for name in installed], options.seconds)
            for name, (median, minimum) in zip(installed, timings):
                print(f"{model} {','.join(map(str, shape))} {PEERS[name][0]} "
                      f"{median * 1e3:.3f} {minimum * 1e3:.3f}", flush=True)


if __name__ == "__main__":
    main()
