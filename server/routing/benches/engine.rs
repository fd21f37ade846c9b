//! How long the engine needs to decide who rings, ledger included. `cargo xtask bench engine` prints percentiles too.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

#[path = "world.rs"]
mod world;

use cordboard_shared::department::Strategy;
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};

use crate::world::{Spread, World};

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("arrival to offer");
    let worlds = [
        ("100 people", 100, Spread::Even),
        ("1,000 people", 1_000, Spread::Even),
        ("1,000 people, 25 in each department", 1_000, Spread::Overlapping(25)),
        ("10,000 people", 10_000, Spread::Even),
    ];
    for (name, people, spread) in worlds {
        for strategy in [Strategy::Serial, Strategy::Balanced] {
            let world = std::cell::RefCell::new(World::new(people, spread, strategy));
            group.bench_function(BenchmarkId::new(name, strategy.as_str()), |bencher| {
                bencher.iter_batched(
                    || {
                        let mut world = world.borrow_mut();
                        let department = world.free();
                        (world.arrival(department), department)
                    },
                    |(arrival, department)| {
                        let (offer, call, outputs) = world.borrow_mut().decide(arrival);
                        (offer, call, outputs, Answer { world: &world, offer, call, department })
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

/// Answers the call when criterion drops the result, outside of the time measured.
struct Answer<'a> {
    world: &'a std::cell::RefCell<World>,
    offer: cordboard_shared::id::OfferId,
    call: cordboard_shared::id::CallId,
    department: cordboard_shared::id::DepartmentId,
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        self.world.borrow_mut().answer(self.offer, self.call, self.department);
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
