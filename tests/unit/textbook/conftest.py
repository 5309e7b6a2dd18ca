"""Fixtures for the textbook's tests: every family of the catalogue with its oracle."""

import functools
import importlib
import pkgutil

from ghostd.textbook import catalogue
from ghostd.textbook.catalogue.family import Family

from . import oracles
from .checks import Oracle


@functools.cache
def all_oracles() -> dict[str, Oracle]:
    """Family slug -> oracle, gathered from every module of `oracles`."""
    found: dict[str, Oracle] = {}
    for module in pkgutil.iter_modules(oracles.__path__):
        found |= importlib.import_module(f"{oracles.__name__}.{module.name}").ORACLES
    return found


def all_families() -> list[Family]:
    """Every family of the catalogue, straight from its modules, so that the index is not its own judge."""
    modules = [
        importlib.import_module(f"{catalogue.__name__}.{found.name}")
        for found in pkgutil.iter_modules(catalogue.__path__)
        if not found.name.startswith("_") and found.name != "family"
    ]
    return [family for module in modules for family in module.FAMILIES]


def pytest_generate_tests(metafunc):
    """A test that asks for `family` runs once for each family of the catalogue."""
    if "family" in metafunc.fixturenames:
        families = all_families()
        metafunc.parametrize("family", families, ids=[family.slug for family in families])
