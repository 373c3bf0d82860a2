//! Wire -> JSON in one pass: fields are printed as they come.
//!
//! Encoders write fields in order of number and single ones once, and then nothing has to be listed, sorted or joined. A
//! message in which that is not so ends the pass with an error, as a broken one does, and the whole is printed again from
//! lists (`write.rs`), whose word counts: what is printed never depends on the way, and no bytes are printed more than
//! twice.

use super::entries::Entry;
use super::plan::{FieldPlan, Kind, MessageId, MessagePlan, Shape};
use super::write::{DecodeError, Writer};
use crate::wire::{Cursor, WireError, WireType};

/// Members of oneofs are told apart by one bit an oneof.
const ONEOFS_MAX: usize = 64;

/// How far the printing of one message has come.
struct Progress {
    /// The first field that has not had its turn.
    next: usize,
    /// Nothing stands in the braces yet.
    first: bool,
    oneofs: u64,
}

impl Writer<'_> {
    /// A whole document: a message that is not part of another.
    pub(crate) fn document(&mut self, id: MessageId, bytes: &[u8]) -> Result<(), DecodeError> {
        self.streams = true;
        let printed = self.message(id, bytes, 0);
        self.streams = false;
        if printed.is_ok() {
            return Ok(());
        }
        self.out.clear();
        self.entries.clear();
        self.message(id, bytes, 0)
    }

    /// The members of an object, without its braces.
    pub(super) fn members(
        &mut self,
        plan: &MessagePlan,
        bytes: &[u8],
        depth: usize,
        first: bool,
    ) -> Result<(), DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let mut progress = Progress {
            next: 0,
            first,
            oneofs: 0,
        };
        while !cursor.is_done() {
            let (number, wire) = cursor.tag().map_err(|source| plan.broken(source))?;
            let Some(index) = plan.by_number(number) else {
                skip(plan, &mut cursor, number, wire, depth)?;
                continue;
            };
            let field = &plan.fields[index];
            if field.shape != Shape::Single {
                if field.takes(wire) {
                    self.repeated(plan, &mut cursor, (index, wire), depth, &mut progress)?;
                } else {
                    skip(plan, &mut cursor, number, wire, depth)?;
                }
            } else if field.wire == wire {
                self.turn(plan, index, &mut progress)?;
                self.single(plan, &mut cursor, index, depth, &mut progress)?;
            } else {
                skip(plan, &mut cursor, number, wire, depth)?;
            }
        }
        if self.options.defaults {
            self.defaults(&plan.fields[progress.next..], &mut progress.first);
        }
        Ok(())
    }

    /// Begins with a field, unless its turn is over.
    fn turn(
        &mut self,
        plan: &MessagePlan,
        index: usize,
        progress: &mut Progress,
    ) -> Result<(), DecodeError> {
        if index < progress.next {
            return Err(out_of_order(plan));
        }
        if let Some(oneof) = plan.fields[index].oneof {
            let bit = 1u64 << (oneof % ONEOFS_MAX);
            if oneof >= ONEOFS_MAX || progress.oneofs & bit != 0 {
                return Err(out_of_order(plan));
            }
            progress.oneofs |= bit;
        }
        if self.options.defaults {
            self.defaults(&plan.fields[progress.next..index], &mut progress.first);
        }
        progress.next = index + 1;
        Ok(())
    }

    /// A field that comes once.
    fn single(
        &mut self,
        plan: &MessagePlan,
        cursor: &mut Cursor<'_>,
        index: usize,
        depth: usize,
        progress: &mut Progress,
    ) -> Result<(), DecodeError> {
        let field = &plan.fields[index];
        let broken = |source| plan.broken(source);
        let hides_default = !field.presence && !self.options.defaults;
        match field.kind {
            Kind::Message(id) => {
                let content = cursor.bytes().map_err(broken)?;
                self.begin(field, progress);
                self.message(id, content, depth + 1)
            }
            Kind::Group(id) => {
                let whole = cursor.rest();
                let before = cursor.at;
                let (start, end) = skip(plan, cursor, field.number, field.wire, depth)?;
                self.begin(field, progress);
                self.message(id, &whole[start - before..end - before], depth + 1)
            }
            Kind::Scalar(scalar) if field.wire == WireType::Bytes => {
                let content = cursor.bytes().map_err(broken)?;
                if hides_default && content.is_empty() {
                    return Ok(());
                }
                self.begin(field, progress);
                self.scalar(plan, index, scalar, content)
            }
            Kind::Scalar(scalar) => {
                let bits = cursor.bits(field.wire).map_err(broken)?;
                if !(hides_default && bits == 0) {
                    self.begin(field, progress);
                    self.number(scalar, bits);
                }
                Ok(())
            }
        }
    }

    fn begin(&mut self, field: &FieldPlan, progress: &mut Progress) {
        self.key(field, progress.first);
        progress.first = false;
    }

    /// A list or a map, whose entries come one after the other.
    fn repeated(
        &mut self,
        plan: &MessagePlan,
        cursor: &mut Cursor<'_>,
        begun: (usize, WireType),
        depth: usize,
        progress: &mut Progress,
    ) -> Result<(), DecodeError> {
        let (index, mut wire) = begun;
        let field = &plan.fields[index];
        let (whole, before) = (cursor.rest(), cursor.at);
        self.turn(plan, index, progress)?;
        let base = self.entries.len();
        loop {
            let (start, end) = skip(plan, cursor, field.number, wire, depth)?;
            self.entries.push(Entry {
                field: index,
                wire,
                start: start - before,
                end: end - before,
            });
            let here = cursor.at;
            if cursor.is_done() {
                break;
            }
            let (number, next) = cursor.tag().map_err(|source| plan.broken(source))?;
            if number != field.number || !field.takes(next) {
                cursor.at = here;
                break;
            }
            wire = next;
        }
        let was = self.out.len();
        self.key(field, progress.first);
        if self.value(plan, whole, base..self.entries.len(), depth)? {
            progress.first = false;
        } else {
            self.out.truncate(was);
            if self.options.defaults {
                self.defaults(&plan.fields[index..=index], &mut progress.first);
            }
        }
        self.entries.truncate(base);
        Ok(())
    }
}

