import subprocess
import sys

PACKAGE = "import sys; from eleven.cli.postponed import postpone; sys.path.insert(0, {!r}); postpone('late'); "


def run(folder, code: str) -> str:
    (folder / "late").mkdir(exist_ok=True)
    (folder / "late" / "__init__.py").write_text("from late import inner\nvalue = inner.value + 1\nprint('loaded')")
    (folder / "late" / "inner.py").write_text("value = 1")
    ran = subprocess.run([sys.executable, "-c", PACKAGE.format(str(folder)) + code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_importing_alone_loads_nothing(tmp_path):
    assert run(tmp_path, "import late; import late as other; print(other is late)") == "True\n"


def test_the_first_use_loads_it_once(tmp_path):
    assert run(tmp_path, "import late; print(late.value); print(late.inner.value)") == "loaded\n2\n1\n"
    assert run(tmp_path, "from late import value; import late; print(late.value)") == "loaded\n2\n"


def test_a_module_below_loads_it_first(tmp_path):
    assert run(tmp_path, "import late.inner; print(late.value)") == "loaded\n2\n"


def test_what_it_does_not_hold_is_an_error_still(tmp_path):
    assert run(tmp_path, "import late; print(hasattr(late, 'nothing'), hasattr(late, 'value'))") == (
        "loaded\nFalse True\n"
    )


def test_what_is_missing_or_loaded_stays_so(tmp_path):
    code = "postpone('no_such_package'); postpone('sys'); print('no_such_package' in sys.modules, sys.version_info[0])"
    assert run(tmp_path, code) == "False 3\n"
