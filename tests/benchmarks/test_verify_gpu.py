"""The script that verifies GPUs, in its reduced form on the CPU: it passes what is right, and fails what is not."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's, which the script ignores as well


@pytest.fixture(autouse=True)
def compiled_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Traced and differentiated as for inductor; tests/training/test_compile.py has that itself."""
    compile_with = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, **options: compile_with(f, **(options | {"backend": "aot_eager"})))
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def verify(*arguments: str) -> int:
    import verify_gpu  # the folder is on the path only while tests run

    code: int = verify_gpu.main(["--device", "cpu", "--quick", *arguments])
    return code


@pytest.mark.parametrize("part", ["engine", "attention", "training,", "AdamW", "resumed"])
def test_the_cpu_is_what_the_cpu_is(part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "verified.json"
    assert verify("--only", part, "--json", str(file)) == 0
    told = json.loads(file.read_text(encoding="utf-8"))
    assert told["failed"] == 0
    assert told["device"] == "cpu"
    checks = told["checks"]
    assert all(part in check["name"] for check in checks)
    measured = [check for check in checks if check["verdict"] == "passed"]
    assert all(check["difference"] <= check["tolerance"] for check in measured)
    names = {check["name"] for check in measured}
    expected = {
        "engine": {"torch engine, bundled, pictures", "onnx engine, float32, texts", "onnx engine, bundled, patches"},
        "attention": {"attention, plain, float32", "attention, plain, bfloat16"},
        "training,": {"training, compiled, bfloat16", "training, float16 with a scaler", "training, half of the patches"},
        "AdamW": {"fused AdamW"},
        "resumed": {"a run that is resumed"},
    }[part]
    assert expected <= names
    out = capsys.readouterr().out
    assert f"{len(measured)} passed, 0 failed" in out


def test_a_kernel_that_is_wrong_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    right = torch.nn.functional.scaled_dot_product_attention
    wrong = lambda *given, **options: 1.001 * right(*given, **options)  # noqa: E731
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", wrong)
    file = tmp_path / "verified.json"
    assert verify("--only", "attention, plain, float32", "--json", str(file)) == 1
    (check,) = json.loads(file.read_text(encoding="utf-8"))["checks"]
    assert check["verdict"] == "failed"
    assert check["difference"] > check["tolerance"]
    assert "0 passed, 1 failed" in capsys.readouterr().out


def test_a_check_that_breaks_is_a_failure_and_the_others_go_on() -> None:
    import device_check

    def breaks() -> Any:
        raise RuntimeError("the kernel is not there. And more")

    def absent() -> Any:
        raise device_check.Absent("no such thing")

    made = [
        device_check.Check("breaks", "", 1.0, breaks),
        device_check.Check("is no number", "", 1.0, lambda: device_check.Found(float("nan"))),
        device_check.Check("is absent", "", 1.0, absent),
        device_check.Check("passes", "", 1.0, lambda: device_check.Found(0.5)),
    ]
    done = list(device_check.outcomes(made))
    assert [one.verdict for one in done] == ["failed", "failed", "absent", "passed"]
    assert "the kernel is not there" in done[0].note
    assert done[2].note == "no such thing"


def test_a_device_that_is_not_there_and_a_part_that_is_none_are_told(capsys: Any) -> None:
    import verify_gpu

    assert verify_gpu.main(["--device", "warp"]) == 2
    assert "expected one that torch has here, such as 'cpu', got 'warp'" in capsys.readouterr().err
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        assert verify_gpu.main([]) == 2
        assert "torch finds no GPU here" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        verify("--only", "nothing of this name")
