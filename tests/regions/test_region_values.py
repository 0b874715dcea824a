"""Region codes: form, the one matching rule, and validity in time."""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.regions import Region, full_name, known_on, name_on, parse_region, validity_of
from service.regions.extract import OUTPUT, extract
from service.regions.table import counties_on

TODAY = date(2026, 11, 1)

regions = st.just(Region(0, 0)) | st.sampled_from([2, 4, 6]).flatmap(
    lambda digits: st.builds(
        Region, st.integers(10 ** (digits - 1), 10**digits - 1), st.just(digits)
    )
)


@pytest.mark.parametrize(
    ("text", "code", "digits"),
    [
        ("51", 51, 2),
        ("5107", 5107, 4),
        ("510722", 510722, 6),
        ("510000", 51, 2),
        ("510700", 5107, 4),
        ("5100", 51, 2),
    ],
)
def test_a_code_is_read_at_the_level_its_trailing_zeros_mean(
    text: str, code: int, digits: int
) -> None:
    region = parse_region(text)
    assert (region.code, region.digits) == (code, digits)


@pytest.mark.parametrize(
    "text",
    ["", "5", "510", "51072", "5107222", "51072a", "00", "\uff15\uff11", "000000", "510022", " 51"],
)
def test_a_malformed_code_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_region(text)


def test_a_region_value_refuses_digits_that_do_not_fit_its_code() -> None:
    with pytest.raises(ValueError):
        Region(5107, 6)
    with pytest.raises(ValueError):
        Region(510, 3)  # type: ignore[arg-type]


def test_a_province_covers_its_city_and_county_but_not_the_reverse() -> None:
    province, city, county = Region(51, 2), Region(5107, 4), Region(510722, 6)
    assert province.covers(city)
    assert province.covers(county)
    assert city.covers(county)
    assert not county.covers(city)
    assert not city.covers(province)
    assert not city.covers(Region(510822, 6))


@given(regions, regions)
def test_covering_is_the_prefix_relation_of_the_written_codes(one: Region, other: Region) -> None:
    written = ["" if region == Region(0, 0) else str(region) for region in (one, other)]
    assert one.covers(other) == written[1].startswith(written[0])


def test_the_whole_country_covers_everything_and_is_covered_by_itself_only() -> None:
    country = parse_region("0")
    assert country == Region(0, 0)
    assert country.covers(Region(11, 2))
    assert country.covers(country)
    assert not Region(11, 2).covers(country)
    assert not known_on(country, TODAY)
    with pytest.raises(ValueError):
        Region(1, 0)


@given(regions)
def test_a_region_is_covered_by_itself_and_by_each_ancestor(region: Region) -> None:
    assert region.covers(region)
    assert all(ancestor.covers(region) for ancestor in region.ancestors())


def test_a_code_is_known_only_in_its_years() -> None:
    shuangliu_county = parse_region("510122")
    assert known_on(shuangliu_county, date(2014, 6, 1))
    assert known_on(shuangliu_county, date(2015, 12, 31))
    assert not known_on(shuangliu_county, date(2016, 1, 1))
    assert known_on(parse_region("510116"), TODAY)
    assert not known_on(parse_region("510116"), date(2014, 6, 1))


def test_a_code_that_never_existed_is_unknown_on_every_date() -> None:
    assert validity_of(parse_region("519999")) == ()
    assert not known_on(parse_region("519999"), TODAY)


def test_names_follow_the_date() -> None:
    beichuan = parse_region("510726")
    assert name_on(beichuan, date(1999, 1, 1)) == "北川县"
    assert name_on(beichuan, TODAY) == "北川羌族自治县"
    assert name_on(parse_region("519999"), TODAY) is None


def test_a_full_name_runs_from_the_province_down() -> None:
    assert full_name(parse_region("510722"), TODAY) == "四川省绵阳市三台县"


def test_sichuan_has_its_183_counties() -> None:
    assert len(counties_on(Region(51, 2), TODAY)) == 183


def test_the_vendored_table_is_the_installed_edition() -> None:
    source = files("stdnum.cn").joinpath("loc.dat").read_text(encoding="utf-8")
    lines = [
        line
        for line in Path(OUTPUT).read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert lines == extract(source)


def test_a_source_line_that_is_not_understood_is_an_error() -> None:
    with pytest.raises(ValueError, match="not understood"):
        extract('51 province="四川省"\n  01 county="x"')