fn skip(
    plan: &MessagePlan,
    cursor: &mut Cursor<'_>,
    number: u32,
    wire: WireType,
    depth: usize,
) -> Result<(usize, usize), DecodeError> {
    let skipped = cursor.skip(number, wire, depth);
    skipped.map_err(|source| plan.broken(source))
}

/// Nobody sees it: the message is printed again.
fn out_of_order(plan: &MessagePlan) -> DecodeError {
    plan.broken(WireError::Tag)
}

#[cfg(test)]
mod tests {
    //! What is printed does not depend on the way.

    use proptest::prelude::*;
    use prost_reflect::DescriptorPool;

    use super::*;
    use crate::json::Plans;
    use crate::options::Options;
    use crate::wire::{put_bytes, put_tag, put_uint};

    const PROTO: &str = r#"
syntax = "proto3";
package tree;
enum Kind { NONE = 0; OAK = 1; ELM = -1; }
message Tree {
  string name = 1;
  int64 age = 2;
  Tree left = 3;
  repeated Tree more = 4;
  repeated sint32 rings = 5;
  map<string, Tree> parts = 6;
  oneof mark { string carved = 7; double painted = 8; Tree grafted = 9; }
  Kind kind = 10;
  optional fixed32 tag = 200;
}
"#;

    fn plans() -> Plans {
        struct File;
        impl protox::file::FileResolver for File {
            fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
                protox::file::File::from_source(name, PROTO)
            }
        }
        let mut compiler = protox::Compiler::with_file_resolver(File);
        compiler.open_file("tree.proto").unwrap();
        let set = compiler.encode_file_descriptor_set();
        let pool = DescriptorPool::decode(set.as_slice()).unwrap();
        Plans::of(pool.all_messages().filter(|it| !it.is_map_entry()))
    }

    /// Fields of a tree, most in order, with repetitions, wrong wire types, unknown numbers and broken ends.
    fn tree() -> impl Strategy<Value = Vec<u8>> {
        let text = prop::sample::select(vec![&b""[..], b"oak", b"\xff", b"a \"b\"", b"\x02\x03"]);
        let leaf = prop::collection::vec((1u32..13, text, 0u64..3), 0..6);
        let leaf = leaf.prop_map(|fields| {
            let mut out = Vec::new();
            for (number, text, value) in fields {
                match (number, value) {
                    (8, _) => {
                        put_tag(&mut out, 8, WireType::Fixed64);
                        out.extend_from_slice(&1.5f64.to_le_bytes());
                    }
                    (11, _) => {
                        put_tag(&mut out, 200, WireType::Fixed32);
                        out.extend_from_slice(&[value as u8, 0, 0, 0]);
                    }
                    (2 | 10, _) | (_, 0) => put_uint(&mut out, number, value),
                    _ => put_bytes(&mut out, number, text),
                }
            }
            out
        });
        leaf.prop_recursive(4, 24, 4, |inner| {
            let field = (prop::sample::select(vec![3u32, 4, 4, 6, 9]), inner.clone());
            let parts = (inner, prop::collection::vec(field, 0..4), any::<bool>());
            parts.prop_map(|(mut out, mut fields, sorted)| {
                if sorted {
                    out.clear();
                    fields.sort_by_key(|(number, _)| *number);
                }
                for (number, tree) in fields {
                    put_bytes(&mut out, number, &tree);
                }
                out
            })
        })
    }

    proptest! {
        #[test]
        fn a_document_is_the_same_in_one_pass_and_from_lists(wire in tree(), defaults: bool) {
            let plans = plans();
            let options = Options { defaults, ..Options::default() };
            let id = plans.id("tree.Tree").unwrap();
            let mut listed = Writer::new(&plans, &options);
            let want = listed.message(id, &wire, 0).map(|()| listed.finish());
            let mut writer = Writer::new(&plans, &options);
            let found = writer.document(id, &wire).map(|()| writer.finish());
            prop_assert_eq!(found, want);
        }
    }
}
