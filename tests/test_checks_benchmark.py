"""The benchmark of the checks times right answers, counts what was evaluated, and judges its figures as it says."""

from benchmarks import checks


def record(entries, share=1.0, forward=1e-6):
    seconds = {f"{kind}, {who}": 0.02 * share for kind in ("sample", "default") for who in checks.REFERENCES}
    return {
        "name": "tanh",
        "entries": entries,
        "forward": forward,
        "seconds": {**seconds, "default, jax cold": 0.1, "gradcheck-slow": 0.2},
        "evaluations": {"default, alone": {"forward": 7, "vjp": 3}},
    }


def test_every_contender_is_timed_and_its_evaluations_counted():
    (found,) = checks.run(names=["tanh"], sizes=[10], calls=1, say=lambda line: None)
    assert set(found["seconds"]) == set(found["evaluations"])
    assert {*checks.OTHERS} - {"autograd"} < set(found["seconds"])  # autograd is no part of the tests' environment
    assert all(seconds > 0 for seconds in found["seconds"].values())
    assert found["evaluations"]["gradcheck-slow"]["forward"] >= 20  # a difference up and down each entry
    assert found["evaluations"]["default, alone"]["vjp"] > found["evaluations"]["sample, alone"]["vjp"] > 0


def test_a_figure_beyond_its_most_is_told():
    reached = checks.tables([record(100), record(1_000), record(100_000, 40.0, 1e-4)])[0]
    assert "| ms of a sample through every oracle at 100 entries, of 20 | 3 | 1 | yes |" in reached
    assert "| growth from 1,000 to 100,000 over the forward's own: default, alone | 1.58 | 0.4 | yes |" in reached
    assert "no |" not in reached
    reached = checks.tables([record(100, 5.0), record(1_000), record(100_000, 200.0, 1e-4)])[0]
    assert "| ms of a sample through every oracle at 100 entries, of 20 | 3 | 5 | no |" in reached
    assert "default, alone | 1.58 | 2 | no |" in reached


def test_what_was_not_asked_is_a_dash():
    long = record(10_000)
    del long["seconds"]["gradcheck-slow"]
    table = checks.tables([record(1_000), long])[1]
    assert "| torch gradcheck, slow | 200 ms | - |" in table
    assert "| gradproof, default, alone | 20 ms | 20 ms | 7 + 3 |" in table
