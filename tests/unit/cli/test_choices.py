"""The names in `choices` are those that the core and the tables accept."""

import subprocess
import sys
from typing import get_args

from ovvis_cli import choices
from ovvis_cli.data.catalog import DATA_SETS
from ovvis_cli.exporters.export import EXPORTERS
from ovvis_cli.inference.device import DTYPES
from ovvis_cli.training.clipvis import STAGES as CLIPVIS_STAGES
from ovvis_cli.training.genvis import STAGES as GENVIS_STAGES
from ovvis_cli.training.instformer import STAGES as INSTFORMER_STAGES
from ovvis_cli.training.ovformer import STAGES as OVFORMER_STAGES
from ovvis_cli.training.word_clipvis import STAGES as WORD_CLIPVIS_STAGES
from ovvis_models.systems import spec as specs


def test_trackers_classifiers_and_rules_are_those_of_the_core() -> None:
    assert choices.TrackerName == specs.TrackerName
    assert choices.ClassifierName == specs.ClassifierName
    assert choices.RulesName == specs.Rules


def test_every_tracker_classifier_and_rules_is_explained_in_order() -> None:
    assert tuple(choices.TRACKER_HELP) == get_args(choices.TrackerName)
    assert tuple(choices.CLASSIFIER_HELP) == get_args(choices.ClassifierName)
    assert tuple(choices.RULES_HELP) == get_args(choices.RulesName)


def test_every_other_name_has_its_implementation() -> None:
    assert {"auto", *DTYPES} == set(choices.PRECISION_NAMES)
    assert set(EXPORTERS) == set(choices.EXPORT_FORMATS)
    assert set(DATA_SETS) == set(choices.DATA_SET_NAMES)
    stages = (INSTFORMER_STAGES, CLIPVIS_STAGES, WORD_CLIPVIS_STAGES, OVFORMER_STAGES, GENVIS_STAGES)
    assert {name for of_system in stages for name in of_system} == set(choices.STAGE_NAMES)


def test_choices_import_nothing_slow() -> None:
    code = "import sys; import ovvis_cli.choices; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
