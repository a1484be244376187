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
