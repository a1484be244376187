from pathlib import Path

import pytest
from gantools.apps.superres import batch, engine
from gantools.apps.superres.batch import Job, Names, Outcome, exit_code, run_jobs
from gantools.apps.superres.enlarge import Output, Upscaler
from gantools.apps.superres.foretell import foretold

from gantools.cli import main
from gantools.data.pictures import Metadata, Picture, write
from gantools.errors import ALL_FAILED, DONE, MISSING_EXTRA, SOME_FAILED, USAGE, UserError


def plan_jobs(inputs, out=None, scale=4, **more):
    return batch.plan_jobs(inputs, Names(out, f"x{scale}", **more))


def targets(jobs, root):
    return [job.target.relative_to(root).as_posix() for job in jobs]


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def test_names_beside_the_source(tmp_path):
    names = ["a.png", "b.JPG", "c.jpeg", "d.webp", "e.tiff", "f.bmp", "noext"]
    jobs = plan_jobs([tmp_path / name for name in names], None, 4)
    expected = [
        "a_x4.png",
        "b_x4.jpg",
        "c_x4.jpg",
        "d_x4.webp",
        "e_x4.tif",
        "f_x4.png",
        "noext_x4.png",
    ]
    assert targets(jobs, tmp_path) == expected


def test_where_out_points(tmp_path):
    source = tmp_path / "a.png"
    (tmp_path / "there.v2").mkdir()
    for out, expected in [
        ("b.jpg", "b.jpg"),
        ("folder", "folder/a_x2.png"),
        ("there.v2", "there.v2/a_x2.png"),
    ]:
        assert targets(plan_jobs([source], tmp_path / out, 2), tmp_path) == [expected]
    two = plan_jobs([source, tmp_path / "b.png"], tmp_path / "out.d", 2)
    assert targets(two, tmp_path) == ["out.d/a_x2.png", "out.d/b_x2.png"]


def test_folders(tmp_path):
    touch(tmp_path, "in/b.png", "in/a.jpg", "in/.hidden.png", "in/notes.txt", "in/sub/c.png")
    assert targets(plan_jobs([tmp_path / "in"], None, 4), tmp_path) == [
        "in_x4/a_x4.jpg",
        "in_x4/b_x4.png",
    ]
    jobs = plan_jobs([tmp_path / "in"], tmp_path / "out", 4)
    assert targets(jobs, tmp_path) == ["out/a_x4.jpg", "out/b_x4.png"]


@pytest.mark.parametrize("recursive", [False, True])
def test_a_folder_into_itself_goes_on(tmp_path, recursive, upscaler, picture):
    folder = tmp_path / "rr"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        write(folder / name, Picture(picture(16, 16)))
    made = []
    for _ in range(2):
        jobs = plan_jobs([folder], folder, 4, recursive=recursive)
        assert targets(jobs, tmp_path) == ["rr/a_x4.png", "rr/b_x4.jpg"]
        made.append([outcome.result is not None for outcome in run_jobs(jobs, upscaler)])
    assert made == [[True, True], [False, False]]
    with pytest.raises(UserError, match="would replace an input"):
        plan_jobs([folder], folder / "{stem}.{ext}", 4)


def test_the_current_folder_has_a_name(tmp_path, monkeypatch):
    touch(tmp_path, "photos/a.png")
    monkeypatch.chdir(tmp_path / "photos")
    assert targets(plan_jobs([Path()], None, 4), tmp_path) == ["photos_x4/a_x4.png"]


def test_mistakes_are_known_before_anything_starts(tmp_path):
    touch(tmp_path, "empty/notes.txt", "in/a.png", "in/a.bmp")
    with pytest.raises(UserError, match="has no pictures") as error:
        plan_jobs([tmp_path / "empty"], None, 4)
    assert error.value.code == ALL_FAILED
    with pytest.raises(UserError, match="2 inputs would become"):
        plan_jobs([tmp_path / "in/a.png", tmp_path / "in/a.bmp"], tmp_path / "out", 4)
    with pytest.raises(UserError, match="would replace an input"):
        plan_jobs([tmp_path / "in/a.png"], tmp_path / "in/a.png", 4)


def test_the_same_pattern_again_goes_on(tmp_path):
    """Whether the shell has filled it in or not."""
    touch(tmp_path, "in/a.png", "in/b.png", "in/a_x4.png", "in/a_x4_x4.png", "in/c_x4.png")
    for inputs in ([tmp_path / "in/*.png"], sorted((tmp_path / "in").glob("*.png"))):
        made = targets(plan_jobs(inputs), tmp_path)
        assert made == ["in/a_x4.png", "in/b_x4.png", "in/c_x4_x4.png"]
    with pytest.raises(UserError, match="would replace an input"):
        plan_jobs([tmp_path / "in/*.png"], tmp_path / "in/{stem}.png")


@pytest.fixture
def upscaler(make_network):
    return Upscaler(make_network())


