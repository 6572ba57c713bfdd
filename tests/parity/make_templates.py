"""Writes tests/fixtures/templates.json: constructs of chat templates as transformers renders them.

Usage: make_templates.py FILE
"""

import json
import sys

from transformers.utils.chat_template_utils import render_jinja_template

TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}"

# What is between the turns' loop, or a whole template.
CONSTRUCTS = {
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}A: {% generation %}{{ m.content }}{% endgeneration %}\n"
    "{% else %}U: {{ m.content }}\n{% endif %}{% endfor %}",
    "generation, trimmed": "{%- for m in messages -%}\n{%- generation -%} {{ m.content }} {%- endgeneration -%}\n{%- endfor -%}",
    "percent, one": "{% for m in messages %}{{ 'role: %s; ' % m.role }}{% endfor %}",
    "percent, tuple": "{% for m in messages %}{{ '<%s>%s</%s>' % (m.role, m['content'], m.role) }}{% endfor %}",
    "percent, filtered": "{{ '%s!' % messages[0].content|upper }}{{ 'a' ~ '%d%%' % 7 }}{{ '%.2f and %i' % (2.675, 3.9) }}",
    "percent, nested": "{{ '[%s]' % ('<%s>' % messages[0].role) }}{{ '%r' % 'it\\'s' }}",
    "tojson": "{{ messages | tojson }}{{ '<b> & \\'x\\' é' | tojson }}",
    "tojson, indented": "{{ {'b': [1, 2.5, true, none], 'a': {}} | tojson(indent=2) }}",
    "tojson, sorted": "{{ {'b': 1, 'a': 'x'} | tojson(sort_keys=true) }}{{ 'é' | tojson(ensure_ascii=true) }}",
    "true and none": "{{ true }} {{ false }} {{ none }} {{ nothing }} {{ 1 == 1 }}",
    "numbers": "{{ 3 / 2 }} {{ 4 / 2 }} {{ 7 // 2 }} {{ 2 ** 3 }} {{ 1.0 }} {{ 0.1 + 0.2 }} {{ 1e20 }} {{ 0.00001 }}",
    "rounded": "{{ 2.5 | round }} {{ 3.14159 | round(2) }} {{ 2.345 | round(2) }} {{ 7.1 | round(0, 'ceil') }} {{ 3.7 | int }}",
    "lists": "{{ [1, 'a', none, true, 2.0] }} {{ ('x', 'y') | list }} {{ {'k': 'v', 'n': [1]} }}",
    "rsplit": "{{ 'a-b-c'.rsplit('-', 1) }} {{ 'a b  c'.rsplit() }} {{ 'a b c'.rsplit(None, 1)[-1] }}",
    "prefixes": "{{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.py'.removesuffix('.py') }} {{ 'k=v=w'.partition('=')[2] }} "
    "{{ 'k=v=w'.rpartition('=')[0] }}",
    "strip": "{{ '  x '.strip() }}|{{ '--x-'.lstrip('-') }}|{{ 'x\n'.rstrip() }}|{{ ' y ' | trim }}",
    "split": "{{ 'a</think>b'.split('</think>')[-1] }} {{ 'a b c'.split(' ', 1) }} {{ 'x\ny'.splitlines() }}",
    "cases": "{{ 'abc Def'.upper() }} {{ 'ABC'.lower() }} {{ 'hello you'.title() }} {{ 'hELLO'.capitalize() }} {{ 'a'.isupper() }}",
    "search": "{{ 'banana'.find('n') }} {{ 'banana'.count('an') }} {{ 'x'.startswith('x') }} {{ 'ab'.endswith(('b', 'c')) }} "
    "{{ 'na' in 'banana' }}",
    "replace and join": "{{ 'a-b'.replace('-', '+') }} {{ ', '.join(['x', 'y']) }} {{ [1, 2] | join('/') }} {{ '5'.zfill(3) }}",
    "justified": "{{ 'ab'.ljust(4) }}|{{ 'ab'.rjust(4, '.') }}|{{ 'aB'.swapcase() }}",
    "slices": "{{ messages[::-1] | length }} {{ 'abcdef'[1:4] }} {{ [1, 2, 3, 4][::2] }} {{ 'abc'[-1] }} {{ messages[-1]['role'] }}",
    "namespace": "{% set ns = namespace(n=0, last='') %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% set ns.last = m.role %}"
    "{% endfor %}{{ ns.n }} {{ ns.last }}",
    "macro": "{% macro turn(role, text, end='.') %}{{ role ~ ': ' ~ text ~ end }}{% endmacro %}"
    "{{ turn('a', 'b') }}{{ turn('c', 'd', end='!') }}",
    "loop control": "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}{{ loop.index0 }}{{ loop.last }}"
    "{{ m.role }}{% if loop.index == 2 %}{% break %}{% endif %}{% endfor %}",
    "dict methods": "{{ messages[0].get('name', 'x') }} {% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}"
    "{{ {'q': 1}.keys() | list }}",
    "filters": "{{ messages | map(attribute='role') | join(',') }} {{ messages | selectattr('role', 'equalto', 'user') | list | length }} "
    "{{ messages | rejectattr('role', 'equalto', 'user') | first | tojson }}",
    "defaults": "{{ nothing | default('d') }} {{ '' | default('e', true) }} {{ messages[0].name is defined }} {{ none is none }} "
    "{{ 'x' is string }} {{ {} is mapping }} {{ [] is iterable }}",
    "special tokens": "{{ bos_token }}{{ eos_token }}{{ unk_token }}{{ pad_token }}",
    "conditions": "{{ 'a' if messages[0].role == 'system' else 'b' }} {{ not true }} {{ 1 < 2 <= 2 }} {{ true and 'x' }} {{ '' or 'y' }}",
    "whitespace": "  {% if true %}\n    x\n  {% endif %}\n{%- set y = 1 %}\n\n{{- y -}}\n z {# comment #}\n w",
    "block set": "{% set text %}a {{ messages[0].role }}{% endset %}{{ text }}{{ text | length }}",
    "call with kwargs": "{{ dict(a=1, b='x') | tojson }} {{ range(3) | list }} {{ [3, 1, 2] | sort }} {{ [1, 2, 3] | sum }} {{ 'abc' | reverse }}",
    "unicode": "{{ 'Ünïcödé' | lower }} {{ '日本' | length }} {{ 'a' ~ 'é' | upper }}",
}
CONVERSATION = [
    {"role": "system", "content": "Be <b>brief</b> & 'kind'."},
    {"role": "user", "content": "Which colour is the lamp? é"},
    {"role": "assistant", "content": "The lamp is green."},
]
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def render(template):
    rendered, _ = render_jinja_template([CONVERSATION], chat_template=template, add_generation_prompt=False, **SPECIAL)
    return rendered[0]


def main(file):
    cases = {name: {"template": source, "text": render(source)} for name, source in CONSTRUCTS.items()}
    cases["turns"] = {"template": TURNS, "text": render(TURNS)}
    with open(file, "w", encoding="utf-8") as out:
        json.dump({"conversation": CONVERSATION, "cases": cases}, out, indent=1, ensure_ascii=False)
        out.write("\n")
    print(f"templates: {len(cases)}")


main(sys.argv[1])
