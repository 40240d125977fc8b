"""`gradproof bench`: what is timed, by which clock, what the figures are held to, and where it runs."""

import cProfile
import json
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from benchmarks import __main__ as bench
from benchmarks import commands, contenders, floors, kernels, race, readme
from gradproof.cli import run
from gradproof.commands import bench as command
from tests.test_derivs import MODULES, NETWORKS

RECORD = {
    "name": "convolution",
    "what": "forward",
    "dtype": "float64",
    "size": "small",
    "shapes": "1x1x28x28 6x1x5x5",
    "seconds": {"floor": 1e-5, "numpy": 3e-5, "torch": 4e-5, "jax": 2e-5},
    "floor": "its matrix product",
    "absent": {},
    "bytes": {},
}


def record(**other):
    return {**RECORD, **other}


def seconds(**other):
    return {**RECORD["seconds"], **other}


@pytest.fixture(autouse=True)
def jax_as_it_was():
    """The benchmark has a process of its own and sets JAX to float64 throughout; here others come after it."""
    before = jax.config.jax_enable_x64
    yield
    jax.config.update("jax_enable_x64", before)


# ---- timing


@pytest.fixture
def clock(monkeypatch):
    """A clock that only contenders move on."""
    now = SimpleNamespace(cpu=0.0, wall=0.0)
    monkeypatch.setattr(race.time, "process_time", lambda: now.cpu)
    monkeypatch.setattr(race.time, "perf_counter", lambda: now.wall)
    return now


def test_a_race_tells_the_least_time_of_a_call(clock, monkeypatch):
    monkeypatch.setattr(race, "threads", lambda: 1)
    order = []

    def runner(name, times):
        def call():
            order.append(name)
            clock.cpu += times[min(order.count(name), len(times)) - 1]

        return call

    found = race.race({"slow": runner("slow", [9e-3, 4e-3, 5e-3, 2e-3, 7e-3]), "fast": runner("fast", [1e-4])}, 0.05)
    assert found == {"slow": pytest.approx(2e-3), "fast": pytest.approx(1e-4)}
    turns = "".join(name[0] for name in order[4:])
    assert turns.startswith("s" + 10 * "f" + "s")  # in turns, the fast one ten calls in a row


def test_one_thread_is_timed_by_its_cpu_and_several_by_the_wall(clock, monkeypatch):
    def call():
        clock.cpu += 2e-3
        clock.wall += 1e-3

    for count, expected in ((1, 2e-3), (2, 1e-3)):
        monkeypatch.setattr(race, "threads", lambda count=count: count)
        assert race.race({"numpy": call}, 0.01)["numpy"] == pytest.approx(expected)


