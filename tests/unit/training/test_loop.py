"""The training loop: a stopped run goes on exactly as if it had not been stopped."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from ovvis_cli.errors import WeightsError
from ovvis_cli.training.checkpoint import load_average, save_checkpoint
from ovvis_cli.training.loop import Schedule, Stage, fit

SCHEDULE = Schedule(
    steps=12,
    batch_size=4,
    learning_rate=0.05,
    warmup_steps=3,
    weight_decay=0.01,
    gradient_norm=1.0,
    average_decay=0.8,
    seed=5,
    workers=0,
)


class StopError(Exception):
    """Raised in place of a kill."""


def toy_stage(schedule: Schedule = SCHEDULE) -> Stage:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2))
    model = model.to(memory_format=torch.channels_last)

    def draw(number: int) -> torch.Tensor:
        return torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(number))

    def losses(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": (model(batch) - batch.mean(dim=(1, 2, 3))[:, None]).square().mean()}

    return Stage(name="toy", model=model, draw=draw, collate=torch.stack, losses=losses, schedule=schedule)


def test_a_stopped_run_goes_on_exactly(tmp_path):
    whole = toy_stage()
    fit(whole, checkpoint=tmp_path / "whole.safetensors", on_step=lambda report: None)

    def stop_at_seven(report):
        if report.step == 7:
            raise StopError

    halved = toy_stage()
    path = tmp_path / "halved.safetensors"
    with pytest.raises(StopError):
        fit(halved, checkpoint=path, on_step=stop_at_seven, save_every_s=0.0)
    steps = []
    resumed = toy_stage()
    fit(resumed, checkpoint=path, on_step=lambda report: steps.append(report.step))

    assert steps[0] in {7, 8}
    assert steps[-1] == 12
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_the_loss_falls(tmp_path):
    losses = []
    stage = toy_stage(replace(SCHEDULE, steps=60))
    fit(
        stage,
        checkpoint=tmp_path / "toy.safetensors",
        on_step=lambda report: losses.append(report.losses["loss"]),
    )
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


def test_the_average_is_what_a_later_stage_reads(tmp_path):
    stage = toy_stage()
    fit(stage, checkpoint=tmp_path / "toy.safetensors", on_step=lambda report: None)
    fresh = toy_stage().model
    load_average(tmp_path / "toy.safetensors", fresh)
    for name, value in stage.model.state_dict().items():
        assert torch.equal(value, fresh.state_dict()[name]), name


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    path = tmp_path / "toy.safetensors"
    other = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(other.parameters())
    save_checkpoint(path, step=3, model=other, average=other, optimizer=optimizer)
    with pytest.raises(WeightsError, match="not a checkpoint of this stage"):
        fit(toy_stage(), checkpoint=path, on_step=lambda report: None)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "toy.safetensors"
    path.write_bytes(b"not weights")
    with pytest.raises(WeightsError, match="toy.safetensors"):
        fit(toy_stage(), checkpoint=path, on_step=lambda report: None)


def test_the_rate_warms_up_and_falls():
    rates = [SCHEDULE.rate(step) for step in range(SCHEDULE.steps)]
    assert rates[0] < rates[1] < rates[2] == 1.0
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert rates[-1] < 0.1
