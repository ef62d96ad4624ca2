"""What an operator may write, and what smsd says when it is wrong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.python import usage

from smsd.core.policy import Doubt
from smsd.settings import DEMO_KEY, SETTINGS, Settings, SettingsError, example, load, manual
from smsd.settings.schema import twistd_options
from smsd.settings.sources import find_toml
from smsd.settings.types import ApiKey, LogFormat, MemorySpoolUrl, Secret, SqliteSpoolUrl

EXAMPLE = Path(__file__).parents[3] / "smsd.toml.example"
MANUAL = Path(__file__).parents[3] / "docs/settings.md"
NAMES = [each.name for each in SETTINGS]


def from_env(**values: str) -> Settings:
    return load({f"SMSD_{name.upper()}": text for name, text in values.items()}, {}, None)


def from_toml(directory: Path, text: str) -> Settings:
    path = directory / "smsd.toml"
    path.write_text(text, encoding="utf-8")
    return load({}, {}, path)


def refusal(**values: str) -> str:
    with pytest.raises(SettingsError) as caught:
        from_env(**values)
    return str(caught.value)


def keys(text: str) -> list[tuple[str, str]]:
    return [(each.name, each.key.reveal()) for each in from_env(api_keys=text).api_keys]


def test_without_any_source_the_defaults_hold() -> None:
    assert load({"PATH": "/bin"}, {}, None) == Settings(
        listen="tcp:5000:interface=127.0.0.1",
        api_keys=(ApiKey(name="demo", key=Secret("BigBird")),),
        messagebird_key=None,
        messagebird_url=None,
        rate=1.0,
        spool=SqliteSpoolUrl(path=Path("smsd.db")),
        backlog_limit=1_000_000,
        retry_base=1.0,
        retry_cap=300.0,
        attempts=0,
        uncertain=Doubt.RESEND,
        grace=10.0,
        timeout=20.0,
        sandbox="tcp:5001:interface=127.0.0.1",
        log_format=LogFormat.AUTO,
    )
    assert Settings() == load({}, {}, None)


def test_each_source_wins_over_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "smsd.toml"
    path.write_text("rate = 2\ngrace = 2\ntimeout = 2\n")
    settings = load({"SMSD_RATE": "3", "SMSD_GRACE": "3"}, {"rate": "4"}, path)
    assert (settings.rate, settings.grace, settings.timeout, settings.retry_base) == (4, 3, 2, 1)


def test_an_option_that_was_not_given_leaves_the_environment_alone() -> None:
    assert load({"SMSD_RATE": "3"}, {"rate": None}, None).rate == 3


def test_an_option_goes_by_its_name_with_dashes_or_underscores() -> None:
    assert load({}, {"retry-base": "7"}, None).retry_base == load({}, {"retry_base": "7"}, None).retry_base == 7


@pytest.mark.parametrize("option", ["api_keys", "messagebird-key", "callback-secrets"])
def test_a_secret_on_the_command_line_is_refused(option: str) -> None:
    with pytest.raises(SettingsError, match=r"would show a secret .* set SMSD_") as caught:
        load({}, {option: "hush"}, None)
    assert "hush" not in str(caught.value)


def test_the_tree_is_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Settings().rate = 2  # type: ignore[misc]


def test_an_unknown_variable_names_the_nearest() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"SMSD_RAET": "1"}, {}, None)
    assert str(caught.value) == "SMSD_RAET is not a setting of smsd; did you mean SMSD_RATE?"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("log-format", "log_format"), ("SMSD_RATE", "rate"), ("apikeys", "api_keys"), ("listen_on", "listen")],
)
def test_an_unknown_toml_key_names_the_nearest(tmp_path: Path, written: str, meant: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_toml(tmp_path, f"{written} = 1")
    assert str(caught.value) == f"{written} in smsd.toml is not a setting of smsd; did you mean {meant}?"


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"--raet is not a setting of smsd; did you mean --rate\?"):
        load({}, {"raet": "1"}, None)


def test_all_problems_come_in_one_error(tmp_path: Path) -> None:
    path = tmp_path / "smsd.toml"
    path.write_text("grace = -1\nraet = 5\nrate = 0")
    environ = {"SMSD_SPOOL": "mysql://x", "SMSD_RATE": "5", "SMSD_RETRY_BASE": "500", "SMSD_FOO": "1"}
    with pytest.raises(SettingsError) as caught:
        load(environ, {"attempts": "many"}, path)
    starts = [problem.split(" is ")[0] for problem in caught.value.problems]
    assert sorted(starts) == sorted(
        [
            "grace in smsd.toml",
            "raet in smsd.toml",
            "rate in smsd.toml",
            "SMSD_SPOOL",
            "SMSD_FOO",
            "--attempts",
            "SMSD_RETRY_CAP",
        ]
    )
    assert str(caught.value).splitlines() == list(caught.value.problems)


WRONG = {
    "listen": ["5000", "tcp", "tcp:", "tcp:http", "tcp:65536", "tcp:-1", "tcp:port=x", "tcp:interface=::"],
    "sandbox": ["5001", "127.0.0.1:5001"],
    "messagebird_url": [
        "rest.messagebird.com",
        "ftp://x",
        "http://",
        "http://x:y",
        "http://x:0",
        "http://x?a=b",
        "http://x#a",
        "http://a b",
    ],
    "rate": ["0", "-1", "500.1", "nan", "inf", "-inf", "1e999", "fast", "1_0", "٣", "1,5"],
    "spool": [
        "memory",
        "memory://",
        "smsd.db",
        "sqlite://smsd.db",
        "sqlite:///",
        "sqlite:////",
        "sqlite:///a/",
        "sqlite:///.",
        "sqlite:///:memory:",
        "mysql://x/y",
        "postgresql",
        "memory:://",
        "kafka://host/topic",
        "kafka://host:9092",
        "kafka://host:9092/",
        "kafka:///topic",
        "kafka://host:9092/a b",
        "kafka://host:9092/..",
        "kinesis://",
        "kinesis://a/b",
    ],
    "backlog_limit": ["0", "-1", "1.5", "1e6", "9" * 19],
    "retry_base": ["0", "-1", "nan", "inf", "1s"],
    "retry_cap": ["0", "nan", "inf"],
    "attempts": ["-1", "1.0", "forever"],
    "uncertain": ["RESEND", "drop"],
    "grace": ["-0.1", "nan", "inf"],
    "timeout": ["0", "nan", "inf", "86401"],
    "log_format": ["xml", "JSON"],
    "ageing": ["0", "-1", "nan", "inf"],
    "stale": ["-1", "nan", "inf", "off"],
    "keep": ["0", "-1", "nan", "inf", "forever"],
    "callback_private": ["YES", "1", "on"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in WRONG.items() for text in texts])
def test_a_wrong_value_is_named_with_what_is_allowed(name: str, text: str) -> None:
    allowed = next(each.kind.allowed for each in SETTINGS if each.name == name)
    said = refusal(**{name: text})
    assert said.startswith(f"SMSD_{name.upper()} is {text!r}")
    assert said.endswith(f"; it must be {allowed}.")
    assert "\n" not in said


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_value_is_refused(name: str, text: str) -> None:
    assert refusal(**{name: text}).startswith(f"SMSD_{name.upper()} is ")


@pytest.mark.parametrize(("name", "text"), [("listen", "unix:/a\0b"), ("spool", "sqlite:///a\0b")])
def test_an_unprintable_value_is_refused(name: str, text: str) -> None:
    assert f"SMSD_{name.upper()} is {text!r} (it holds a character" in refusal(**{name: text})


def test_a_refusal_says_the_range() -> None:
    assert refusal(rate="501") == "SMSD_RATE is '501'; it must be a number above 0 and at most 500."
    assert refusal(attempts="-1") == "SMSD_ATTEMPTS is '-1'; it must be a whole number of at least 0."


def test_a_refusal_hides_the_password_of_a_url() -> None:
    said = refusal(spool="mysql://me:p@ss@db/smsd", messagebird_url="https://me:pass@host")
    assert "ss@" not in said
    assert "SMSD_SPOOL is 'mysql://***@db/smsd'" in said
    assert "SMSD_MESSAGEBIRD_URL is 'https://***@host'" in said


@pytest.mark.parametrize(("text", "rate"), [("0.2", 0.2), ("500", 500), (" 5 ", 5), ("1e-1", 0.1), (".5", 0.5)])
def test_a_rate_may_be_a_fraction(text: str, rate: float) -> None:
    assert from_env(rate=text).rate == rate


@pytest.mark.parametrize(
    "text",
    [
        "tcp:0",
        "tcp:port=80",
        "tcp:5000:interface=\\:\\:1",
        "tcp6:port=5000",
        "unix:/run/smsd.sock",
        "ssl:443:k=v",
        "systemd:domain=INET:index=0",
        "tcp:interface=::1:port=5000",
    ],
)
def test_any_twisted_endpoint_is_taken(text: str) -> None:
    assert from_env(listen=text, api_keys="shop=a-key").listen == text


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///smsd.db", "smsd.db"),
        ("sqlite:///var/smsd.db", "var/smsd.db"),
        ("sqlite:////var/lib/smsd.db", "/var/lib/smsd.db"),
    ],
)
def test_everything_after_the_third_slash_is_the_path(text: str, path: str) -> None:
    assert from_env(spool=text).spool == SqliteSpoolUrl(path=Path(path))


def test_a_spool_may_be_in_memory() -> None:
    assert from_env(spool="memory:").spool == MemorySpoolUrl()


def test_words_become_members() -> None:
    settings = from_env(uncertain="hold", log_format="json")
    assert (settings.uncertain, settings.log_format) == (Doubt.HOLD, LogFormat.JSON)


def test_the_cap_may_equal_the_base_and_not_be_below() -> None:
    assert from_env(retry_base="300").retry_cap == 300
    assert refusal(retry_base="301") == "SMSD_RETRY_CAP is 300 s; it must be at least SMSD_RETRY_BASE, 301 s."


def test_no_rule_is_applied_to_a_value_already_refused() -> None:
    assert refusal(retry_base="500", retry_cap="long").count("SMSD_RETRY") == 1
    assert refusal(messagebird_key="live_x", api_keys=",").count("\n") == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one", [("key1", "one")]),
        ("one,two", [("key1", "one"), ("key2", "two")]),
        ("shop=one, two", [("shop", "one"), ("key1", "two")]),
        ("shop=a=b", [("shop", "a=b")]),
        ("shop=c2VjcmV0==", [("shop", "c2VjcmV0==")]),
        ("c2VjcmV0==", [("key1", "c2VjcmV0==")]),
        ("c2VjcmV0=", [("key1", "c2VjcmV0=")]),
        ("a+b/c=d", [("key1", "a+b/c=d")]),
        ("=one", [("key1", "=one")]),
        ("A.b_c-1=one", [("A.b_c-1", "one")]),
    ],
)
def test_api_keys_are_parsed(text: str, expected: list[tuple[str, str]]) -> None:
    assert keys(text) == expected


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("hush1,,hush2", "entry 2 is empty"),
        ("hush1,", "entry 2 is empty"),
        (",hush1", "entry 1 is empty"),
        ("a=hush1,a=hush2", "entries 1 and 2 have the same name"),
        ("key1=hush1,hush2", "entries 1 and 2 have the same name"),
        ("a=hush1,c=hush3,b=hush1", "entries 1 and 3 have the same key"),
        ("a=hush 1", "entry 1 is empty, or not of visible ASCII"),
        ("hüsh1", "entry 1 is empty, or not of visible ASCII"),
    ],
)
def test_wrong_api_keys_are_refused_without_showing_them(text: str, because: str) -> None:
    said = refusal(api_keys=text)
    assert said.startswith(f"SMSD_API_KEYS is not valid ({because}")
    assert re.search(r"h[uü]sh", said) is None


@pytest.mark.parametrize(
    "text", ['"shop=a,b"', '["shop=a", "b"]', '{shop = "a", key1 = "b"}'], ids=["text", "list", "table"]
)
def test_toml_may_give_api_keys_in_three_shapes(tmp_path: Path, text: str) -> None:
    names = [(each.name, each.key.reveal()) for each in from_toml(tmp_path, f"api_keys = {text}").api_keys]
    assert names == [("shop", "a"), ("key1", "b")]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "5",
        "[5]",
        '[""]',
        '["hush", "hush"]',
        "{a = 5}",
        '{a = ""}',
        '{"a b" = "hush"}',
        '{a.b = "hush"}',
        "true",
    ],
)
def test_wrong_api_keys_in_toml_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"^api_keys in smsd\.toml is not valid") as caught:
        from_toml(tmp_path, f"api_keys = {text}")
    assert "hush" not in str(caught.value)


def test_toml_may_give_native_types(tmp_path: Path) -> None:
    settings = from_toml(tmp_path, 'rate = 5\ngrace = 0.5\nattempts = 3\nretry_base = "2"\nspool = "memory:"')
    assert (settings.rate, settings.grace, settings.attempts, settings.retry_base) == (5, 0.5, 3, 2)


@pytest.mark.parametrize(
    "line",
    [
        "rate = true",
        "rate = nan",
        "rate = inf",
        "rate = [1]",
        "rate = 2024-01-01",
        "attempts = 1.0",
        "attempts = true",
        "listen = 5000",
        "log_format = 1",
        "messagebird_key = 5",
        "spool = {}",
    ],
)
def test_toml_of_the_wrong_type_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(SettingsError, match=r"in smsd\.toml is .*; it must be"):
        from_toml(tmp_path, line)


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"smsd\.toml is not toml: .*line 1"):
        from_toml(tmp_path, "rate: 5")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "smsd.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="is not toml"):
        load({}, {}, path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.toml cannot be read: No such file"):
        load({}, {}, tmp_path / "gone.toml")


def test_the_file_of_the_option_is_read_else_the_one_in_the_directory(tmp_path: Path) -> None:
    assert find_toml(None, tmp_path) is None
    assert find_toml("other.toml", tmp_path) == tmp_path / "other.toml"
    assert find_toml("/etc/smsd.toml", tmp_path) == Path("/etc/smsd.toml")
    (tmp_path / "smsd.toml").touch()
    assert find_toml(None, tmp_path) == tmp_path / "smsd.toml"


def test_without_key_and_address_it_is_sandboxed() -> None:
    assert from_env().sandboxed
    assert not from_env(messagebird_key="test_x").sandboxed
    assert not from_env(messagebird_url="http://localhost:5001").sandboxed


def test_a_key_alone_goes_to_messagebird() -> None:
    settings = from_env(messagebird_key="live_x", api_keys="shop=a")
    assert settings.messagebird_url == "https://rest.messagebird.com"
    assert settings.messagebird_key == Secret("live_x")


def test_an_address_alone_gets_the_key_of_the_sandbox() -> None:
    settings = from_env(messagebird_url="http://127.0.0.1:9/v1/")
    assert settings.messagebird_key == Secret("test_sandbox")
    assert settings.messagebird_url == "http://127.0.0.1:9/v1"


@pytest.mark.parametrize("api_keys", [{}, {"api_keys": "BigBird"}, {"api_keys": "a=b,shop=BigBird"}])
def test_the_demo_key_is_refused_with_a_real_provider_key(api_keys: dict[str, str]) -> None:
    said = refusal(messagebird_key="live_hush", **api_keys)
    assert said == "The demo key BigBird is refused with a real provider key; set SMSD_API_KEYS."


def test_the_demo_key_stays_with_a_test_key() -> None:
    assert from_env(messagebird_key="test_x").api_keys == (ApiKey(name="demo", key=DEMO_KEY),)
    assert keys("BigBird") == [("key1", "BigBird")]


def test_a_secret_is_never_shown() -> None:
    settings = from_env(messagebird_key="live_hush", api_keys="shop=hush")
    shown = f"{settings!r} {settings} {attrs.asdict(settings)} {settings.messagebird_key}"
    assert "hush" not in shown
    assert shown.count("Secret(***)") == 7
    assert settings.api_keys[0].key.reveal() == "hush"


def test_secrets_compare_by_what_they_hold() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def problems_of(**values: str) -> str:
    try:
        from_env(**values)
    except SettingsError as error:
        return str(error)
    return ""


@given(st.sampled_from(NAMES), st.text())
def test_any_text_is_either_taken_or_refused_by_name(name: str, text: str) -> None:
    said = problems_of(**{"api_keys": "shop=a", name: text})
    assert not said or f"SMSD_{name.upper()}" in said


@given(
    st.sampled_from(["api_keys", "messagebird_key", "callback_secrets"]),
    st.text(alphabet=" é,=\n", min_size=0),
    st.integers(0),
)
def test_a_refusal_never_shows_a_secret(name: str, noise: str, number: int) -> None:
    secret = f"hush{number}"
    assert "hush" not in problems_of(**{name: f"{secret}{noise}{secret}"})


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True),
        st.from_regex(r"[!-+\--~]*[!-+\--<>-~]", fullmatch=True),
        min_size=1,
    )
)
def test_named_keys_come_back_as_they_were_written(named: dict[str, str]) -> None:
    written = [(name, key) for key, name in {key: name for name, key in named.items()}.items()]
    assert keys(",".join(f"{name}={key}" for name, key in written)) == written


#: Where a tool has a standard name of its own, that holds.
STANDARD = {"sentry_dsn": "SENTRY_DSN", "datadog_host": "DD_AGENT_HOST", "datadog_port": "DD_DOGSTATSD_PORT"}


def test_every_setting_is_documented() -> None:
    for each in SETTINGS:
        assert each.doc.endswith(".")
        assert each.default is not None or each.example
        assert each.env == STANDARD.get(each.name, f"SMSD_{each.name.upper()}")


def test_the_example_in_the_repository_is_fresh() -> None:
    assert example.main(["--check", str(EXAMPLE)]) == 0


def test_the_example_holds_nothing_but_comments() -> None:
    assert tomllib.loads(example.render()) == {}


def test_the_example_uncommented_is_the_default(tmp_path: Path) -> None:
    lines = re.findall(r"^#(\w+ = .*)$", example.render(), flags=re.MULTILINE)
    assert [line.split(" = ")[0] for line in lines] == NAMES
    without_default = tuple(each.name for each in SETTINGS if each.default is None)
    assert from_toml(tmp_path, "\n".join(x for x in lines if not x.startswith(without_default))) == Settings()
    assert not from_toml(tmp_path, "\n".join([*lines, ""]).replace("BigBird", "mine")).sandboxed


def test_a_stale_or_missing_example_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "smsd.toml.example"
    assert example.main(["--check", str(path)]) == 1
    path.write_text(example.render() + "\n")
    assert example.main(["--check", str(path)]) == 1
    assert "is stale; run python -m smsd.settings.example >" in capsys.readouterr().err
    assert example.main([]) == 0
    path.write_text(capsys.readouterr().out)
    assert example.main(["--check", str(path)]) == 0
    assert example.main(["--chekc"]) == 2


def test_the_manual_in_the_repository_is_fresh() -> None:
    assert MANUAL.read_text(encoding="utf-8") == manual.render()


def test_the_manual_offers_no_secret_as_an_option() -> None:
    offered = re.findall(r"the command line: `--([a-z-]+)`", manual.render())
    assert offered == [each.name for each in twistd_options(SETTINGS)]


def test_no_secret_is_an_option_of_twistd() -> None:
    options = {each.name: each for each in twistd_options(SETTINGS)}
    assert set(options) == {each.name.replace("_", "-") for each in SETTINGS} - {
        "api-keys",
        "bird-key",
        "bird-webhook-secret",
        "callback-secrets",
        "kafka",
        "sentry-dsn",
        "messagebird-key",
        "signing-key",
    }
    assert options["rate"].default == "1"
    assert options["rate"].doc.endswith("[requests a second, default 1, SMSD_RATE]")


def test_twisted_parses_the_options() -> None:
    class Options(usage.Options):
        optParameters = [  # noqa: N815 - the name is Twisted's
            each.parameter for each in twistd_options(SETTINGS)
        ]

    options = Options()  # type: ignore[no-untyped-call]
    options.parseOptions(["--rate", "0.2", "--retry-base=3"])  # type: ignore[no-untyped-call]
    settings = load({"SMSD_GRACE": "1", "SMSD_RATE": "9"}, options, None)
    assert (settings.rate, settings.retry_base, settings.grace) == (0.2, 3, 1)
