"""Ways to break how noise and masks join a round, and the guard that must notice; test_round_mutations.py tries each.

(what is broken, file, text, replacement, guard). The table of docs/privacy.md is made from this list.
"""

MECHANISM, PROTECTION, PROTECTED = "privacy/mechanism.py", "privacy/protection.py", "runtime/protected.py"

MUTATIONS: list[tuple[str, str, str, str, str]] = [
    ("no noise", PROTECTION, "part += _draw(", "part += 0 * _draw(", "guard_shares_have_the_calibrated_variance"),
    (
        "half of the noise",
        PROTECTION,
        "_draw(variance, self.key, about, len(part))",
        "_draw(variance / 4, self.key, about, len(part))",
        "guard_shares_have_the_calibrated_variance",
    ),
    (
        "shares for all clients instead of the fewest",
        PROTECTION,
        "* clients / self.mechanism.fewest",
        "* clients / self.mechanism.most",
        "guard_shares_have_the_calibrated_variance",
    ),
    (
        "a single client adds everybody's noise",
        PROTECTION,
        "* clients / self.mechanism.fewest",
        "",
        "guard_shares_have_the_calibrated_variance",
    ),
    (
        "too little noise beside the diagonal",
        PROTECTION,
        "_draw(variance / 2, self.key",
        "_draw(variance / 8, self.key",
        "guard_a_symmetric_statistic_has_half_beside_its_diagonal",
    ),
    (
        "no noise on the diagonal",
        PROTECTION,
        "part[on] += _draw(",
        "part[on] += 0 * _draw(",
        "guard_a_symmetric_statistic_has_half_beside_its_diagonal",
    ),
    (
        "the same noise in each round",
        PROTECTION,
        'about = context + b"\\0" + name.encode()',
        "about = name.encode()",
        "guard_noise_is_fresh_for_each_purpose",
    ),
    (
        "the same noise in each statistic",
        PROTECTION,
        'about = context + b"\\0" + name.encode()',
        "about = context",
        "guard_noise_is_fresh_for_each_purpose",
    ),
    (
        "the true number of people is told",
        PROTECTION,
        "            self.expected,\n            {name: self",
        "            users,\n            {name: self",
        "guard_the_total_tells_what_was_expected",
    ),
    (
        "releases are not written down",
        PROTECTION,
        "self.spend(name, self.mechanism.releases[phase.name])",
        "pass",
        "guard_a_release_is_written_down_first",
    ),
    (
        "one statistic of the round is written down, not all",
        PROTECTION,
        "self.spend(name, self.mechanism.releases[phase.name])",
        "self.spend(name, self.mechanism.releases[phase.name][:1])",
        "guard_a_release_is_written_down_first",
    ),
    (
        "a round without masks announces nothing",
        PROTECTED,
        "    protection.announce(phase, asked.name)\n    up =",
        "    up =",
        "guard_a_release_is_written_down_first",
    ),
    (
        "a noiseless release is not checked against earlier ones",
        PROTECTED,
        "members.check_release(asked.statistic, survivors)",
        "pass",
        "guard_subtraction_is_refused",
    ),
    (
        "a noiseless release is not remembered",
        PROTECTED,
        "members.release(asked.statistic, survivors)",
        "pass",
        "guard_subtraction_is_refused",
    ),
    (
        "no noise is added before the sum is shown",
        PROTECTED,
        "    protection.add_share(phase, vector, len(survivors), asked.name.encode())\n",
        "",
        "guard_the_sum_that_is_shown_has_noise",
    ),  # fmt: skip
    ("other data, the same name", PROTECTED, '"data": data, ', "", "guard_names_tell_rounds_apart"),
    ("other people, the same name", PROTECTED, '"clients": survivors.tobytes(), ', "", "guard_names_tell_rounds_apart"),
    ("another key, the same name", PROTECTED, ', "noise": noise}', "}", "guard_names_tell_rounds_apart"),
    (
        "another broadcast, the same name",
        PROTECTED,
        ', "phase": phase, "model": model}',
        ', "phase": phase}',
        "guard_names_tell_rounds_apart",
    ),  # fmt: skip
    ("other settings, the same name", PROTECTED, '"config": config, ', "", "guard_names_tell_rounds_apart"),
    (
        "rounds are not counted",
        MECHANISM,
        "every = [replace(r, times=rounds[p]) for",
        "every = [r for",
        "guard_the_plan_costs_what_was_asked",
    ),
    (
        "the budget is not divided among statistics",
        MECHANISM,
        "budget * g.share / whole, fewest, most",
        "budget, fewest, most",
        "guard_the_plan_costs_what_was_asked",
    ),
    (
        "organisations that share people are not counted",
        MECHANISM,
        "paid = cost(every, target.delta, target.memberships)",
        "paid = cost(every, target.delta)",
        "guard_memberships_are_charged",
    ),
    (
        "rounding is not charged",
        MECHANISM,
        "else rounded_sensitivity(group.l2, quantum, entries)",
        "else group.l2 / quantum",
        "guard_rounding_is_charged",
    ),
    (
        "no room for the noise in the ring",
        MECHANISM,
        "capacity * min(s.linf, group.l2), room)",
        "capacity * min(s.linf, group.l2), 0.0)",
        "guard_noise_has_room",
    ),
    (
        "the norm of one entry taken for that of the person",
        MECHANISM,
        "(name,), stat.l2)",
        "(name,), stat.linf)",
        "guard_sensitivity_is_the_declared_norm",
    ),
    (
        "statistics under one clip are each given the whole norm's noise budget",
        MECHANISM,
        "own.append(_Group(phase, together, phase.clip))",
        "own += [_Group(phase, (name,), phase.clip / 8) for name in together]",
        "guard_one_clip_is_one_release",
    ),
]