def test_every_library_gets_the_same_threads():
    for count in (1, 2):
        told = race.environment(count)
        assert {told[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")} == {str(count)}
    assert "eigen=false" in race.environment(1)["XLA_FLAGS"]


# ---- what is timed


def test_every_derivative_and_network_is_timed_and_every_operation_at_both_sizes():
    assert set(kernels.NAMES) == {module.EQUATION.name for module in MODULES}
    networks = {module.EQUATION.name for module in NETWORKS}
    for name in kernels.NAMES:
        sizes = {case.size for case in kernels.CASES if case.name == name}
        assert sizes >= ({"small"} if name in networks else {"small", "large"})


@pytest.mark.parametrize("case", [next(c for c in kernels.CASES if c.name == name) for name in kernels.NAMES])
def test_all_contenders_compute_the_same(case):
    problem = contenders.Problem(case, "float64")
    hand, torch = problem.tasks("numpy"), problem.tasks("torch")
    assert set(hand) == set(torch)
    for what in hand:
        ours, theirs = hand[what](), torch[what]()
        if what == "step":
            np.testing.assert_allclose(ours[0], theirs.detach().numpy(), rtol=1e-6)
            for new, old in zip(ours[1], problem.inputs[2:], strict=True):
                np.testing.assert_allclose(new, old, atol=1e-6)
                assert not np.array_equal(new, old)
        else:
            ours = [*ours.values()] if what == "backward" else [ours]
            theirs = theirs if what == "backward" else [theirs]
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(a, b.detach().numpy(), rtol=1e-9, atol=1e-12)
        words, passes = floors.floor(problem, what)
        assert words
        passes()


def test_jax_computes_the_same_step_and_gradients():
    network = next(case for case in kernels.CASES if case.name == "relu_sigmoid")
    problem = contenders.Problem(network, "float64")
    ours, theirs = problem.tasks("numpy")["step"](), problem.tasks("jax")["step"]()
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
    for a, b in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    problem = contenders.Problem(next(case for case in kernels.CASES if case.name == "dense"), "float32")
    ours, theirs = problem.tasks("numpy")["backward"](), problem.tasks("jax")["backward"]()
    for a, b in zip(ours.values(), theirs, strict=True):
        assert b.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_framework_that_cannot_is_named_with_its_reason(monkeypatch):
    def refuse(problem):
        raise RuntimeError("no compiler here\nand more")

    monkeypatch.setattr(contenders.Problem, "_compile", refuse)
    monkeypatch.setattr(kernels, "race", lambda runners, seconds: dict.fromkeys(runners, 1e-6))
    said = []
    found = kernels.run(names=["relu"], sizes=["small"], frameworks=["compile"], dtypes=["float64"], say=said.append)
    assert [one["what"] for one in found] == ["forward", "backward"]
    assert found[0]["absent"] == {"compile": "RuntimeError: no compiler here"}
    assert set(found[0]["seconds"]) == {"floor", "numpy"}
    assert kernels.tables(found)[-1] == "Not measured: compile of relu: RuntimeError: no compiler here."
    assert len(said) == 2


def test_memory_is_that_of_numpy_and_of_torch():
    x = np.ones((64, 64))
    import torch

    tasks = {"numpy": {"forward": lambda: x + x}, "torch": {"forward": lambda: torch.ones(128, 64).double() * 2}}
    found = kernels._memory(tasks, "forward")
    assert x.nbytes <= found["numpy"] < 2 * x.nbytes
    assert 4 * x.nbytes <= found["torch"] < 8 * x.nbytes


# ---- what it is held to


@pytest.mark.parametrize(
    ("other", "to", "most"),
    [
        ({}, "best", 1.0),
        ({"size": "large"}, "best", 1.3),
        ({"size": "large", "dtype": "float32"}, "floor", 1.5),
        ({"name": "dense"}, "best", 1.1),
        ({"name": "cnn_softmax", "what": "step"}, "best", 0.5),
        ({"name": "relu"}, "floor", 1.1),
    ],
)
def test_a_figure_beyond_its_goal_is_bold_and_one_within_is_not(other, to, most):
    base = 2e-5 if to == "best" else 1e-5
    within, beyond = (
        record(**other, seconds=seconds(numpy=base * most * factor, compile=1.0)) for factor in (0.99, 1.01)
    )
    held = kernels.goal(within)
    assert (held.to, held.most) == (to, most)
    assert kernels.reached(within) is True
    assert kernels.reached(beyond) is False
    assert "**" not in kernels.tables([within])[1]
    assert kernels.tables([beyond])[1].count("**") == 2
    summary = kernels.tables([within, {**beyond, "shapes": "other"}])[0].splitlines()[-1]
    assert summary.endswith(f"| {most:g} | {most:.2f} | {most * 1.01:.2f} | 1 of 2 |")


def test_what_is_held_to_nothing_is_neither():
    large = record(name="cnn_softmax", what="step", size="large")
    assert kernels.goal(large) is None
    assert kernels.reached(large) is None
    alone = record(seconds={"floor": 1e-5, "numpy": 3e-5})
    assert kernels.reached(alone) is None  # no framework to be held to
    assert kernels.reached(record(name="flatten", seconds=seconds(floor=1e-8))) is None


def test_rows_are_told_apart_by_their_shapes():
    shapes = [kernels._shapes(contenders.Problem(case, "float32").inputs) for case in kernels.CASES]
    rows = [(case.name, shape) for case, shape in zip(kernels.CASES, shapes, strict=True)]
    assert len(set(rows)) == len(rows)
    assert ("chain_rule", "3840 3840 3840") in rows


def test_forward_and_backward_together_are_their_sum():
    both = kernels._both(record(), record(what="backward", seconds=seconds(numpy=1e-5, jax=6e-5)))
    assert both["what"] == "both"
    assert both["seconds"] == pytest.approx({"floor": 2e-5, "numpy": 4e-5, "torch": 8e-5, "jax": 8e-5})


def test_memory_beyond_three_times_is_bold():
    held = [record(bytes={"numpy": factor << 20, "torch": 2 << 20}) for factor in (6, 7)]
    lines = kernels._memory_table(held).splitlines()
    assert "**" not in lines[2]
    assert "**3.5**" in lines[3]


# ---- the command


@pytest.fixture
def started(monkeypatch):
    """The command with the process it starts taken down, not started."""
    seen = SimpleNamespace(words=None, cwd=None, code=0)

    def start(words, check, cwd):
        seen.words, seen.cwd = words, cwd
        return SimpleNamespace(returncode=seen.code)

    monkeypatch.setattr(command.subprocess, "run", start)
    return seen


def test_it_runs_in_the_checkout_and_hands_on_its_options_and_code(started, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    started.code = 5
    options = ["--threads", "2", "--only", "dense", "--only", "relu", "--quick", "--no-compile"]
    assert run(["bench", "kernels", "--json", "kept.json", *options]) == 5
    assert started.words[1:] == ["-m", "benchmarks", "kernels", *options, "--json", str(tmp_path / "kept.json")]
    assert (started.cwd / "benchmarks" / "kernels.py").is_file()


def test_outside_of_a_checkout_it_says_so_in_one_line(started, tmp_path, monkeypatch, capsys):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "kernels.py").write_text("raise SystemExit('a stranger')\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "another"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "__file__", str(tmp_path / "site" / "gradproof" / "commands" / "bench.py"))
    assert run(["bench"]) == 2
    assert started.words is None
    (line,) = capsys.readouterr().err.splitlines()
    assert "not part of the installed package" in line
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "gradproof"\n', encoding="utf-8")
    assert run(["bench"]) == 0
    assert started.cwd == tmp_path


@pytest.fixture
def untouched(monkeypatch):
    """This process's own threads and cores stay as they are, and nothing is timed."""
    monkeypatch.setattr(race, "pin", lambda count: None)
    monkeypatch.setattr(race, "environment", lambda count: {})
    monkeypatch.setattr(kernels, "race", lambda runners, seconds: dict.fromkeys(runners, 1e-6))
    monkeypatch.setattr(bench, "BENCHMARKS", ("kernels",))


def test_it_prints_tables_and_keeps_the_figures(untouched, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(kernels.QUICK, "frameworks", ("torch",))
    file = tmp_path / "kept.json"
    assert bench.main(["--quick", "--only", "relu", "--json", str(file)]) == 0
    out, err = capsys.readouterr()
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert [one["what"] for one in kept["kernels"]] == ["forward", "backward"] * 2
    assert kept["machine"]["numpy"] == np.__version__
    assert out == bench.text(kept) + "\n"
    assert race.told(kept["machine"]) in out
    assert "| relu forward |" in out
    assert len([line for line in err.splitlines() if line.startswith("relu ")]) == 4


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nosuch"], 2, "no benchmark is named nosuch; choose from kernels"),
        (["--json", "/nosuch/x.json"], 2, "there is no folder /nosuch"),
        (["--only", "nosuch"], 5, "nothing to time is named nosuch"),
    ],
)
def test_what_it_cannot_do_it_says_in_one_line(untouched, capsys, words, code, said):
    assert bench.main(words) == code
    (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.endswith("kernels:")]
    assert said in line


def test_figures_of_several_runs_are_joined_the_later_ones_first(tmp_path, monkeypatch):
    monkeypatch.setattr(readme, "TIMES", tmp_path / "bench.json")
    early = {"machine": race.machine(), "settings": [], "kernels": [record(), record(what="backward")]}
    late = {**early, "kernels": [record(seconds=seconds(numpy=7.123456e-6))]}
    for name, figures in (("early", early), ("late", late)):
        (tmp_path / f"{name}.json").write_text(json.dumps(figures), encoding="utf-8")
    readme.take_times([tmp_path / "early.json", tmp_path / "late.json"])
    kept = json.loads(readme.TIMES.read_text(encoding="utf-8"))
    assert [(one["what"], one["seconds"]["numpy"]) for one in kept["kernels"]] == [
        ("forward", 7.123e-6),
        ("backward", 3e-5),
    ]
    lines = readme.bench().splitlines()
    assert "| convolution forward | 1x1x28x28 6x1x5x5 | 7.12 µs |" in "\n".join(lines)
    assert lines.index("<details>") > lines.index("| NumPy's time | to reach | median | largest | within |")


def test_the_figures_in_readme_are_those_of_the_file():
    text = readme.README.read_text(encoding="utf-8")
    assert readme.block("bench", text) == readme.bench()


# ---- whole commands


@pytest.fixture
def called(monkeypatch):
    """Commands that are not started, and whether the cache of each was empty."""
    seen = []

    def start(words, env, **_):
        cache = env.get("XDG_CACHE_HOME", "")
        seen.append((words[1:], bool(cache) and not any(Path(cache).iterdir())))
        if "cProfile" in words[2]:
            (file,) = words[3:]
            profile = cProfile.Profile()
            profile.runcall(sorted, [2, 1])
            profile.dump_stats(file)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(commands.subprocess, "run", start)
    monkeypatch.setattr(commands.os, "sched_setaffinity", lambda *_: None, raising=False)
    return seen


def test_each_command_is_warmed_and_timed_and_cold_is_an_empty_cache(called):
    records = commands.run(turns=2, say=lambda line: None)
    assert [one["name"] for one in records] == [*commands.COMMANDS, commands.PROFILE]
    assert all(one["seconds"] > 0 for one in records[:-1])
    assert list(records[-1]["parts"]) == ["the rest"]
    for name, words in commands.COMMANDS.items():
        times = [empty for given, empty in called if tuple(given) == words]
        alike = [other for other in commands.COMMANDS if commands.COMMANDS[other] == words]
        assert len(times) == sum(2 if other in commands.ONCE else 3 for other in alike)
        assert times.count(True) == 3 * ("report, cold" in alike), name


def test_a_first_look_leaves_out_what_takes_minutes(called):
    records = commands.run(say=lambda line: None, **commands.QUICK)
    assert not {*commands.ONCE, "report, cold"} & {one["name"] for one in records}
    assert len(called) == 2 * (len(records) - 1) + 1


def test_a_command_that_fails_is_not_timed(monkeypatch):
    monkeypatch.setattr(commands, "COMMANDS", {"import": ("-c", "raise SystemExit('nothing here')")})
    with pytest.raises(RuntimeError, match="ended with 1: nothing here"):
        commands._seconds("import")


def test_time_goes_to_what_a_function_belongs_to_and_a_builtin_to_its_callers():
    builtin = ("~", 0, "<built-in method builtins.sum>")
    ours, theirs = ("/a/gradproof/oracles/ball.py", 1, "f"), ("/a/site-packages/torch/nn.py", 2, "g")
    stats = {
        builtin: (2, 2, 5.0, 5.0, {ours: (1, 1, 2.0, 2.0), theirs: (1, 1, 3.0, 3.0)}),
        ours: (1, 1, 1.0, 3.0, {}),
        theirs: (1, 1, 0.5, 3.5, {}),
        ("/a/gradproof/judge.py", 1, "<module>"): (1, 1, 0.25, 0.25, {}),
        ("/a/gradproof/judge.py", 9, "judge"): (1, 1, 0.75, 0.75, {}),
        ("/a/gradproof/oracles/finite_differences.py", 9, "f"): (1, 1, 0.1, 0.1, {}),
        ("/a/derivs/relu.py", 9, "forward"): (1, 1, 0.2, 0.2, {}),
    }
    assert commands.parts_of(stats) == {
        "PyTorch": 3.5,
        "balls": 3.0,
        "the engine": 0.75,
        "importing": 0.25,
        "the derivatives": 0.2,
        "differences": 0.1,
    }


@pytest.mark.parametrize(("report", "reached"), [(8.0, "yes"), (8.1, "no")])
def test_figures_of_the_commands_are_held_to_what_is_to_be_reached(report, reached):
    took = {"import": 2.0, "report": report, "report, cold": 60.1}
    records = [{"name": name, "seconds": seconds} for name, seconds in took.items()]
    first, *others = commands.tables([*records, {"name": "profile", "parts": {"JAX": 3.0, "balls": 1.0}}])
    assert first.splitlines()[2:] == [
        f"| the report, warm, over the import of numpy, torch and jax | 4 | {report / 2:.3g} | {reached} |",
        "| the report, cold, seconds | 60 | 60.1 | no |",
    ]
    assert "| report, cold | 60.1 s |" in others[0]
    assert "| JAX | 3.00 s | 75% |" in others[1]
