"""Meter: what is counted for a stage, for stages within it, and for parts of a network."""

import threading

import pytest
import torch
from torch import nn

from ovvis_cli.benchmarking.meter import Meter, Sample
from ovvis_cli.inference.profiler import NO_PROFILER, profile_items


class Clock:
    """Counts one a reading, and what it is told in between."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self, _name: str) -> float:
        return self.now


class Proposals(nn.Module):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.backbone, self.pixel_decoder, self.query_decoder = (Takes(clock, s) for s in (2.0, 3.0, 4.0))

    def stages(self) -> dict[str, nn.Module]:
        return {
            "backbone": self.backbone,
            "pixel decoder": self.pixel_decoder,
            "query decoder": self.query_decoder,
        }


class Network(nn.Module):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.proposals = Proposals(clock)
        self.instance_encoder = Takes(clock, 5.0)
        self.text_encoder = Takes(clock, 100.0)


class Takes(nn.Module):
    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.clock.now += self.seconds
        return x


def test_a_stage_counts_without_the_stages_inside() -> None:
    clock = Clock()
    meter = Meter(clock)
    with meter.stage("preprocess", num_frames=2):
        clock.now += 1
        with meter.stage("backbone", num_frames=2):
            clock.now += 10
        clock.now += 1
    assert meter.samples == {
        "backbone": [Sample(amount=10, num_frames=2)],
        "preprocess": [Sample(amount=2, num_frames=2)],
    }


def test_parts_of_a_network_are_stages_of_as_many_frames_as_the_one_around() -> None:
    clock = Clock()
    meter, network = Meter(clock), Network(clock)
    x = torch.zeros(1)
    with meter.listening(network), meter.stage("preprocess", num_frames=3):
        network.proposals.query_decoder(network.proposals.pixel_decoder(network.proposals.backbone(x)))
        network.instance_encoder(x)
    network.instance_encoder(x)  # no longer heard
    amounts = {name: [(s.amount, s.num_frames) for s in samples] for name, samples in meter.samples.items()}
    assert amounts == {
        "backbone": [(2, 3)],
        "pixel decoder": [(3, 3)],
        "query decoder": [(4, 3)],
        "classify": [(5, 3)],
        "preprocess": [(0, 3)],
    }


def test_a_stage_that_fails_is_not_counted() -> None:
    meter = Meter(Clock())
    with pytest.raises(ValueError, match="broken"), meter.stage("write", num_frames=1):
        raise ValueError("broken")
    assert meter.samples == {}
    with meter.stage("write", num_frames=1):
        pass
    assert len(meter.samples["write"]) == 1


def test_threads_do_not_nest_in_each_other() -> None:
    meter = Meter(Clock())

    def other() -> None:
        with meter.stage("decode", num_frames=1):
            pass

    with meter.stage("associate", num_frames=1):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert {name: len(samples) for name, samples in meter.samples.items()} == {"decode": 1, "associate": 1}


def test_items_are_the_same_measured_or_not() -> None:
    meter = Meter(Clock())
    assert list(profile_items([1, 2, 3], profiler=meter, name="decode")) == [1, 2, 3]
    assert len(meter.samples["decode"]) == 3  # the end of the items is no item
    assert list(profile_items([1, 2], profiler=NO_PROFILER, name="decode")) == [1, 2]
