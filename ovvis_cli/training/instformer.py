"""The whole training of an InstFormer: stages in order, each from its own checkpoint, then one weights file."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from open_clip.model import CLIP
from ovvis_models.catalog import CATALOG, ModelSpec, build
from ovvis_models.networks.clip import build_clip
from ovvis_models.weights import save_weights

from ovvis_cli.training.checkpoint import load_average
from ovvis_cli.training.loop import Schedule, StepReport, fit
from ovvis_cli.training.recipe import Recipe, scaled
from ovvis_cli.training.stage_clip import clip_stage
from ovvis_cli.training.stage_instclip import instclip_stage
from ovvis_cli.training.stage_proposals import proposal_stage
from ovvis_cli.training.stage_rollout import collect_tokens, rollout_stage
