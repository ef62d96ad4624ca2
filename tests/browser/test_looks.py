"""Every page is fit for eyes, for a phone, for the dark, and for a screen reader."""

from collections.abc import Iterator
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.desk import REFUSED, Desk

pytestmark = pytest.mark.engines

PICTURES = Path(__file__).parents[2] / "build" / "dashboard"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light", "device_scale_factor": 2},
}


def faults(page: Page) -> list[str]:
    """What axe-core finds serious or critical."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    assert found["passes"]
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def pages(at: Desk) -> Iterator[tuple[str, Page]]:
    """Every kind of page, each with something on it."""
    at.page.goto(at.url + "/")
    yield "sign-in", at.page
    dead = at.post(recipient=REFUSED, originator="Shop", message="Your parcel is on its way.")
    waiting = at.post(send_at="2027-06-01T00:00:00Z", reference="order 7781")
    broadcast = at.post(recipient=None, recipients=[31600000000 + n for n in range(60)])
    at.sign_in()
    at.live()
    expect(at.page.locator("#dead")).to_contain_text("no (correct) recipients found")
    yield "front", at.page
    for name, path in (
        ("dead", "messages?state=dead"),
        ("none", "messages?q=nothing"),
        ("message-dead", f"messages/{dead}"),
        ("message-waiting", f"messages/{waiting}"),
        ("broadcast", f"messages/{broadcast}"),
        ("question", "do/replay?originator=Shop"),
        ("held", "do/held"),
        ("test", "do/test"),
        ("trouble", "messages/nobody"),
    ):
        at.page.goto(f"{at.url}/dashboard/{path}")
        yield name, at.page


@pytest.mark.parametrize("look", list(LOOKS))
def test_every_page_is_readable_and_fits(desk: Any, look: str) -> None:
    at = desk({"rate": "20"}, **LOOKS[look])
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, page in pages(at):
        page.screenshot(path=PICTURES / f"{look}-{name}.png", full_page=True)
        assert faults(page) == [], name
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= LOOKS[look]["viewport"]["width"], f"{name} is {wide} wide"


@pytest.mark.parametrize("look", list(LOOKS))
def test_why_nothing_is_sent_until_when_and_what_to_do_is_seen_at_once(desk: Any, look: str) -> None:
    at = desk({"rate": "20"}, **LOOKS[look])
    at.break_key()
    for _ in range(3):
        at.post()
    at.sign_in()
    page = at.live()
    said = page.locator("#sentence")
    expect(said.get_by_role("heading")).to_have_text("Held: nothing is sent; 3 wait.")
    for word in ("Why", "401", "Until", "tried again", "What to do", "Look at the key"):
        expect(said).to_contain_text(word)
    box = said.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= LOOKS[look]["viewport"]["height"]  # without scrolling
    page.screenshot(path=PICTURES / f"{look}-held-front.png", full_page=True)
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= LOOKS[look]["viewport"]["width"]


@pytest.mark.parametrize("width", [320, 360, 390])
def test_the_pages_stand_side_by_side_on_a_phone(desk: Any, width: int) -> None:
    at = desk({"rate": "0.001"}, viewport={"width": width, "height": 700})
    at.sign_in()
    page = at.live()
    boxes = [each.bounding_box() for each in page.get_by_role("navigation", name="Pages").get_by_role("link").all()]
    assert len(boxes) == 5
    assert len({box["y"] for box in boxes}) == 1
    assert boxes[-1]["x"] + boxes[-1]["width"] <= width
    assert all(one["x"] + one["width"] <= next_["x"] for one, next_ in pairwise(boxes))


def test_the_page_stands_without_scripts(desk: Any) -> None:
    at = desk({"rate": "0.001"}, java_script_enabled=False)
    id = at.post()
    at.page.goto(at.url + "/")
    at.page.get_by_label("API key").fill("a-client-key")
    at.page.get_by_role("button", name="Sign in").click()
    expect(at.page.get_by_role("link", name=f"Message {id}")).to_be_visible()


def test_the_keyboard_reaches_the_content_first(desk: Any) -> None:
    at = desk({"rate": "0.001"})
    at.sign_in()
    page = at.live()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    region = page.get_by_role("region", name="Waiting, by priority")
    expect(region).to_be_focused()
    at.post()
    expect(region.get_by_role("row", name="normal 1")).to_be_visible()
    expect(region).to_be_focused()
