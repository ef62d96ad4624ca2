"""What an operator does at night, in a real browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.desk import REFUSED, Desk

pytestmark = pytest.mark.engines

#: Nothing is sent while a test looks.
SLOW = {"rate": "0.001"}
FAST = {"rate": "20"}


def tile(page: Page, name: str) -> Any:
    """The figure called ``name``."""
    return page.locator(".tiles div").filter(has_text=name).locator("dd").first


def test_a_wrong_key_is_told_and_a_right_one_opens(desk: Any) -> None:
    at: Desk = desk(SLOW)
    page = at.sign_in("not a key")
    expect(page.get_by_role("alert")).to_have_text("That is no key of this daemon.")
    at.sign_in()
    expect(page.get_by_role("heading", level=1)).to_have_text("All is well: nothing waits.")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()


def test_figures_change_by_themselves_when_an_sms_is_posted(desk: Any) -> None:
    at: Desk = desk(SLOW)
    at.sign_in()
    page = at.live()
    expect(tile(page, "In line")).to_have_text("0")
    ids = [at.post(priority=priority) for priority in ("high", "low", "low", "low")]
    expect(tile(page, "In line")).to_have_text("4")
    expect(page.get_by_role("row", name=re.compile("^low 3"))).to_be_visible()
    expect(page.get_by_role("link", name=f"Message {ids[-1]}")).to_be_visible()
    expect(page.get_by_role("img", name="Last hour: 4 accepted, 0 sent, 0 dead")).to_be_visible()
    expect(page).to_have_title(re.compile("^All is well: 4 wait, the last leaves at"))


def test_what_somebody_reads_by_keyboard_stays_in_focus_while_figures_change(desk: Any) -> None:
    at: Desk = desk(SLOW)
    id = at.post()
    at.sign_in()
    page = at.live()
    page.get_by_role("link", name=f"Message {id}").focus()
    other = at.post()
    expect(page.get_by_role("link", name=f"Message {other}")).to_be_visible()
    expect(page.get_by_role("link", name=f"Message {id}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Message {id}")


def test_what_somebody_has_marked_to_copy_stays_until_it_is_not_marked_any_more(desk: Any) -> None:
    at: Desk = desk(SLOW)
    id = at.post()
    at.sign_in()
    page = at.live()
    page.get_by_role("link", name=f"Message {id}").select_text()
    other = at.post()
    expect(tile(page, "In line")).to_have_text("2")
    expect(page.get_by_role("link", name=f"Message {other}")).to_have_count(0)
    page.evaluate("getSelection().removeAllRanges()")
    expect(page.get_by_role("link", name=f"Message {other}")).to_be_visible()


def test_a_message_is_found_by_its_number_and_canceled(desk: Any) -> None:
    at: Desk = desk(SLOW)
    at.post()
    id = at.post(recipient=31611111111, send_at="2027-06-01T00:00:00Z")
    page = at.sign_in()
    page.get_by_label("Find by id, number or reference").fill("+31 6 1111 1111")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row")).to_have_count(2)  # its header, and the one
    page.get_by_role("link", name=f"Message {id}").click()
    page.get_by_role("link", name="Cancel this message").click()
    page.get_by_role("button", name="Cancel 1 message").click()
    expect(page.get_by_role("status")).to_have_text("1 message canceled.")
    expect(page.locator(".history")).to_contain_text("canceled")
    expect(page.get_by_role("link", name="Cancel this message")).to_have_count(0)


def test_dead_letters_are_shown_with_why_and_replayed_after_a_question(desk: Any) -> None:
    at: Desk = desk(FAST)
    at.post(recipient=REFUSED, originator="Bank")
    for _ in range(2):
        at.post(recipient=REFUSED, originator="Shop")
    at.sign_in()
    page = at.live()
    expect(page.locator("#sentence h1")).to_contain_text("3 died within the hour")
    expect(page.locator("#dead")).to_contain_text("no (correct) recipients found")
    page.get_by_role("link", name="Replay all 3").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Send 3 dead letters again?")
    page.get_by_role("link", name="Leave it").click()
    page.get_by_label("From").fill("Shop")
    page.locator("main").get_by_role("button", name="Find").click()
    page.get_by_role("link", name="Replay all of these").click()
    expect(page.get_by_role("listitem")).to_contain_text(["originator: Shop"])
    page.get_by_role("button", name="Replay 2 dead letters").click()
    expect(page.get_by_role("status").first).to_have_text("2 messages queued again.")
    page.get_by_role("navigation").get_by_role("link", name="Messages").click()
    page.locator("main").get_by_role("link", name=re.compile("Message")).first.click()
    expect(page.locator(".history")).to_contain_text("replayed")


def test_a_test_message_shows_its_segments_while_it_is_written(desk: Any) -> None:
    at: Desk = desk(FAST)
    page = at.sign_in()
    page.get_by_role("navigation").get_by_role("link", name="Test").click()
    text, told = page.get_by_label("Text"), page.locator("#measured")
    text.fill("Hello")
    expect(told).to_have_text("1 segment, plain; 155 left in it")
    text.press_sequentially(" żółw")
    expect(told).to_have_text("1 segment, unicode because of ó ł ż; 60 left in it".replace("ó ł ż", "ó ł ż"))
    page.get_by_label("To").fill("31633450007")
    page.get_by_label("From").fill("far too long an originator")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Must be a phone number or an alpha numeric")).to_be_visible()
    expect(page.get_by_label("Text")).to_have_value("Hello żółw")
    page.get_by_label("From").fill("MB")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_have_text("The test message is queued.")
    expect(page.locator("blockquote")).to_have_text("Hello żółw")


def test_a_daemon_that_is_gone_is_noticed_and_so_is_the_next_one(desk: Any) -> None:
    at: Desk = desk(SLOW)
    at.sign_in()
    page = at.live()
    at.server.process.kill()
    expect(page.locator("#line")).to_contain_text("what stands here is old")
    at.server.process.wait()
    at.server.spawn()
    expect(page.locator("#line")).to_have_text("Not live any more: load the page again.")
    page.reload()
    expect(page.get_by_label("API key")).to_be_visible()


def test_without_the_role_read_numbers_and_texts_are_hidden(desk: Any) -> None:
    at: Desk = desk(SLOW)
    id = at.post(message="Nobody else may read this.")
    page = at.sign_in(at.make_key("operate"))
    expect(page.locator("#latest")).to_contain_text("31…07")
    page.goto(f"{at.url}/dashboard/messages/{id}")
    expect(page.locator("main")).to_contain_text("26 characters, hidden")
    expect(page.locator("main")).not_to_contain_text("31633450007")
    expect(page.get_by_role("navigation")).not_to_contain_text("Test")
    page.goto(f"{at.url}/dashboard/do/test")
    expect(page.get_by_role("alert")).to_contain_text("lacks the role send")


def test_a_key_that_only_reads_changes_nothing(desk: Any) -> None:
    at: Desk = desk(SLOW)
    id = at.post(send_at="2027-06-01T00:00:00Z")
    page = at.sign_in(at.make_key("read"))
    page.goto(f"{at.url}/dashboard/messages/{id}")
    expect(page.locator("main")).to_contain_text("+31633450007")
    expect(page.get_by_role("link", name="Cancel this message")).to_have_count(0)
