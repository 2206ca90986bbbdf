import hashlib
import http.server
import io
import re
import socket
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graphrec.errors import ConfigError, FetchError
from graphrec.pipelines.readers.sources import read_interactions
from graphrec.pipelines.registry import download as download_module
from graphrec.pipelines.registry.datasets import cache_directory, fetch, unzip
from graphrec.pipelines.registry.download import check_address, download
from graphrec.pipelines.registry.registry import Dataset, Member, datasets_directory, find_dataset, load_registry

BODY = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(BODY).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """A loopback server whose manners a test chooses."""

    daemon_threads = True
    files: dict[str, bytes]
    ranges = True
    cut_after: int | None = None
    asked: list[str | None]

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return

    def do_GET(self) -> None:
        body = self.server.files.get(self.path.lstrip("/"))
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://example.org/elsewhere")
            self.end_headers()
            return
        if body is None:
            self.send_error(404)
            return
        start = 0
        if wanted and self.server.ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
        else:
            self.send_response(200)
        rest = body[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        cut, self.server.cut_after = self.server.cut_after, None
        self.wfile.write(rest if cut is None else rest[:cut])


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server(("127.0.0.1", 0), Handler)
    running.files, running.asked = {"data.bin": BODY}, []
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def registry(address: str, *, sha256: str = SHA256, **more: object) -> dict[str, Dataset]:
    entry = {
        "name": "tiny", "title": "Tiny", "licence": "CC0", "redistribution": "yes", "home": "https://example.org",
        "users": 1, "items": 1, "interactions": 1,
        "file": [{"name": "data.bin", "url": address, "sha256": sha256, "role": "train", **more}],
    }  # fmt: skip
    return {"tiny": Dataset.model_validate(entry)}


class TestDownload:
    def test_whole_with_progress(self, server: Server, tmp_path: Path) -> None:
        seen: list[tuple[str, int, int | None]] = []
        target = tmp_path / "deep" / "data.bin"
        found = download(server.address("data.bin"), target, sha256=SHA256, progress=lambda *a: seen.append(a))
        assert found == SHA256
        assert target.read_bytes() == BODY
        assert seen[-1] == ("data.bin", len(BODY), len(BODY))
        assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
        assert [p.name for p in target.parent.iterdir()] == ["data.bin"]

    def test_a_cut_connection_is_resumed(self, server: Server, tmp_path: Path) -> None:
        server.cut_after = 300_000
        download(server.address("data.bin"), tmp_path / "data.bin", sha256=SHA256)
        assert server.asked == [None, "bytes=300000-"]
        assert (tmp_path / "data.bin").read_bytes() == BODY

    def test_a_later_call_goes_on(self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(download_module, "ATTEMPTS", 1)
        server.cut_after = 1000
        with pytest.raises(FetchError, match=r"ended after 1,000 of 1,048,576 bytes\); 1,000 bytes are kept"):
            download(server.address("data.bin"), tmp_path / "data.bin", sha256=SHA256)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["data.bin.part"]
        download(server.address("data.bin"), tmp_path / "data.bin", sha256=SHA256)
        assert server.asked[-1] == "bytes=1000-"
        assert (tmp_path / "data.bin").read_bytes() == BODY

    def test_a_server_without_ranges_starts_anew(self, server: Server, tmp_path: Path) -> None:
        server.ranges = False
        (tmp_path / "data.bin.part").write_bytes(BODY[:5000])
        # No hash that would tell: the old piece must not stay in front.
        download(server.address("data.bin"), tmp_path / "data.bin")
        assert (tmp_path / "data.bin").read_bytes() == BODY

    def test_a_part_that_is_whole_already(self, server: Server, tmp_path: Path) -> None:
        (tmp_path / "data.bin.part").write_bytes(BODY)
        download(server.address("data.bin"), tmp_path / "data.bin", sha256=SHA256)
        assert server.asked == [f"bytes={len(BODY)}-"]

    @pytest.mark.parametrize("stale", [b"x" * 5000, BODY + b"more"])
    def test_a_part_of_another_version(self, server: Server, tmp_path: Path, stale: bytes) -> None:
        (tmp_path / "data.bin.part").write_bytes(stale)
        download(server.address("data.bin"), tmp_path / "data.bin", sha256=SHA256)
        assert (tmp_path / "data.bin").read_bytes() == BODY

    def test_a_wrong_hash_leaves_nothing(self, server: Server, tmp_path: Path) -> None:
        wrong = "0" * 64
        with pytest.raises(FetchError, match=f"has sha256 {SHA256}, expected was {wrong}; the file was not kept"):
            download(server.address("data.bin"), tmp_path / "data.bin", sha256=wrong)
        assert list(tmp_path.iterdir()) == []

    def test_a_published_md5_will_do(self, server: Server, tmp_path: Path) -> None:
        md5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
        assert download(server.address("data.bin"), tmp_path / "data.bin", sha256="0" * 64, md5=md5) == SHA256
        with pytest.raises(FetchError, match="expected was md5 1234"):
            download(server.address("data.bin"), tmp_path / "data.bin", md5="1234")

    def test_no_network(self, tmp_path: Path) -> None:
        url = f"http://127.0.0.1:{closed_port()}/data.bin"
        with pytest.raises(FetchError) as caught:
            download(url, tmp_path / "data.bin", timeout_s=5)
        assert re.fullmatch(
            rf"{re.escape(url)} could not be fetched \(.*refused.*\); check the network, "
            "or give files at hand with --from DIR",
            str(caught.value),
        )
        assert list(tmp_path.iterdir()) == []

    def test_a_silent_server(self, tmp_path: Path) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/data.bin"
            with pytest.raises(FetchError, match=r"could not be fetched.*timed out"):
                download(url, tmp_path / "data.bin", timeout_s=0.2)

    def test_not_found(self, server: Server, tmp_path: Path) -> None:
        with pytest.raises(FetchError, match=r"answered 404 Not Found for .*nothing; look whether it has moved"):
            download(server.address("nothing"), tmp_path / "x")

    def test_too_long(self, server: Server, tmp_path: Path) -> None:
        with pytest.raises(FetchError, match="has 1,048,576 bytes; at most 1,000 were expected"):
            download(server.address("data.bin"), tmp_path / "data.bin", max_bytes=1000)

    def test_https_only_also_after_a_redirect(self, server: Server, tmp_path: Path) -> None:
        for url in ("http://example.org/x", "file:///etc/passwd", "ftp://example.org/x"):
            with pytest.raises(FetchError, match="is not an https address"):
                check_address(url)
        with pytest.raises(FetchError, match=r"'http://example.org/elsewhere' is not an https address"):
            download(server.address("moved"), tmp_path / "x")


class TestFetch:
    def test_fetched_once(self, server: Server, tmp_path: Path) -> None:
        known = registry(server.address("data.bin"))
        first = fetch("tiny", into=tmp_path, registry=known)
        assert not first.already
        assert first.files["data.bin"].read_bytes() == BODY
        assert first.unverified == {}
        assert fetch("tiny", into=tmp_path, registry=known).already
        assert len(server.asked) == 1

    def test_a_damaged_copy_is_fetched_again(self, server: Server, tmp_path: Path) -> None:
        known = registry(server.address("data.bin"))
        path = fetch("tiny", into=tmp_path, registry=known).files["data.bin"]
        path.write_bytes(BODY[:-1] + b"!")
        fetch("tiny", into=tmp_path, registry=known)
        assert path.read_bytes() == BODY

    def test_an_unknown_hash_is_told_and_pinned(self, server: Server, tmp_path: Path) -> None:
        known = registry(server.address("data.bin"), sha256="")
        first = fetch("tiny", into=tmp_path, registry=known)
        assert first.unverified == {"data.bin": SHA256}
        first.files["data.bin"].unlink()
        server.files["data.bin"] = b"something else"
        for source in (None, tmp_path / "hand"):
            (tmp_path / "hand").mkdir(exist_ok=True)
            (tmp_path / "hand" / "data.bin").write_bytes(b"something else")
            with pytest.raises(FetchError, match=f"expected was {SHA256}"):
                fetch("tiny", into=tmp_path, source_dir=source, registry=known)

    def test_no_address_any_more(self, tmp_path: Path) -> None:
        with pytest.raises(FetchError, match=r"has no public address any more; see https://example.org"):
            fetch("tiny", into=tmp_path, registry=registry(""))

    def test_files_at_hand(self, tmp_path: Path) -> None:
        known, hand = registry("https://example.org/data.bin"), tmp_path / "hand"
        with pytest.raises(FetchError, match=r"--from .*hand is not a folder"):
            fetch("tiny", into=tmp_path / "cache", source_dir=hand, registry=known)
        hand.mkdir()
        with pytest.raises(FetchError, match=r"hand lacks 1 of the files of 'tiny': data.bin"):
            fetch("tiny", into=tmp_path / "cache", source_dir=hand, registry=known)
        (hand / "data.bin").write_bytes(b"no")
        with pytest.raises(FetchError, match=f"expected was {SHA256}; it is damaged or of another version"):
            fetch("tiny", into=tmp_path / "cache", source_dir=hand, registry=known)
        (hand / "data.bin").write_bytes(BODY)
        assert fetch("tiny", into=tmp_path / "cache", source_dir=hand, registry=known).files["data.bin"].exists()
        assert fetch("tiny", into=tmp_path / "cache", registry=known).already

    def test_archives(self, server: Server, tmp_path: Path) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("top/a.csv", "a")
            archive.writestr("../../evil.csv", "out of the folder")
        server.files["z.zip"] = packed.getvalue()
        members = [{"name": "a.csv", "path": "top/a.csv", "role": "train"}, {"name": "b.csv", "path": "../../evil.csv"}]
        known = registry(server.address("z.zip"), sha256=hashlib.sha256(packed.getvalue()).hexdigest(), members=members)
        cache = tmp_path / "deep" / "cache"
        found = fetch("tiny", into=cache, registry=known)
        assert found.files["a.csv"].read_text(encoding="utf-8") == "a"
        assert sorted(p.name for p in (cache / "tiny").iterdir()) == ["a.csv", "b.csv", "fetched.json"]
        assert [p.name for p in tmp_path.rglob("evil*")] == []
        assert fetch("tiny", into=cache, registry=known).already
        # Files at hand may be the archive's own, unpacked.
        again = fetch("tiny", into=tmp_path / "other", source_dir=found.directory, registry=known)
        assert again.files["a.csv"].read_text(encoding="utf-8") == "a"

    def test_broken_archives(self, tmp_path: Path) -> None:
        path = tmp_path / "z.zip"
        path.write_bytes(b"PK no")
        with pytest.raises(FetchError, match="is not a sound zip file"):
            unzip(path, [Member(name="a", path="a")], tmp_path)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a", "text")
        with pytest.raises(FetchError, match=r"z.zip has no entry \"There is no item named 'b'"):
            unzip(path, [Member(name="b", path="b")], tmp_path)
        with pytest.raises(FetchError, match="expected was 0000"):
            unzip(path, [Member(name="a", path="a", sha256="0" * 64)], tmp_path)

    def test_the_bundled_one_stays_where_it_is(self, tmp_path: Path) -> None:
        found = fetch("goodbooks", into=tmp_path)
        assert found.already
        assert found.directory == datasets_directory() / "goodbooks"
        assert all(path.is_file() for path in found.files.values())
        assert list(tmp_path.iterdir()) == []

    def test_an_unknown_name(self) -> None:
        with pytest.raises(ConfigError, match="there is no data set 'gowala'; nearest: 'gowalla'; known: goodbooks"):
            fetch("gowala")

    def test_files_of_the_test_data_fit_the_registry(self, test_data: Path, tmp_path: Path) -> None:
        for name, folder in (("gowalla", "gowalla"), ("movielens-latest-small", "ml-latest-small")):
            if (test_data / folder).is_dir():
                assert fetch(name, into=tmp_path, source_dir=test_data / folder).unverified == {}


class TestRegistry:
    def test_every_entry_is_whole(self) -> None:
        known = load_registry()
        assert list(known) == [
            "goodbooks", "gowalla", "amazon-beauty", "movielens-latest-small", "movielens-1m", "book-crossing",
        ]  # fmt: skip
        for entry in known.values():
            card = datasets_directory() / "cards" / f"{entry.name}.md"
            text = card.read_text(encoding="utf-8")
            assert entry.licence in text, f"{card.name} does not give the licence as the registry does"
            assert f"{entry.interactions:,}" in text
            assert entry.source(Path("d")).path.parent == Path("d")
            for file in entry.file:
                assert entry.bundled or file.url.startswith("https://")

    def test_a_data_set_says_how_its_events_are_read(self, tmp_path: Path) -> None:
        read = read_interactions(fetch("goodbooks", into=tmp_path).interactions)
        entry = find_dataset("goodbooks")
        assert (len(read.users), len(read.interactions)) == (entry.users, entry.interactions)
        assert set(read.interactions.weights.tolist()) <= {1, 2, 3, 4, 5}
        source = find_dataset("movielens-1m").source(Path("d"))
        assert (source.separator, source.encoding, source.columns) == ("::", "latin-1", {"weight": "rating"})
        assert find_dataset("gowalla").source(Path("d")).path == Path("d/train.txt")

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"loader": {"seperator": ";"}}, "seperator is not a known key; nearest: 'separator'"),
            ({"loader": {"columns": {"User": "user_id"}}}, "is the wrong way round"),
            ({"file": [{"name": "a.csv"}]}, "no file of 'x' has the role interactions or train"),
        ],
    )
    def test_a_loader_is_checked_with_the_registry(self, change: dict[str, Any], words: str) -> None:
        entry = find_dataset("book-crossing").model_dump() | {"name": "x"} | change
        with pytest.raises(ValueError, match=words):
            Dataset.model_validate(entry)

    def test_faults(self, tmp_path: Path) -> None:
        path = tmp_path / "registry.toml"
        with pytest.raises(ConfigError, match="cannot be read: No such file"):
            load_registry(path)
        path.write_text("[[dataset]\n", encoding="utf-8")
        with pytest.raises(ConfigError, match="is not TOML"):
            load_registry(path)
        path.write_text('[[dataset]]\nname = "x"\n', encoding="utf-8")
        with pytest.raises(ConfigError, match=r"dataset.0.title: Field required"):
            load_registry(path)
        with pytest.raises(ValueError, match="is not an https address"):
            registry("http://example.org/x")

    def test_where_it_lies(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GRAPHREC_DATASETS", str(tmp_path))
        with pytest.raises(ConfigError, match=r"no registry.toml in .*; set GRAPHREC_DATASETS"):
            datasets_directory()
        (tmp_path / "registry.toml").write_text("dataset = []\n", encoding="utf-8")
        assert datasets_directory() == tmp_path
        assert load_registry() == {}
        monkeypatch.setenv("GRAPHREC_CACHE", str(tmp_path / "cache"))
        assert cache_directory() == tmp_path / "cache"
