"""Ways to break what guards the sum, and the guard that must notice; tests/privacy/test_mutations.py tries each.

(what is broken, file, text, replacement, guard). The table of docs/laws.md is made from this list.
"""

PIPELINE, UPDATE = "privacy/pipeline.py", "contract/update.py"

MUTATIONS: list[tuple[str, str, str, str, str]] = [
    (
        "no clip at all",
        PIPELINE,
        "factor = clip_factor({name: part for name, part in update.items() if stats[name].l2 is None}, self.clip)",
        "factor = 1.0",
        "guard_clip_scales_the_whole_update",
    ),
    (
        "the norm of the largest statistic only, not of the whole update",
        PIPELINE,
        "squares = sum(",
        "squares = max(",
        "guard_clip_scales_the_whole_update",
    ),
    (
        "scaled by the squared norm",
        PIPELINE,
        "clip / float(np.sqrt(squares))",
        "clip / float(squares)",
        "guard_clip_scales_the_whole_update",
    ),
    (
        "everything is scaled to the bound",
        PIPELINE,
        "1.0 if squares <= clip * clip else clip",
        "1.0 if squares <= 0 else clip",
        "guard_clip_leaves_small_updates_alone",
    ),
    (
        "entries above the bound pass",
        PIPELINE,
        "values = np.clip(values, -linf, linf)",
        "values = values + 0.0",
        "guard_entries_saturate",
    ),
    ("rounded towards zero", PIPELINE, "np.rint(", "np.trunc(", "guard_rounding_is_to_the_nearest_step"),
    ("rounded down", PIPELINE, "np.rint(", "np.floor(", "guard_rounding_is_to_the_nearest_step"),
    (
        "the scale forgets how many people are in the sum",
        UPDATE,
        "self.linf * max(capacity, 1)",
        "self.linf",
        "guard_everybody_at_the_bound_fits",
    ),
    (
        "two bits too few of head-room",
        UPDATE,
        "- (self.bits - 1) + 1",
        "- (self.bits - 1) - 1",
        "guard_everybody_at_the_bound_fits",
    ),
    (
        "more people than the head-room was made for",
        PIPELINE,
        "if self.users + users > self.capacity:",
        "if False:",
        "guard_nobody_more_than_the_head_room",
    ),
    (
        "counts that do not fit the ring",
        PIPELINE,
        "if stat.counts and",
        "if False and",
        "guard_counts_that_cannot_fit_are_refused",
    ),
    (
        "row mask: ids paired instead of crossed",
        PIPELINE,
        "target[np.ix_(*part.index)] += steps[name]",
        "np.add.at(target, tuple(np.broadcast_arrays(*part.index)), steps[name][0][: len(part.index[0])])",
        "guard_only_the_rows_of_the_client_change",
    ),
    (
        "row mask: ids ignored",
        PIPELINE,
        "target[np.ix_(*part.index)] += steps[name]",
        "target[tuple(slice(n) for n in steps[name].shape)] += steps[name]",
        "guard_only_the_rows_of_the_client_change",
    ),
    (
        "a 64-bit statistic in a ring of 32",
        PIPELINE,
        "np.int32 if stat.bits == 32 else np.int64",
        "np.int32",
        "guard_the_ring_has_its_declared_width",
    ),
    (
        "a 32-bit statistic in a ring of 64",
        PIPELINE,
        "np.int32 if stat.bits == 32 else np.int64",
        "np.int64",
        "guard_the_ring_has_its_declared_width",
    ),
    (
        "a merged sum forgets the other's integers",
        PIPELINE,
        "self.ring[name] += other.ring[name]",
        "pass",
        "guard_adding_sums_is_adding_users",
    ),
    (
        "a merged sum forgets the other's users",
        PIPELINE,
        "self.note(other.users, other.clipped)",
        "pass",
        "guard_adding_sums_is_adding_users",
    ),
    (
        "steps are not turned back",
        PIPELINE,
        "ring * self.quantum[name]",
        "ring * 1.0",
        "guard_decoding_gives_numbers_back",
    ),
    (
        "what is not a number is added",
        PIPELINE,
        "if not np.isfinite(part.values).all():",
        "if False:",
        "guard_what_is_not_a_number_is_refused",
    ),
    (
        "statistics the plan does not name",
        PIPELINE,
        "if set(update) != set(self.phase.stats):",
        "if False:",
        "guard_names_must_be_the_plans",
    ),
]
