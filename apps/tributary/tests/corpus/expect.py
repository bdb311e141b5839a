"""What feedparser makes of the feeds of its own tests, as one JSON document.

    python expect.py FEEDPARSER_SOURCES > expected.json

For each feed: its path, the media type that its test serves it with, and each entry's title as plain text, its link, and its
date in seconds since 1970.
"""

import calendar
import html.parser
import json
import pathlib
import re
import sys

import feedparser

BASE = "https://corpus.example/"


class Text(html.parser.HTMLParser):
    """The text of HTML."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts = []

    def handle_data(self, data):
        self.parts.append(data)


def plain(entry):
    title = dict.get(entry, "title")
    if not title:
        return None
    if dict.get(entry, "title_detail", {}).get("type") != "text/plain":
        reader = Text()
        reader.feed(title)
        reader.close()
        title = "".join(reader.parts)
    return " ".join(title.split()) or None


def seconds(entry):
    date = dict.get(entry, "published_parsed") or dict.get(entry, "updated_parsed")
    try:
        return calendar.timegm(date) if date else None
    except (OverflowError, ValueError):
        return None


def content_type(data):
    header = re.search(rb"^\s*Header:\s*Content-type:\s*(.*?)\s*$", data[:2000], re.IGNORECASE | re.MULTILINE)
    return header.group(1).decode("ascii", "replace") if header else "application/xml"


def feed(root, path):
    data = path.read_bytes()
    name = path.relative_to(root).as_posix()
    headers = {"content-type": content_type(data), "content-location": BASE + name}
    parsed = feedparser.parse(data, response_headers=headers)
    entries = [
        {"title": plain(entry), "link": dict.get(entry, "link") or None, "date": seconds(entry)}
        for entry in parsed.entries
    ]
    return {"path": name, "content_type": headers["content-type"], "entries": entries}


def main():
    root = pathlib.Path(sys.argv[1]) / "tests"
    json.dump([feed(root, path) for path in sorted(root.rglob("*.xml"))], sys.stdout)


main()
