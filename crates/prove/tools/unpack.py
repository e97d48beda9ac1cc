"""Unpacks the one archive in the first folder into the second, without the archive's own top folder."""

import os
import sys
import tarfile
import zipfile

MAX_BYTES = 256 << 20

source, target = sys.argv[1:3]
archives = [name for name in os.listdir(source) if name.endswith((".tar.gz", ".zip"))]
if len(archives) != 1:
    sys.exit(f"{len(archives)} archives where one was expected")
path = os.path.join(source, archives[0])


def members():
    if path.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield info.filename, info.file_size, archive.open(info)
    else:
        with tarfile.open(path) as archive:
            for info in archive:
                if info.isfile():
                    yield info.name, info.size, archive.extractfile(info)


total = 0
for name, size, content in members():
    parts = [part for part in name.split("/") if part not in ("", ".")][1:]
    if not parts or ".." in parts or "\0" in name:
        continue
    total += size
    if total > MAX_BYTES:
        sys.exit("the archive holds more than 256 MiB")
    place = os.path.join(target, *parts)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with content, open(place, "wb") as out:
        out.write(content.read(size))
if not total:
    sys.exit("the archive holds no files")
