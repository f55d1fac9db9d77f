"""Read a report as a browser would."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

_VOID = {"meta", "img", "br", "hr", "link", "input"}


class Report(HTMLParser):
    """The text, tables and pictures of a report; reading fails where a tag is not closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.items: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(self.source)
        self.close()
        assert self.open == []
        assert self.source.startswith("<!DOCTYPE html>")

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag in ("li", "p", "h1", "h2", "figcaption", "title", "dd"):
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open:
            return
        tag = self.open[-1]
        if tag in ("td", "th"):
            self.tables[-1][-1][-1] += data
        elif tag in self.texts:
            self.texts[tag][-1] += data

    @property
    def pictures(self) -> list[ElementTree.Element]:
        """The parsed SVG of every picture, each with its own data inside."""
        found = []
        for tag, attributes in self.tags:
            if tag == "img":
                kind, _, code = (attributes["src"] or "").partition(",")
                assert kind == "data:image/svg+xml;base64"
                found.append(ElementTree.fromstring(base64.b64decode(code)))
        return found

    @property
    def labels(self) -> set[str]:
        """Every text inside the pictures."""
        return {e.text for svg in self.pictures for e in svg.iter() if e.tag.endswith("}text") and e.text}

    def warning(self, pattern: str) -> str:
        """Return the one remark that matches."""
        [sentence] = [s for s in self.texts.get("li", []) if re.search(pattern, s)]
        return sentence


def value(cell: str) -> float:
    """Return the number in a cell, without its error."""
    return float(cell.split(" ± ")[0].rstrip(" %").replace("−", "-").replace(",", ""))


def error(cell: str) -> float:
    """Return the standard error in a cell."""
    return float(cell.split(" ± ")[1].rstrip(" %").replace(",", ""))


def assert_needs_nothing(report: Report) -> None:
    """Assert that a report refers to nothing outside itself."""
    assert "http" not in re.sub(r'"data:[^"]*"', "", report.source).lower()
    assert not re.search(r"url\(|@import", report.source)
    for tag, attributes in report.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base")
        assert not [name for name in attributes if name.startswith("on") or name in ("href", "srcset", "style")]
        assert (attributes.get("src") or "data:").startswith("data:")
    for svg in report.pictures:
        for element in svg.iter():
            assert not element.tag.endswith(("script", "foreignObject"))
            for name, target in element.attrib.items():
                if name.endswith("href"):
                    assert target.startswith(("#", "data:image/png;base64,"))
