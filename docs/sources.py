"""Gives the site a page for each file of the repository that a page links to, and its front page from README.md."""

import re
from pathlib import Path
from posixpath import normpath, relpath
from typing import Any, Final

from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).parents[1]
#: Below this the files lie that are not documentation themselves.
FOLDER: Final = "source"
_LINK: Final = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")
_LANGUAGES: Final = {
    "example": "toml",
    "json": "json",
    "py": "python",
    "service": "ini",
    "socket": "ini",
    "yml": "yaml",
}


def on_files(files: Files, config: Any) -> Files:
    """Add README.md as the front page, and whatever lies outside of ``docs`` and is linked to."""
    files.append(File.generated(config, "index.md", content=(ROOT / "README.md").read_text()))
    for page in list(files.documentation_pages()):
        for target, _ in _LINK.findall(page.content_string):
            path = _linked(page.src_uri, target)
            if files.get_file_from_path(_place(path)) is None and (ROOT / path).is_file():
                files.append(File.generated(config, _place(path), content=_shown(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead each link to where its file lies in the site; one that is broken is left for mkdocs to complain of."""
    source = page.file.src_uri
    if source.startswith(f"{FOLDER}/"):
        return markdown
    here = source.rpartition("/")[0] or "."

    def led(found: re.Match[str]) -> str:
        return f"]({relpath(_place(_linked(source, found[1])), here)}{found[2] or ''})"

    return _LINK.sub(led, markdown)


def _linked(source: str, target: str) -> str:
    """The path within the repository that ``target`` means on the page ``source``."""
    folder = "" if source == "index.md" else f"docs/{source.rpartition('/')[0]}"
    return normpath(f"{folder}/{target}".lstrip("/"))


def _place(path: str) -> str:
    """Where the file at ``path``, within the repository, lies in the site."""
    if path.startswith("docs/"):
        inside = path.removeprefix("docs/")
        return f"{inside}/README.md" if (ROOT / path / "README.md").is_file() else inside
    return "index.md" if path == "README.md" else f"{FOLDER}/{path}" + ("" if path.endswith(".md") else ".md")


def _shown(path: str) -> str:
    text = (ROOT / path).read_text()
    if path.endswith(".md"):
        return text
    suffix = path.rpartition(".")[2]
    language = _LANGUAGES.get(suffix, "text")
    head = f"---\ntitle: {path}\nsearch:\n  exclude: true\n---\n# {path}\n"
    return f"{head}\n~~~~~~~~ {language}\n{text}~~~~~~~~\n"
