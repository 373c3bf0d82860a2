//! Which fields a JSON object names, as the paths of a `google.protobuf.FieldMask`.
//!
//! A second look at a body that has been read: it looks at names only, and whatever it cannot follow it leaves out.

use super::lexer::{Lexer, Syntax};
use super::place::Spelling;
use super::plan::{FieldPlan, Kind, MessageId, Plans, Shape, Special};
use crate::options::Options;

/// Whose fields are named.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resource {
    /// The message that the object is.
    pub(crate) root: MessageId,
    /// Only what lies within this field of it, by index.
    pub(crate) within: Option<usize>,
}

/// The paths in proto names, in the order of the text. `except` are ways from the root, as field numbers, that are left
/// out with all that lies below them.
pub(crate) fn present(
    plans: &Plans,
    options: &Options,
    json: &[u8],
    resource: Resource,
    except: &[Vec<u32>],
) -> Vec<String> {
    let mut search = Search {
        plans,
        spelling: Spelling(options),
        lexer: Lexer::new(json),
        within: resource.within,
        except,
        way: Vec::new(),
        path: String::new(),
        paths: Vec::new(),
    };
    // What is no JSON has been refused by its reader.
    let _ = search.object(resource.root, 0);
    search.paths
}

struct Search<'a> {
    plans: &'a Plans,
    spelling: Spelling<'a>,
    lexer: Lexer<'a>,
    within: Option<usize>,
    except: &'a [Vec<u32>],
    way: Vec<u32>,
    path: String,
    paths: Vec<String>,
}

impl Search<'_> {
    /// Whether the object has any member.
    fn object(&mut self, id: MessageId, depth: usize) -> Result<bool, Syntax> {
        let plan = self.plans.message(id);
        self.lexer.open(b'{', depth)?;
        let mut first = true;
        while self.lexer.more(b'}', &mut first)? {
            let key = self.lexer.key()?;
            let named = plan.by_name(&key);
            let named = named.filter(|named| self.spelling.accepts(named));
            let is_outside =
                |index| depth == 0 && self.within.is_some_and(|within| within != index);
            match named.filter(|named| !is_outside(named.field)) {
                Some(named) => self.member(&plan.fields[named.field], depth + 1)?,
                None => self.lexer.skip(depth + 1)?,
            }
        }
        Ok(!first)
    }

    fn member(&mut self, field: &FieldPlan, depth: usize) -> Result<(), Syntax> {
        let is_root = depth == 1 && self.within.is_some();
        let before = self.path.len();
        if !is_root {
            if before > 0 {
                self.path.push('.');
            }
            self.path.push_str(&field.name);
        }
        self.way.push(field.number);
        let inner = self.inner(field);
        let is_object = self.lexer.peek()? == b'{';
        if self.except.contains(&self.way) {
            self.lexer.skip(depth)?;
        } else if let Some(id) = inner.filter(|_| is_object) {
            if !self.object(id, depth)? && !is_root {
                self.paths.push(self.path.clone());
            }
        } else {
            self.lexer.skip(depth)?;
            if !is_root {
                self.paths.push(self.path.clone());
            }
        }
        self.way.pop();
        self.path.truncate(before);
        Ok(())
    }

    /// The message whose fields stand for this one's.
    fn inner(&self, field: &FieldPlan) -> Option<MessageId> {
        match (field.shape, field.kind) {
            (Shape::Single, Kind::Message(id) | Kind::Group(id)) => {
                (self.plans.message(id).special == Special::None).then_some(id)
            }
            _ => None,
        }
    }
}
