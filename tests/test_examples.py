"""The examples run, and so do the commands of the README and the tutorial, with the outputs shown there."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import pytest
from PIL import Image

from tests.conftest import PHOTOS
from tests.generation.pipelines import stable_diffusion_1
from tests.generation.single_file import single_file

PROJECT = PHOTOS.parent.parent


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory, photos: list[Path]) -> Path:
    folder = tmp_path_factory.mktemp("few")
    for path in photos[::6]:
        shutil.copy(path, folder)
    return folder


@pytest.mark.parametrize("name", ["search_in_python.py", "classify_in_python.py"])
def test_example_runs(name: str, few: Path) -> None:
    run = subprocess.run([sys.executable, PROJECT / "examples" / name, few], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert len(run.stdout.splitlines()) >= 5


def test_first_look_finds_pictures_and_writes_the_page(few: Path, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("photos"))
    script = [sys.executable, tmp_path / "examples" / "first_look.py", few]
    run = subprocess.run(script, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    page = (tmp_path / "out" / "results.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") >= 15
    assert "What is it?" in page


def test_paint_paints_and_says_in_a_line_what_it_cannot(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # older diffusers warn at their import that there is no CUDA
        from tests.generation.pipelines import stable_diffusion_1
    folder = stable_diffusion_1(tmp_path / "generator")

    def run(prompt: str) -> subprocess.CompletedProcess[str]:
        options = ["--checkpoint", str(folder), "--size", "16", "--steps", "2", "-o", str(tmp_path / "cat.png")]
        command = [sys.executable, str(PROJECT / "examples" / "paint.py"), prompt, *options]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    wrong = run("a (cat")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert re.fullmatch(r"paint: the \( at character 3 of the prompt is never closed; .*\n", wrong.stderr)
    assert not (tmp_path / "cat.png").exists()
    right = run("a (cat:1.2) in sunglasses")
    assert right.returncode == 0, right.stderr
    assert "Painted" in right.stderr
    with Image.open(tmp_path / "cat.png") as picture:
        assert picture.size == (16, 16)


def test_every_example_photo_is_attributed(photos: list[Path]) -> None:
    text = (PROJECT / "examples" / "ATTRIBUTION.md").read_text(encoding="utf-8")
    missing = [path for path in photos if path.relative_to(PHOTOS).as_posix() not in text]
    assert not missing
    assert sum(path.stat().st_size for path in photos) < 6_000_000


class Command(NamedTuple):
    """A line of a page that is typed into a shell, and the lines that the page shows as its output."""

    line: str
    output: list[str]


def blocks(page: str, language: str = "") -> list[list[str]]:
    """The lines of each of a page's code blocks in this language."""
    pieces = re.split(r"^```(.*)\n", (PROJECT / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    # Text, mark, block, mark of the end, text, ...
    return [block.splitlines() for mark, block in zip(pieces[1::4], pieces[2::4], strict=True) if mark == language]


def commands(page: str) -> list[Command]:
    """The commands in a page's code blocks, without comments: after `$` with their output, otherwise those of seesay alone."""
    found: list[Command] = []
    for block in blocks(page):
        for line in block:
            if line.startswith("$ ") or re.match(r"(mkdir .*)?seesay ", line):
                found.append(Command(line.removeprefix("$ ").split("#")[0].strip(), []))
            elif block[0].startswith("$ "):
                found[-1].output.append(line)
    return found


def python(page: str) -> list[str]:
    (block,) = blocks(page, "python")
    return block


def test_both_readmes_say_the_same_commands_and_code() -> None:
    assert commands("README.zh-CN.md") == commands("README.md")
    assert len(commands("README.md")) >= 12

    def code(file: str) -> list[str]:
        return [line.split("#")[0].rstrip() for line in python(file)]

    assert code("README.zh-CN.md") == code("README.md")


def test_both_readmes_show_the_same_scores() -> None:
    def scores(file: str) -> list[str]:
        return re.findall(r"\d+\.\d \(\d+\.\d-\d+\.\d\)", (PROJECT / file).read_text(encoding="utf-8"))

    assert scores("README.zh-CN.md") == scores("README.md")
    card = (PROJECT / "src" / "seesay" / "bundled" / "card.json").read_text(encoding="utf-8")
    assert not [score for score in scores("README.md") if f"{score.split('(')[1].rstrip(')')} %" not in card]


RECIPE = """
name = "mine"
steps = 2
[model]
start = "bundled"
[model.image]
unlocked_groups = 0
[data]
batch = 2
[[data.sources]]
kind = "manifest"
path = "captions.tsv"
[optimizer]
learning_rate = 1e-5
"""


@pytest.fixture
def home(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the pages' commands name: the example photos, pictures, one of them dated, a list of captions."""
    photos = sorted(few.iterdir())
    shutil.copytree(PHOTOS, tmp_path / "examples" / "photos")
    for place in ("Pictures", "Pictures/old", "Pictures/2024"):
        (tmp_path / place).mkdir(parents=True)
        for photo in photos[:6]:
            shutil.copy(photo, tmp_path / place)
    for name in ("a.jpg", "b.jpg", "photo.jpg", "beach.jpg", "new.jpg", "rex-1.jpg", "rex-2.jpg"):
        shutil.copy(photos[len(name)], tmp_path / name)
    (tmp_path / "captions.tsv").write_text("image\ttext\na.jpg\ta dog on grass\nb.jpg\ta boat\n", encoding="utf-8")
    labels = {"a": "dog", "photo": "dog", "rex-1": "dog", "rex-2": "dog", "b": "boat", "beach": "boat", "new": "boat"}
    rows = "".join(f"{name}.jpg\t{label}\n" for name, label in labels.items())
    (tmp_path / "labels.tsv").write_text(f"image\tlabel\n{rows}", encoding="utf-8")
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    single_file(stable_diffusion_1(tmp_path / "painter"), tmp_path / "model.safetensors")
    single_file(stable_diffusion_1(tmp_path / "painter"), tmp_path / "model.safetensors")
    taken = Image.Exif()
    taken[0x0132] = "2024:05:17 18:30:05"
    with Image.open(photos[0]) as photo:
        photo.resize((400, 300)).save(tmp_path / "Pictures" / "2024" / "IMG_2022.jpg", exif=taken)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def serves(command: str, home: Path) -> None:
    """It serves until it is told to end, and opens a page where it says so; at a free port, not to meet another server."""
    opened = home / "opened"
    opened.unlink(missing_ok=True)
    (home / "bin").mkdir(exist_ok=True)
    browser = home / "bin" / "xdg-open"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{opened}"\n', encoding="utf-8")
    browser.chmod(0o755)
    environment = os.environ | {"PATH": f"{browser.parent}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(f"exec {command} --port 0", shell=True, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("seesay: serving at http://localhost:"), f"{command}\n{line}"
    with urlopen(f"{line.split()[3]}/v1/library", timeout=30) as answer:
        assert json.load(answer)["model"] == "bundled"
    if "--open" in command:
        assert opened.read_text().strip() == line.split()[3]
    process.terminate()
    process.communicate(timeout=60)


def words_and_numbers(output: str) -> list[str]:
    """An output without bars, durations and the library's folder, all of which differ from machine to machine."""
    output = re.sub(r" in [\d.]+ s( \(\d+ pictures/s\))?\. Library: .*", "", output)
    return re.sub(r"[\u2588-\u258f]+", " ", output).split()


def same(shown: str, printed: str) -> bool:
    """Percentages may differ by 3 and cosines by 0.02, since processors round 8-bit products differently; all else is equal."""
    if not all(re.fullmatch(r"-?\d+(\.\d+)?%?", word) for word in (shown, printed)):
        return shown == printed
    tolerance = 3 if shown.endswith("%") else 0.02 if "." in shown else 0
    return shown[-1:].isdigit() == printed[-1:].isdigit() and (
        abs(float(shown.rstrip("%")) - float(printed.rstrip("%"))) <= tolerance
    )


def check_output(command: Command, run: subprocess.CompletedProcess[str]) -> None:
    notes = [line for line in command.output if line.startswith("seesay: ")]
    assert all(note in run.stderr for note in notes), f"{command.line}\n{run.stderr}"
    shown = words_and_numbers("\n".join(line for line in command.output if line not in notes))
    printed = words_and_numbers(run.stdout)
    assert len(shown) == len(printed), f"{command.line}\n{run.stdout}"
    assert all(map(same, shown, printed)), f"{command.line}\n{run.stdout}"


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_every_command_runs_as_written_and_prints_what_is_shown(page: str, home: Path) -> None:
    ends = []
    for command in commands(page):
        if command.line.startswith("seesay serve"):
            serves(command.line, home)
            continue
        line = f"{command.line} --steps 3" if command.line.startswith("seesay draw") else command.line  # 150 take a minute
        run = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
        assert (run.returncode, "Traceback" in run.stderr) == (0, False), f"{command.line}\n{run.stderr}"
        if command.output:
            check_output(command, run)
        ends += [(home / name).exists() for name in re.findall(r"(?:--html|-o) (\S+)", command.line)]
        if "cp {} best/" in command.line:
            assert list((home / "best").iterdir())
    assert ends
    assert all(ends)


def test_the_server_of_the_readme_serves(home: Path) -> None:
    assert "`seesay serve ~/Pictures`" in (PROJECT / "README.md").read_text(encoding="utf-8")
    serves("seesay serve ~/Pictures", home)


def training_recipes() -> list[str]:
    text = (PROJECT / "docs" / "training.md").read_text(encoding="utf-8")
    return re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)


def test_the_first_recipe_of_the_page_on_training_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seesay.training.recipe import read_recipe
    from seesay.training.trainer import train

    (tmp_path / "examples").symlink_to(PROJECT / "examples")
    (tmp_path / "first.toml").write_text(training_recipes()[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = train(read_recipe(tmp_path / "first.toml"))
    assert result.model is not None
    assert not result.skipped


def test_the_distillation_of_the_page_on_training_runs_as_written(tmp_path: Path, few: Path) -> None:
    pictures = sorted(few.iterdir())[:8]
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "images").symlink_to(few)
    rows = [f"{picture.name}\ta photo of {picture.stem}" for picture in pictures]
    (tmp_path / "pairs" / "captions.tsv").write_text("\n".join(["image\ttext", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "distil.toml").write_text(
        next(text for text in training_recipes() if 'name = "student"' in text), encoding="utf-8"
    )
    steps = "--set data.batch=4 --set steps=2"  # the page's batch is for more than eight pairs
    for command in (
        "seesay embed pairs/images pairs/captions.tsv -o pairs/teacher.parquet",
        f"seesay train distil.toml --set root=pairs {steps}",
    ):
        environment = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
        run = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
        assert run.returncode == 0, run.stderr
    log = (tmp_path / "runs" / "student" / "log.jsonl").read_text(encoding="utf-8")
    assert "embedding_loss" in log
    assert (tmp_path / "runs" / "student" / "model" / "config.json").is_file()


# In the order of the page's table.
PARTS_OF_A_RECIPE = (
    ("Recipe",),
    ("ModelRecipe",),
    ("ImageTowerRecipe", "TextTowerRecipe"),
    ("Data", "Augment"),
    ("Manifest", "ClassTable", "ClassFolder", "Shards"),
    ("Loss", "Distillation", "Anchors"),
    ("Optimizer",),
    ("Validation",),
    ("Checkpoints",),
    ("Distributed",),
)


def test_the_page_on_training_names_every_key_and_its_recipe_is_read(tmp_path: Path) -> None:
    from seesay.training import recipe
    from seesay.training.data.class_folder import ClassFolder
    from seesay.training.data.class_table import ClassTable
    from seesay.training.data.manifest import Manifest
    from seesay.training.data.shards import Shards

    (tmp_path / "all.toml").write_text(training_recipes()[1], encoding="utf-8")
    assert len(recipe.read_recipe(tmp_path / "all.toml").data.sources) == 3
    table = (PROJECT / "docs" / "training.md").read_text(encoding="utf-8").split("### Every key")[1].split("A `config` from")[0]
    sections = dict(zip(PARTS_OF_A_RECIPE, table.split("| **"), strict=True))
    parts = {part: getattr(recipe, part) for names in PARTS_OF_A_RECIPE for part in names if hasattr(recipe, part)}
    parts |= {"Manifest": Manifest, "ClassTable": ClassTable, "ClassFolder": ClassFolder, "Shards": Shards}
    of_their_own = {
        "model",
        "data",
        "loss",
        "optimizer",
        "validation",
        "checkpoints",
        "distributed",
        "image",
        "text",
        "sources",
    }
    for names, text in sections.items():
        keys = {field.name for name in names for field in dataclasses.fields(parts[name])}
        assert not [key for key in sorted(keys - of_their_own) if f"`{key}`" not in text], names


def test_the_python_of_the_readme_prints_what_its_comments_say(home: Path) -> None:
    run = subprocess.run([sys.executable, "-c", "\n".join(python("README.md"))], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    comments = " ".join(line.split("#")[1] for line in python("README.md") if line.startswith("print("))
    shown, printed = ([float(number) for number in re.findall(r"-?\d+\.\d+", text)] for text in (comments, run.stdout))
    assert len(shown) == 2 * 2 + 3
    assert printed == pytest.approx(shown, abs=0.03)


def test_the_python_of_the_tutorial_runs_as_written(home: Path) -> None:
    (home / "examples" / "photos").rename(home / "my-photos")
    index = subprocess.run(["seesay", "index", "my-photos"], capture_output=True, text=True, check=False)
    assert index.returncode == 0, index.stderr
    run = subprocess.run(
        [sys.executable, "-c", "\n".join(python("docs/tutorial.md"))], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count(f" True {home / 'my-photos' / 'vehicles'}") == 3


PAGES = [
    *PROJECT.glob("*.md"),
    *(PROJECT / "docs").glob("*.md"),
    *(PROJECT / "recipes").glob("*/README.md"),
    PROJECT / "tests" / "parity" / "README.md",
]


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings are linked to: lower case, letters, digits and hyphens."""
    headings = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", sorted(str(page.relative_to(PROJECT)) for page in PAGES))
def test_links_lead_somewhere(file: str) -> None:
    page = PROJECT / file
    for target, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        other = page.parent / target if target else page
        assert other.exists(), target
        assert not heading or heading in anchors(other), f"{target}#{heading}"


def test_the_index_lists_every_page() -> None:
    listed = re.findall(r"\]\(([^)#]+)\)", (PROJECT / "docs" / "index.md").read_text(encoding="utf-8"))
    assert {page.name for page in (PROJECT / "docs").glob("*.md")} - {"index.md"} <= set(listed)