def test_a_broken_picture_does_not_stop_the_others(tmp_path, upscaler, picture):
    write(tmp_path / "a.png", Picture(picture()))
    (tmp_path / "b.png").write_bytes(b"broken")
    write(tmp_path / "c.png", Picture(picture()))
    told = []
    jobs = plan_jobs([tmp_path / name for name in ("a.png", "b.png", "c.png")], tmp_path / "out", 4)
    outcomes = run_jobs(jobs, upscaler, finished=told.append)
    assert told == outcomes
    assert [bool(outcome.error) for outcome in outcomes] == [False, True, False]
    assert "b.png" in outcomes[1].error
    assert exit_code(outcomes) == SOME_FAILED
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == ["a_x4.png", "c_x4.png"]


def test_what_is_there_is_left_unless_told(tmp_path, upscaler, picture):
    write(tmp_path / "a.png", Picture(picture()))
    (tmp_path / "b.png").write_text("old")
    jobs = [Job(tmp_path / "a.png", tmp_path / "b.png")]
    (outcome,) = run_jobs(jobs, upscaler)
    assert outcome == Outcome(jobs[0])
    assert (tmp_path / "b.png").read_text() == "old"
    assert exit_code([outcome]) == DONE
    (outcome,) = run_jobs(jobs, upscaler, overwrite=True)
    assert outcome.result is not None
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")


def test_no_memory_is_one_sentence(tmp_path, upscaler, monkeypatch):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(batch, "enlarge_file", full)
    (outcome,) = run_jobs([Job(tmp_path / "a.png", tmp_path / "b.png")], upscaler)
    assert "not enough memory" in outcome.error
    assert exit_code([outcome]) == ALL_FAILED


def test_an_unexpected_error_of_one_picture_does_not_stop_the_others(
    tmp_path, upscaler, picture, monkeypatch
):
    real = batch.enlarge_file

    def odd(source, *rest, **more):
        if source.name == "a.png":
            raise KeyError("no such\nthing")
        return real(source, *rest, **more)

    monkeypatch.setattr(batch, "enlarge_file", odd)
    for name in ("a.png", "b.png"):
        write(tmp_path / name, Picture(picture()))
    outcomes = run_jobs(plan_jobs([tmp_path / "a.png", tmp_path / "b.png"]), upscaler)
    assert "a.png': an unexpected error, please report it (KeyError:" in outcomes[0].error
    assert "\n" not in outcomes[0].error
    assert outcomes[1].result is not None
    assert exit_code(outcomes) == SOME_FAILED


def test_a_damaged_exif_block_stops_nothing(tmp_path, upscaler, picture):
    damaged = b"II*\0\x08\0\0\0\xff\xff" + bytes(24)  # 65535 entries in 24 bytes
    write(tmp_path / "a.jpg", Picture(picture(), Metadata(exif=damaged)))
    (outcome,) = run_jobs(plan_jobs([tmp_path / "a.jpg"]), upscaler)
    assert outcome.error is None


def test_an_engine_that_cannot_be_used_is_no_fault_of_the_pictures(
    tmp_path, weights, picture, monkeypatch, capsys
):
    for name in ("a.png", "b.png"):
        write(tmp_path / name, Picture(picture()))
    monkeypatch.setattr(engine, "find_spec", lambda module: module == "cv2")
    words = ["superres", str(tmp_path / "a.png"), str(tmp_path / "b.png"), "--model", str(weights)]
    for name, code in (("onnxruntime", MISSING_EXTRA), ("openvino", USAGE)):
        for more in ([], ["--dry-run"]):
            assert main([*words, "--engine", name, *more]) == code
            (line,) = capsys.readouterr().err.splitlines()
            assert f"The engine '{name}' needs" in line
    assert main([*words, "--engine", "opencv", "--device", "gpu"]) == USAGE


def test_a_target_folder_that_is_a_file(tmp_path, upscaler):
    touch(tmp_path, "file")
    with pytest.raises(UserError, match="a file has that name"):
        run_jobs([Job(tmp_path / "a.png", tmp_path / "file/b.png")], upscaler)


def test_folders_inside_folders_are_mirrored(tmp_path):
    touch(tmp_path, "in/a.png", "in/sub/b.jpg", "in/sub/deep/c.png", "in/.hidden/d.png")
    jobs = plan_jobs([tmp_path / "in"], recursive=True)
    expected = ["in_x4/a_x4.png", "in_x4/sub/b_x4.jpg", "in_x4/sub/deep/c_x4.png"]
    assert targets(jobs, tmp_path) == expected
    touch(tmp_path, "in/out/a_x4.png")  # a result inside the source is not a source
    jobs = plan_jobs([tmp_path / "in"], tmp_path / "in/out", recursive=True)
    assert [job.source.name for job in jobs] == ["a.png", "b.jpg", "c.png"]


