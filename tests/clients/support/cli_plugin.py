"""A plugin of the AWS CLI that checks the shape of each answer the CLI gets.

The CLI loads it because the tests' `config` names it under `[plugins]`; what it finds goes to
the file named in `SHAPES_REPORT`, a line of JSON for each answer, since the CLI runs as a
process of its own. Errors inside the plugin end the CLI: nothing passes unchecked.
"""

from __future__ import annotations

import json
import os
from typing import Any

from support import shapes


def awscli_initialize(events: Any) -> None:
    """What the CLI calls when it loads a plugin."""
    events.register("before-parse", _check)


def _check(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    line = json.dumps(
        {"operation": operation_model.name, "violations": shapes.violations(operation_model, response_dict)}
    )
    with open(os.environ["SHAPES_REPORT"], "a", encoding="utf-8") as report:
        report.write(line + "\n")
