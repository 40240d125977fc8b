"""The samples of each setting, and what PyTorch and JAX say of them; what JAX compiles, it compiles once
for all claims.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from gradproof.claims.record import Claim, parts
from gradproof.claims.sample import Sample
from gradproof.claims.setting import Setting, Truths
from gradproof.errors import InputError

POINTS = 4  # random points a shape


class Evidence:
    """Samples by setting and restriction, with the two frameworks' answers to what `claims` are about."""

    def __init__(
        self, claims: Sequence[Claim], settings: Mapping[str, Setting], truths: Truths, seed: int = 0
    ) -> None:
        self._settings, self._truths, self._seed = settings, truths, seed
        self._samples: dict[tuple[str, str], list[Sample]] = {}
        self._examples: dict[str, Sample] = {}
        self._asked: dict[str, set[str]] = defaultdict(set)
        for claim in claims:
            if claim.setting not in settings:
                raise InputError(
                    f"claim {claim.id!r} names the setting {claim.setting!r}; there are {', '.join(settings)}"
                )
            self._asked[claim.setting].add(claim.of)
            self._samples_of(claim.setting, "")
            if claim.given:
                self._samples_of(claim.setting, claim.given)
            self._examples[claim.id] = self._example_of(claim)

    def free(self, claim: Claim) -> list[Sample]:
        """The samples of the claim's setting, unrestricted."""
        return self._samples[claim.setting, ""]

    def given(self, claim: Claim) -> list[Sample]:
        """The samples under the claim's restriction; the unrestricted ones where it has none."""
        return self._samples[claim.setting, claim.given]

    def example(self, claim: Claim) -> Sample:
        """The small sample of the claim, to be recomputed by hand."""
        return self._examples[claim.id]

    def setting(self, claim: Claim) -> Setting:
        """The claim's setting."""
        return self._settings[claim.setting]

    def truth(self, claim: Claim, sample: Sample) -> dict[str, Any]:
        """What each framework says: {"torch": value, "jax": value}, the entry that the claim is about."""
        if claim.of not in sample.answers.get("jax", {}):
            self._ask_jax(claim.setting)
        both = {"torch": sample.truth(claim.of), "jax": sample.answers["jax"][claim.of]}
        return {
            oracle: np.asarray(value[claim.at] if claim.at is not None else value)
            for oracle, value in both.items()
        }

    def _samples_of(self, name: str, given: str) -> list[Sample]:
        if (name, given) not in self._samples:
            setting = self._settings[name]
            if given and given not in setting.givens:
                raise InputError(
                    f"setting {name!r} has no samples given {given!r}; it has "
                    f"{', '.join(setting.givens) or 'none'}"
                )
            rng = np.random.default_rng([self._seed, zlib.crc32(f"{name}|{given}".encode())])
            shapes = setting.givens[given] if given else setting.shapes
            points = [setting.draw(rng, sizes, given) for sizes in shapes for _ in range(POINTS)]
            self._samples[name, given] = [self._sample(setting, point) for point in points]
        return self._samples[name, given]

    def _example_of(self, claim: Claim) -> Sample:
        setting = self._settings[claim.setting]
        unknown = set(claim.example) - set(setting.example)
        if unknown:
            raise InputError(
                f"claim {claim.id!r}: the example sets {', '.join(sorted(unknown))}; the setting has "
                f"{', '.join(setting.example)}"
            )
        if not claim.example:  # one sample for all claims of the setting that have no example of their own
            for other, sample in self._examples.items():
                if other.startswith("shared ") and sample.setting is setting:
                    return sample
            shared = self._examples[f"shared {claim.setting}"] = self._sample(setting, setting.example)
            return shared
        return self._sample(setting, {**setting.example, **claim.example})

    def _sample(self, setting: Setting, inputs: Mapping[str, Any]) -> Sample:
        known: dict[str, Any] = {}

        @cache
        def answer() -> Callable[[tuple[str, str]], Any]:
            return self._truths.torch_answers(setting.name, sample.inputs)

        def truth(quantity: str) -> Any:
            if quantity not in known:
                try:
                    value = np.array(answer()(parts(quantity)))
                except KeyError as error:
                    raise InputError(
                        f"setting {setting.name!r} has no {error.args[0]!r}, which {quantity!r} needs"
                    ) from None
                value.flags.writeable = False
                known[quantity] = value
            return known[quantity]

        sample = Sample(setting, inputs, truth)
        return sample

    def _ask_jax(self, name: str) -> None:
        groups: dict[Any, list[Sample]] = defaultdict(list)
        everywhere = [
            *(s for key, found in self._samples.items() if key[0] == name for s in found),
            *(s for s in self._examples.values() if s.setting.name == name),
        ]
        for sample in dict.fromkeys(everywhere):
            signature = tuple(
                value if isinstance(value, int) else value.shape for value in sample.inputs.values()
            )
            groups[signature].append(sample)
        asked = {parts(words): words for words in sorted(self._asked[name])}
        for group in groups.values():
            answers = self._truths.jax_answer(name, [sample.inputs for sample in group], list(asked))
            for sample, answer in zip(group, answers, strict=True):
                sample.answers["jax"] = {asked[quantity]: value for quantity, value in answer.items()}
