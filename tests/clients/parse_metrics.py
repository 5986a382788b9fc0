"""Parses what /metrics says, read from standard input, and prints its samples as JSON.

The parser is prometheus_client's own for OpenMetrics: it refuses what is not in that format.
"""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

families = []
for family in text_string_to_metric_families(sys.stdin.read()):
    samples = [[sample.name, sample.labels, sample.value] for sample in family.samples]
    families.append(
        {"name": family.name, "type": family.type, "help": family.documentation, "unit": family.unit, "samples": samples}
    )
json.dump(families, sys.stdout)
