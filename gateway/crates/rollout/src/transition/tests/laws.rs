//! What holds wherever a rollout stands and whatever is asked for.

use proptest::prelude::*;

use super::*;

fn positions() -> impl Strategy<Value = Position> {
    let stage = prop::sample::select(&Stage::ALL[..]);
    (
        stage,
        any::<prop::sample::Index>(),
        0..=100u16,
        0..=100u16,
        any::<[bool; 3]>(),
        prop::option::of(0..=100u16),
    )
        .prop_map(
            |(stage, owner, value, good, [said, paused, halted], held)| {
                let said = said && stage == Stage::Split;
                Position {
                    writes: *owner.get(stage.owners()),
                    percent: said.then(|| percent(value)),
                    last_good: percent(good),
                    paused,
                    halted,
                    held: held.map(percent).filter(|_| stage == Stage::Split),
                    ..at(stage, 0)
                }
            },
        )
}

fn commands() -> impl Strategy<Value = Command> {
    let back = prop_oneof![Just(BackTo::Zero), Just(BackTo::LastGood)];
    let stage = prop::sample::select(&Stage::ALL[..]);
    let owner = prop::option::of(prop::sample::select(&Owner::ALL[..]));
    prop_oneof![
        (0..=100u16).prop_map(|value| Command::SetPercent(percent(value))),
        Just(Command::UnsetPercent),
        prop::sample::select(&Owner::ALL[..]).prop_map(Command::SetWrites),
        (stage, owner).prop_map(|(stage, writes)| Command::SetStage { stage, writes }),
        Just(Command::Promote),
        Just(Command::Pause),
        Just(Command::Resume),
        back.clone().prop_map(Command::Abort),
        Just(Command::Advance),
        back.prop_map(Command::RollBack),
    ]
}

fn followers() -> impl Strategy<Value = Follower> {
    prop_oneof![
        Just(Follower::None),
        Just(Follower::Ready),
        Just(Follower::Unknown),
        prop::option::of(any::<u64>()).prop_map(|lag_ms| Follower::Behind { lag_ms }),
    ]
}

proptest! {
    #[test]
    fn wherever_a_rollout_comes_to_stand_the_rules_hold(
        from in positions(), command in commands(), follower in followers(), weaker in prop::option::of(0..=100u16),
        steps in prop::collection::btree_set(1..=100u16, 1..5),
        [enabled, comparable, legacy_keeps_ids, confirmed, forced] in any::<[bool; 5]>(),
    ) {
        let steps: Vec<Percent> = steps.into_iter().map(percent).collect();
        let weaker = Percentages { file: weaker.map(percent), ..Percentages::default() };
        let forced_by = forced.then_some("a reason");
        let at = Circumstances {
            enabled, follower, comparable, legacy_keeps_ids, confirmed, weaker, forced: forced_by, ..calm(&steps)
        };
        let said = Declared { enabled, weaker };
        let by_itself = matches!(command, Command::Advance | Command::RollBack(_));
        match transition(&from, command, &at) {
            Err(refusal) => prop_assert!(!(refusal.can_be_forced() && forced && !by_itself), "{refusal:?}"),
            Ok(moved) => {
                let to = moved.position;
                prop_assert!(to.stage.owners().contains(&to.writes));
                let share = |position: &Position| position.percentages(weaker).in_force().0;
                let ready = matches!(follower, Follower::None | Follower::Ready);
                prop_assert!(ready || forced || to.share(said) <= from.share(said));
                if to.stage > from.stage {
                    prop_assert!(enabled);
                    prop_assert!(ready || forced || to.stage < Stage::Split);
                    prop_assert!(to.stage != Stage::Grpc || legacy_keeps_ids || confirmed);
                }
                if from.stage == Stage::Grpc && to.stage != Stage::Grpc {
                    prop_assert!(legacy_keeps_ids);
                }
                if by_itself {
                    prop_assert!(!from.paused);
                    prop_assert!(to.stage != Stage::Grpc || from.stage == Stage::Grpc);
                }
                if command == Command::Advance {
                    prop_assert!(ready && enabled);
                    prop_assert!(share(&to) > share(&from) || to.stage > from.stage);
                    prop_assert!(steps.contains(&share(&to)));
                }
                if let Command::Abort(_) | Command::RollBack(_) = command {
                    prop_assert!(to.paused && to.stage <= from.stage);
                    let now = share(&from);
                    prop_assert!(from.stage != Stage::Split || share(&to) < now || now == Percent::ZERO);
                    prop_assert!(to.stage != Stage::Split || to.halted == (share(&to) == Percent::ZERO));
                }
            }
        }
    }
}
