//! The ways out of functions, loops and protected code.

use solvent_base::{Name, Span};
use solvent_ir::{Block, Terminator, Value};

use crate::lower::{Code, Context, Exits, Fork, Lower};

/// A `finally` body of at most this many statements is copied to each way out, so that what is known
/// on one way is not mixed with another; a larger one is lowered once.
const COPIED_STATEMENTS: u32 = 24;

/// Copies inside copies; each level multiplies by the five ways out.
const COPIED_LEVELS: u32 = 2;

/// Statements of a body, and whether it defines anything that must exist once only.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weight {
    pub statements: u32,
    pub definitions: u32,
}

impl Weight {
    pub fn is_light(&self) -> bool {
        self.definitions == 0 && self.statements <= COPIED_STATEMENTS
    }
}

impl<B: Code> Lower<'_, '_, '_, B> {
    /// Ends the block so that a handler may see this state.
    pub fn border(&mut self) {
        let block = self.b.block();
        self.b.jump(block);
        self.b.seal(block);
        self.b.start(block);
    }

    /// Lowers `body` raising into `handlers`, then goes on raising into `around`.
    pub fn protected(
        &mut self,
        handlers: Vec<Block>,
        around: &[Block],
        body: impl FnOnce(&mut Self),
    ) {
        self.b.set_handlers(handlers);
        // An empty block first: the state before the body.
        self.border();
        self.border();
        body(self);
        self.b.set_handlers(around.to_vec());
        if self.b.is_live() {
            self.border();
        }
    }

    /// `while` and `for (;;)`: `test` leads to its first block or its second, `update` stands between two turns.
    pub fn turns_while(
        &mut self,
        label: Option<Name>,
        test: impl FnOnce(&mut Self, Block, Block),
        body: impl FnOnce(&mut Self),
        update: impl FnOnce(&mut Self),
    ) {
        let fork = self.fork();
        let (header, turn) = (self.b.block(), self.b.block());
        let (next, exit) = (self.b.block(), self.b.block());
        self.b.jump(header);
        self.b.start(header);
        test(self, turn, exit);
        self.b.seal(turn);
        self.b.start(turn);
        self.contexts.push(Context::Loop { exit, next, label });
        body(self);
        self.contexts.pop();
        self.b.jump(next);
        self.b.seal(next);
        self.b.start(next);
        update(self);
        self.b.jump(header);
        self.close(header, fork);
        self.join(exit, fork);
    }

    /// `do … while`: `test` as in [`Self::turns_while`].
    pub fn turns_at_least_once(
        &mut self,
        label: Option<Name>,
        body: impl FnOnce(&mut Self),
        test: impl FnOnce(&mut Self, Block, Block),
    ) {
        let fork = self.fork();
        let (turn, next, exit) = (self.b.block(), self.b.block(), self.b.block());
        self.b.jump(turn);
        self.b.start(turn);
        self.contexts.push(Context::Loop { exit, next, label });
        body(self);
        self.contexts.pop();
        self.b.jump(next);
        self.b.seal(next);
        self.b.start(next);
        if self.b.is_live() {
            test(self, turn, exit);
        }
        self.close(turn, fork);
        self.join(exit, fork);
    }

    /// A loop over elements: `bind` gives the turn's variables theirs.
    pub fn turns_for_each(
        &mut self,
        label: Option<Name>,
        span: Span,
        bind: impl FnOnce(&mut Self),
        body: impl FnOnce(&mut Self),
    ) {
        let fork = self.fork();
        let (header, turn, exit) = (self.b.block(), self.b.block(), self.b.block());
        self.b.jump(header);
        self.b.start(header);
        let another = self.unknown("another element", span);
        self.b.terminate(Terminator::Branch {
            condition: another,
            then: turn,
            otherwise: exit,
        });
        self.b.seal(turn);
        self.b.start(turn);
        bind(self);
        let next = header;
        self.contexts.push(Context::Loop { exit, next, label });
        body(self);
        self.contexts.pop();
        self.b.jump(header);
        self.close(header, fork);
        self.join(exit, fork);
    }

    /// `break`: out of the innermost loop, `switch` or `finally`.
    pub fn leave_innermost(&mut self) {
        let target = match self.contexts.last() {
            Some(Context::Finally(exits)) => exits.exit,
            Some(Context::Loop { exit, .. } | Context::Breakable { exit, .. }) => *exit,
            None => return,
        };
        self.b.here();
        self.b.jump(target);
    }

    /// `continue`: a `switch` around it is left.
    pub fn go_on_with_loop(&mut self) {
        let target = self
            .contexts
            .iter()
            .rev()
            .find_map(|context| match context {
                Context::Finally(exits) => Some(exits.next),
                Context::Loop { next, .. } => Some(*next),
                Context::Breakable { .. } => None,
            });
        if let Some(target) = target {
            self.b.here();
            self.b.jump(target);
        }
    }

    /// `break` or `continue` with a label.
    pub fn leave_to(
        &mut self,
        wanted: Name,
        by_finally: impl Fn(&Exits) -> Block,
        by_loop: impl Fn(Block, Block) -> Block,
    ) {
        let target = self
            .contexts
            .iter()
            .rev()
            .find_map(|context| match context {
                Context::Finally(exits) => Some(by_finally(exits)),
                Context::Loop { exit, next, label } if *label == Some(wanted) => {
                    Some(by_loop(*exit, *next))
                }
                Context::Breakable { exit, label } if *label == Some(wanted) => Some(*exit),
                _ => None,
            });
        if let Some(target) = target {
            self.b.here();
            self.b.jump(target);
        }
    }

    pub fn leave_by_return(&mut self, value: Value) {
        let exits = self
            .contexts
            .iter()
            .rev()
            .find_map(|context| match context {
                Context::Finally(exits) => Some(*exits),
                Context::Loop { .. } | Context::Breakable { .. } => None,
            });
        match exits {
            Some(exits) => {
                let returned = self.file.well_known.returned;
                self.b.write(returned, value);
                self.b.jump(exits.returned);
            }
            None => self.b.terminate(Terminator::Return(Some(value))),
        }
    }

    /// `break` or `continue`; outside a loop it does nothing, and the parser has said so.
    pub fn leave_loop(
        &mut self,
        by_finally: impl Fn(&Exits) -> Block,
        by_loop: impl Fn(Block, Block) -> Block,
    ) {
        if !self
            .contexts
            .iter()
            .any(|context| matches!(context, Context::Loop { .. }))
        {
            return;
        }
        let target = match self.contexts.last() {
            Some(Context::Finally(exits)) => by_finally(exits),
            Some(Context::Loop { exit, next, .. }) => by_loop(*exit, *next),
            Some(Context::Breakable { exit, .. }) => by_loop(*exit, *exit),
            None => return,
        };
        self.b.here();
        self.b.jump(target);
    }

    /// The ways through a `finally` whose body `body` lowers, each as often as it is called.
    pub fn finally(
        &mut self,
        weight: Weight,
        after: Block,
        raised: Block,
        exits: Exits,
        fork: Fork,
        body: &mut dyn FnMut(&mut Self),
    ) {
        let done = self.b.block();
        let ways = [
            (Way::Normal, after),
            (Way::Raised, raised),
            (Way::Returned, exits.returned),
            (Way::Exit, exits.exit),
            (Way::Next, exits.next),
        ];
        let ways: Vec<(Way, Block)> = ways
            .into_iter()
            .filter(|(_, block)| self.b.has_predecessors(*block))
            .collect();
        if self.copies < COPIED_LEVELS && weight.is_light() {
            self.copies += 1;
            for (_, block) in &ways {
                self.close(*block, fork);
            }
            for (way, block) in ways {
                self.b.start(block);
                body(self);
                self.go_on(way, done);
            }
            self.copies -= 1;
        } else {
            let merged = self.b.block();
            for (_, block) in &ways {
                self.join(*block, fork);
                self.b.jump(merged);
            }
            self.join(merged, fork);
            body(self);
            let inside = self.fork();
            let last = ways.len().saturating_sub(1);
            for (i, (way, _)) in ways.into_iter().enumerate() {
                if i < last && self.b.is_live() {
                    let span = Span::default();
                    let condition = self.unknown("why finally was entered", span);
                    let (then, otherwise) = (self.b.block(), self.b.block());
                    self.b.terminate(Terminator::Branch {
                        condition,
                        then,
                        otherwise,
                    });
                    self.join(then, inside);
                    self.go_on(way, done);
                    self.join(otherwise, inside);
                } else {
                    self.go_on(way, done);
                }
            }
        }
        self.join(done, fork);
    }

    fn go_on(&mut self, way: Way, done: Block) {
        if !self.b.is_live() {
            return;
        }
        match way {
            Way::Normal => self.b.jump(done),
            Way::Raised => self.b.terminate(Terminator::Raise(None)),
            Way::Returned => {
                let returned = self.file.well_known.returned;
                let value = match self.b.read(returned) {
                    Some(value) => value,
                    None => self.unknown("value returned earlier", Span::default()),
                };
                self.leave_by_return(value);
            }
            Way::Exit => self.leave_loop(|exits| exits.exit, |exit, _| exit),
            Way::Next => self.leave_loop(|exits| exits.next, |_, next| next),
        }
    }
}

#[derive(Clone, Copy)]
enum Way {
    Normal,
    Raised,
    Returned,
    Exit,
    Next,
}
