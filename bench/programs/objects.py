"""Builds and drops dictionaries, lists and strings, as Python programs do.

    objects.py ROUNDS
"""

import sys


class Item:
    def __init__(self, number):
        self.number = number
        self.name = "item %d" % number
        self.tags = [str(number % k) for k in (3, 5, 7)]


def build(count, seed):
    items = {}
    for i in range(count):
        number = (i * 7919 + seed) % 100003
        items[number] = Item(number)
    return items


def group(items):
    groups = {}
    for item in items.values():
        for tag in item.tags:
            groups.setdefault(tag, []).append(item)
    return {tag: sorted(members, key=lambda item: item.name) for tag, members in groups.items()}


def render(groups):
    return "\n".join("%s: %s" % (tag, ", ".join(item.name for item in members)) for tag, members in groups.items())


def main(rounds):
    kept = []
    words = 0
    for r in range(rounds):
        items = build(3000, r)
        text = render(group(items))
        words += len(text.split())
        kept.append({number: item.name for number, item in list(items.items())[::20]})
        if len(kept) > 10:
            kept.pop(0)
    return words


if __name__ == "__main__":
    main(int(sys.argv[1]))
