//! The codec beside compiled code: wire to JSON and back by descriptors, and by prost with pbjson's serde.
//!
//! Both do the whole of what a gateway needs: bytes in, bytes out, checked to mean the same. They take turns; each time
//! is the median of many rounds.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use banyan_transcode::{Options, Plans};
use prost::Message;
use prost_reflect::DescriptorPool;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::data::{
    self,
    pb::{ListItemsResponse, Order},
};

const ROUNDS: usize = 41;
const TIMES: u32 = 200;

/// Nanoseconds by what is converted and who does it.
pub(crate) fn compare() -> anyhow::Result<Value> {
    let codec = Codec {
        plans: Plans::of(DescriptorPool::decode(data::DESCRIPTORS)?.all_messages()),
        options: Options::default(),
    };
    let (list_wire, list_json) = (data::items().encode_to_vec(), to_json(&data::items())?);
    let (order_wire, order_json) = (data::order().encode_to_vec(), to_json(&data::order())?);
    codec.agrees("bench.v1.ListItemsResponse", &list_wire, &list_json)?;
    codec.agrees("bench.v1.Order", &order_wire, &order_json)?;

    let list = "bench.v1.ListItemsResponse";
    let order = "bench.v1.Order";
    let times = medians([
        &mut || codec.json(list, &list_wire).map(drop),
        &mut || to_json(&ListItemsResponse::decode(list_wire.as_slice())?).map(drop),
        &mut || codec.json(order, &order_wire).map(drop),
        &mut || to_json(&Order::decode(order_wire.as_slice())?).map(drop),
        &mut || codec.wire(order, &order_json).map(drop),
        &mut || to_wire::<Order>(&order_json).map(drop),
    ])?;
    Ok(json!({
        "list_bytes": list_json.len(),
        "order_bytes": order_json.len(),
        "list_to_json": {"ours": times[0], "prost_pbjson": times[1]},
        "order_to_json": {"ours": times[2], "prost_pbjson": times[3]},
        "order_to_wire": {"ours": times[4], "prost_pbjson": times[5]},
    }))
}

struct Codec {
    plans: Plans,
    options: Options,
}

impl Codec {
    fn json(&self, message: &str, wire: &[u8]) -> anyhow::Result<impl AsRef<[u8]> + use<>> {
        let json = self.plans.decode(message, wire, &self.options);
        Ok(json.context("no plan")??)
    }

    fn wire(&self, message: &str, json: &[u8]) -> anyhow::Result<impl AsRef<[u8]> + use<>> {
        let wire = self.plans.encode(message, json, &self.options);
        Ok(wire.context("no plan")??)
    }

    fn agrees(&self, message: &str, wire: &[u8], json: &[u8]) -> anyhow::Result<()> {
        let value = |json: &[u8]| serde_json::from_slice::<Value>(json);
        ensure!(
            value(self.json(message, wire)?.as_ref())? == value(json)?,
            "{message}: the two print something else"
        );
        ensure!(
            self.wire(message, json)?.as_ref() == wire,
            "{message}: the two read something else"
        );
        Ok(())
    }
}

fn to_json(message: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    Ok(serde_json::to_vec(message)?)
}

fn to_wire<M: Message + DeserializeOwned>(json: &[u8]) -> anyhow::Result<Vec<u8>> {
    Ok(serde_json::from_slice::<M>(json)?.encode_to_vec())
}

type Conversion<'a> = &'a mut dyn FnMut() -> anyhow::Result<()>;

/// The median time of one conversion, in nanoseconds, for each.
fn medians<const N: usize>(mut conversions: [Conversion<'_>; N]) -> anyhow::Result<[f64; N]> {
    let mut times: [Vec<Duration>; N] = std::array::from_fn(|_| Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        for (convert, times) in conversions.iter_mut().zip(&mut times) {
            let begun = Instant::now();
            for _ in 0..TIMES {
                black_box(convert()?);
            }
            times.push(begun.elapsed());
        }
    }
    Ok(times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2].as_secs_f64() * 1e9 / f64::from(TIMES)
    }))
}
