"""The interface's description as one plain page: rendered here, so that it needs no script and no other host."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

Description = Mapping[str, Any]
FORM = "multipart/form-data"

STYLE = """\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h2 { margin-top: 2.5rem; border-top: 1px solid; padding-top: 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9rem; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid; border-radius: 0.25rem; }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid; }
"""


def page(description: Description, base_url: str) -> str:
    """Return the page for an OpenAPI description; `base_url` stands in its examples."""
    info = description["info"]
    title = f"{info['title']} {info['version']}"
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<title>{escape(title)}: the interface</title><link rel="stylesheet" href="docs.css"></head><body><main>',
            f"<h1>{escape(title)}</h1><p>{escape(info.get('summary', ''))} The same for programs: "
            '<a href="openapi.json">openapi.json</a>.</p>',
            *_contents(description),
            *(_operation(description, base_url, *found) for found in _operations(description)),
            "<h2>Bodies</h2>",
            *(_schema(name, schema) for name, schema in sorted(_schemas(description).items())),
            "</main></body></html>\n",
        ]
    )


def _operations(description: Description) -> Iterator[tuple[str, str, Description]]:
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path, operation


def _schemas(description: Description) -> Description:
    schemas: Description = description["components"]["schemas"]
    return schemas


def _contents(description: Description) -> Iterator[str]:
    yield "<nav><ul>"
    for method, path, operation in _operations(description):
        anchor = escape(operation["operationId"])
        yield f'<li><a href="#{anchor}"><code>{method} {escape(path)}</code></a> {escape(operation["summary"])}</li>'
    yield "</ul></nav>"


def _operation(description: Description, base_url: str, method: str, path: str, operation: Description) -> str:
    sections = [
        f'<h2 id="{escape(operation["operationId"])}"><code>{method} {escape(path)}</code></h2>',
        f"<p>{escape(operation.get('description', operation['summary']))}</p>",
        _parameters(operation),
        _body(operation),
        f"<h3>Try it</h3><pre>{escape(_curl(description, method, base_url + path, operation))}</pre>",
        _responses(operation),
        _answer(operation),
    ]
    return "\n".join(section for section in sections if section)


def _parameters(operation: Description) -> str:
    rows = [
        (f"<code>{escape(p['name'])}</code>", *_traits(p["schema"], required=p["required"]))
        for p in operation.get("parameters", [])
    ]
    return f"<h3>Parameters</h3>{_table(('Name', 'Type', 'Default', 'Meaning'), rows)}" if rows else ""


def _body(operation: Description) -> str:
    body = operation.get("requestBody", {})
    kind = "Form, multipart/form-data" if FORM in body.get("content", {}) else "JSON"
    schema = _content_schema(body)
    return f"<h3>Body</h3><p>{kind}: {_type(schema)}</p>" if schema else ""


def _responses(operation: Description) -> str:
    rows = []
    for code, response in operation["responses"].items():
        kind = ", ".join(response.get("content", {}))
        rows.append(
            (
                f"<code>{escape(code)}</code>",
                escape(response["description"]),
                _type(_content_schema(response)),
                escape(kind),
            )
        )
    return f"<h3>Answers</h3>{_table(('Status', 'When', 'Body', 'Media type'), rows)}"


def _answer(operation: Description) -> str:
    """Show what a call is answered that succeeds."""
    for response in operation["responses"].values():
        for content in response.get("content", {}).values():
            if "example" in content:
                example = content["example"]
                text = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False, indent=2)
                return f"<h3>An answer</h3><pre>{escape(text)}</pre>"
    return ""


def _schema(name: str, schema: Description) -> str:
    required = schema.get("required", [])
    rows = [
        (f"<code>{escape(field)}</code>", *_traits(traits, required=field in required))
        for field, traits in schema.get("properties", {}).items()
    ]
    about = escape(schema.get("description", ""))
    fields = _table(("Field", "Type", "Default", "Meaning"), rows) if rows else f"<p>{_type(schema)}</p>"
    return f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{about}</p>{fields}'


def _traits(schema: Description, *, required: bool) -> tuple[str, str, str]:
    """Return the cells of a field or parameter: its type with its bounds, its default, its meaning."""
    default = "required" if required else json.dumps(schema.get("default"))
    return _type(schema) + _bounds(schema), f"<code>{escape(default)}</code>", escape(schema.get("description", ""))


def _type(schema: Description) -> str:
    """Return a type as HTML, linked to the body it names."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "allOf" in schema:
        return " and ".join(_type(part) for part in schema["allOf"])
    if "enum" in schema or "const" in schema:
        return " or ".join(f"<code>{escape(json.dumps(v))}</code>" for v in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return escape(str(schema.get("type", "any JSON" if schema else "")))


_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}


def _bounds(schema: Description) -> str:
    options = [schema, *schema.get("anyOf", [])]
    said = [text.format(option[name]) for option in options for name, text in _BOUNDS.items() if name in option]
    return f", {', '.join(said)}" if said else ""


def _content_schema(part: Description) -> Description:
    for content in part.get("content", {}).values():
        schema: Description = content.get("schema", {})
        return schema
    return {}


def _curl(description: Description, method: str, url: str, operation: Description) -> str:
    schema = _content_schema(operation.get("requestBody", {}))
    words = ["curl", _filled_in(url, operation)]
    if method != ("POST" if schema else "GET"):  # which curl sends by itself
        words[1:1] = ["-X", method]
    if schema:
        example = _schemas(description)[schema["$ref"].rpartition("/")[2]]["examples"][0]
        if FORM in operation["requestBody"]["content"]:
            words += [word for field in _fields(example) for word in ("-F", field)]
        else:
            words += ["-H", "Content-Type: application/json", "-d", json.dumps(example, ensure_ascii=False)]
    return shlex.join(words)


def _filled_in(url: str, operation: Description) -> str:
    """Return an operation's address with the examples of its required parameters, each in its place."""
    asked = []
    for parameter in operation.get("parameters", []):
        name, examples = parameter["name"], parameter["schema"].get("examples")
        if not parameter["required"] or not examples:
            continue
        if parameter["in"] == "path":
            url = url.replace(f"{{{name}}}", quote(str(examples[0]), safe=""))
        else:
            asked.append((name, examples[0]))
    return f"{url}?{urlencode(asked, doseq=True)}" if asked else url


def _fields(example: Description) -> Iterator[str]:
    """Write a form's example as curl takes it: a list is of files."""
    for name, value in example.items():
        if isinstance(value, list):
            yield from (f"{name}=@{file};filename={file}" for file in value)
        else:
            yield f"{name}={value}"


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    heads = "".join(f"<th>{name}</th>" for name in header)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"
