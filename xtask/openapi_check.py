"""Validates an OpenAPI 3.1 document, and validates each example in it against its schema.

Usage: openapi_check.py FILE
"""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

BASE = "urn:document"


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
    OpenAPIV31SpecValidator(document).validate()

    registry = Registry().with_resource(BASE, Resource(contents=document, specification=DRAFT202012))

    def check(schema, example, where):
        # The references in the schema refer to the whole document, so they need its URI.
        rebased = json.loads(json.dumps(schema).replace('"$ref": "#/', f'"$ref": "{BASE}#/'))
        Draft202012Validator.check_schema(rebased)
        validator = Draft202012Validator(rebased, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)
        errors = [error.message for error in validator.iter_errors(example)]
        if errors:
            sys.exit(f"{where}: {errors}")

    count = 0

    def walk(node, where):
        nonlocal count
        if isinstance(node, dict):
            for schema, example in (("schema", "example"), ("x-plaintext", "x-plaintext-example")):
                if schema in node and example in node:
                    check(node[schema], node[example], f"{where}/{example}")
                    count += 1
            if "x-provenance" in node and isinstance(node.get("examples"), list):
                for example in node["examples"]:
                    check({name: value for name, value in node.items() if name != "examples"}, example, where)
                    count += 1
            for name, value in node.items():
                walk(value, f"{where}/{name}")
        elif isinstance(node, list):
            for index, value in enumerate(node):
                walk(value, f"{where}/{index}")

    walk(document, "#")
    operations, webhooks = len(document["paths"]), len(document.get("webhooks", {}))
    if count < operations:
        sys.exit(f"found only {count} examples for {operations} operations")
    print(f"openapi: valid; {operations} paths, {webhooks} webhooks, {count} examples match their schemas")


main()
