"""What the processor can do is read from the system, or said to be unknown."""

from gantools import machine


def test_cpu_features_are_read(tmp_path, monkeypatch):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name\t: A CPU\nflags\t\t: fma avx2 avx512f avx512_bf16\n")
    real = machine.Path
    swap = {"/proc/cpuinfo": cpuinfo}
    monkeypatch.setattr(machine, "Path", lambda *parts: swap.get(parts[0]) or real(*parts))
    found = machine.machine()
    assert found["processor"] == "A CPU"
    expected = {"AVX2": True, "AVX-512": False, "AVX-512 bf16": True, "AMX bf16": False}
    assert found["features"] == expected
    cpuinfo.unlink()
    assert set(machine.machine()["features"].values()) == {None}


def test_free_memory_is_what_the_container_leaves(tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable:  50 kB\nHugePages_Free: 0\n")
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    assert machine.free_memory() == 50 * 1024
    for name, text in (
        ("max", "40000"),
        ("current", "30000"),
        ("stat", "file 9\ninactive_file 5\n"),
    ):
        (tmp_path / f"memory.{name}").write_text(text)
    assert machine.free_memory() == 10_005
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.free_memory() == 50 * 1024
    (tmp_path / "meminfo").write_text("")
    assert machine.free_memory() > 2**28  # half of this machine's
