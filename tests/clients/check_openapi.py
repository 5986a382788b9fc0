"""Validates an OpenAPI document, and samples against the schemas in it.

Reads {"document": …, "samples": [[schema name, value], …], "strangers": [the same, to be refused]} from standard
input. The judges are
openapi-spec-validator and, for the samples, its sibling openapi-schema-validator.
"""

import json
import sys

from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

given = json.load(sys.stdin)
document = given["document"]
validate(document, cls=OpenAPIV31SpecValidator)


def errors(name, value):
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return [f"{error.json_path}: {error.message}" for error in OAS31Validator(schema).iter_errors(value)]


for name, value in given["samples"]:
    if found := errors(name, value):
        sys.exit(f"{name}: {json.dumps(value)}\n" + "\n".join(found))
for name, value in given["strangers"]:
    if not errors(name, value):
        sys.exit(f"{name} takes {json.dumps(value)}")
