"""What is new in what the gateways offer: gateways that are added, answer, go away, and are removed."""

from __future__ import annotations

from pathlib import Path

from tests.client.gateways import kernelway_in
from tests.jupyter.saving import places_of, save

from kernelway.jupyter.offers import Offers

DEADLINE = 30.0
NOBODY = {"baseUrl": "http://127.0.0.1:9"}


async def test_a_place_that_comes_or_goes_is_a_change(tmp_path: Path) -> None:
    offers = Offers()
    async with places_of(tmp_path, {"away": NOBODY}) as places:
        await places.refresh(within=DEADLINE)
        assert offers.changed(places.all()) == []
        with kernelway_in(tmp_path / "gpu") as server:
            save(tmp_path, {"away": NOBODY, "gpu": {"baseUrl": server.base_url, "token": server.token}})
            await places.refresh(within=DEADLINE)
            assert offers.changed(places.all()) == ["gpu"]
            await places.refresh(within=DEADLINE)
            assert offers.changed(places.all()) == []
        save(tmp_path, {"gpu": NOBODY})
        await places.refresh(within=DEADLINE)
        assert offers.changed(places.all()) == ["away", "gpu"]


async def test_a_place_that_answers_or_does_not_any_more_is_a_change(tmp_path: Path) -> None:
    offers = Offers()
    async with places_of(tmp_path, {"away": NOBODY}) as places:
        # It is not known yet whether it answers.
        await places.start()
        assert offers.changed(places.all()) == []
        await places.refresh(within=DEADLINE)
        assert offers.changed(places.all()) == ["away"]