def test_patterns_name_the_results(tmp_path):
    touch(tmp_path, "in/a.png", "in/sub/b.jpg")
    out = tmp_path / "large/{stem}_{model}_x{scale}.{ext}"
    assert targets(plan_jobs([tmp_path / "in/a.png"], out), tmp_path) == ["large/a_photo_x4.png"]
    jobs = plan_jobs([tmp_path / "in"], out, recursive=True, model="mine", format="webp")
    assert targets(jobs, tmp_path) == ["large/a_mine_x4.webp", "large/sub/b_mine_x4.webp"]
    for wrong in ("{name}.png", "{}.png", "{stem", "{stem.foo}.png", "{stem[x]}.png"):
        with pytest.raises(UserError, match="may hold {stem}, {model}, {scale}, {ext}"):
            plan_jobs([tmp_path / "in/a.png"], tmp_path / wrong)
    with pytest.raises(UserError, match="2 inputs would become"):
        touch(tmp_path, "in/b.png")
        plan_jobs([tmp_path / "in"], tmp_path / "{model}.png")


def test_stars_that_the_shell_has_left(tmp_path):
    touch(tmp_path, "b.png", "a.png", "c.jpg", "sub/d.png", "odd[1].png")
    jobs = plan_jobs([tmp_path / "*.png"])
    assert [job.source.name for job in jobs] == ["a.png", "b.png", "odd[1].png"]
    jobs = plan_jobs([tmp_path / "**/d.png"])
    assert [job.source.name for job in jobs] == ["d.png"]
    assert plan_jobs([tmp_path / "odd[1].png"])[0].source.name == "odd[1].png"
    with pytest.raises(UserError, match="Nothing is called like"):
        plan_jobs([tmp_path / "*.gif"])


def test_another_format(tmp_path):
    jobs = plan_jobs([tmp_path / "a.png", tmp_path / "b.jpg"], format="tif")
    assert targets(jobs, tmp_path) == ["a_x4.tif", "b_x4.tif"]


def test_one_target_spelt_in_several_ways(tmp_path, monkeypatch):
    touch(tmp_path, "real/a.png", "real/a.bmp")
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    for other in (tmp_path / "real/a.bmp", Path("link/a.bmp"), Path("real/../real/a.bmp")):
        with pytest.raises(UserError, match="2 inputs would become"):
            plan_jobs([Path("real/a.png"), other])


def test_a_name_that_is_too_long_stops_nothing(tmp_path, upscaler, picture):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "z.png"):
        write(tmp_path / "in" / name, Picture(picture(8, 8)))
    (tmp_path / "out").mkdir()
    long = "n" * 251 + ".png"  # itself a name, with _x4 no more
    (tmp_path / "in/a.png").rename(tmp_path / "in" / long)
    jobs = plan_jobs([tmp_path / "in"], tmp_path / "out")
    told = [foretold(job, upscaler, Output()) for job in jobs]
    assert [record["status"] for record in told] == ["failed", "would be made"]
    outcomes = run_jobs(jobs, upscaler)
    for error in (told[0]["error"], outcomes[0].error):
        assert error.endswith("_x4.png': the name is too long. Choose a shorter one.")
    assert [bool(outcome.result) for outcome in outcomes] == [False, True]


def test_a_name_and_a_format_that_contradict_each_other(tmp_path):
    touch(tmp_path, "in/a.png")
    for out in ("o.png", "{stem}.png", "in/{stem}.webp"):
        with pytest.raises(UserError, match=r"--format jpg contradicts the name '.*(png|webp)'"):
            plan_jobs([tmp_path / "in/a.png"], tmp_path / out, format="jpg")
    for out in ("o.jpeg", "o.JPG", "{stem}.{ext}", "folder"):
        assert plan_jobs([tmp_path / "in/a.png"], tmp_path / out, format="jpg")


def test_links_that_lead_round_and_round(tmp_path):
    touch(tmp_path, "in/a.png", "in/sub/b.png", "other/c.png")
    (tmp_path / "in/sub/up").symlink_to("..")
    (tmp_path / "in/here").symlink_to(".")
    (tmp_path / "in/side").symlink_to("../other")
    (tmp_path / "other/back").symlink_to("../in")
    (tmp_path / "in/loop.png").symlink_to("loop.png")
    jobs = plan_jobs([tmp_path / "in"], recursive=True)
    assert targets(jobs, tmp_path) == ["in_x4/a_x4.png", "in_x4/side/c_x4.png",
                                       "in_x4/sub/b_x4.png"]  # fmt: skip
    assert len(plan_jobs([tmp_path / "in/loop.png"])) == 1  # told when it is read


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("out", ["{stem}_big.{ext}", "large/{stem}.{ext}", "{model}/{stem}_b.png"])
def test_a_pattern_into_the_source_goes_on(out, recursive, tmp_path):
    touch(tmp_path, "in/a.png", "in/sub/b.png")
    first = plan_jobs([tmp_path / "in"], tmp_path / "in" / out, recursive=recursive)
    assert len(first) == 1 + recursive
    for job in first:
        touch(tmp_path, job.target.relative_to(tmp_path))
    assert plan_jobs([tmp_path / "in"], tmp_path / "in" / out, recursive=recursive) == first


def test_a_folder_with_nothing_beside_it():
    with pytest.raises(UserError, match="'/' has no folder beside it .* Give one with -o"):
        plan_jobs([Path("/")])
