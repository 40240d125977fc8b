"""The oracles: contract, torch, jax, differences, ball, kink. Each answers with a value and a bound, or not at all."""
