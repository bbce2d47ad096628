"""Checks a document against the part of JSON Schema that docs/*.schema.json use; anything else is refused.

    problems = schema.check(document, json.load(open("docs/status.schema.json")))    # [] when it fits
"""

KNOWN = {"$schema", "$defs", "$ref", "title", "description", "type", "properties", "required",
         "additionalProperties", "items", "enum", "const", "anyOf"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def has_type(value, name):
    if name in ("number", "integer"):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and (name == "number" or float(value).is_integer())
    return isinstance(value, TYPES[name])


def check(value, schema, root=None, path="$"):
    root = root or schema
    unknown = set(schema) - KNOWN
    if unknown:
        raise ValueError(f"tests/lib/schema.py does not know {sorted(unknown)}: teach it")
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return check(value, target, root, path)
    if "anyOf" in schema:
        tried = [check(value, option, root, path) for option in schema["anyOf"]]
        return [] if [] in tried else tried[-1]
    if "const" in schema and value != schema["const"]:
        return [f"{path}: {value!r} is not {schema['const']!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{path}: {value!r} is none of {schema['enum']}"]
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(has_type(value, name) for name in types):
        return [f"{path}: {value!r} is no {' or '.join(types)}"]
    bad = []
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        bad += [f"{path}: lacks {name}" for name in schema.get("required", []) if name not in value]
        if schema.get("additionalProperties") is False:
            bad += [f"{path}: has {name}, which the schema has not" for name in value if name not in properties]
        for name, member in value.items():
            if name in properties:
                bad += check(member, properties[name], root, f"{path}.{name}")
    if isinstance(value, list) and "items" in schema:
        for i, member in enumerate(value):
            bad += check(member, schema["items"], root, f"{path}[{i}]")
    return bad
