//! Every state that can be reached, the nearest first, and where each of them ends when nothing disturbs it any
//! more. What is wrong is told as the shortest path to it.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hash};

use crate::table::Quick;

/// What may happen next; an error says what must not.
pub type Expanded<M, S> = Result<Next<M, S>, Wrong<M>>;

/// What can be searched.
pub trait System {
    type State: Copy + Eq + Hash;
    type Move: Copy;

    /// Where everything begins.
    fn first(&mut self) -> Self::State;

    /// What may happen next.
    fn expand(&mut self, state: Self::State) -> Expanded<Self::Move, Self::State>;

    /// What happens in a state, for a person to read.
    fn tell(&mut self, state: Self::State, one: Self::Move) -> String;
}

/// What may happen in a state.
pub struct Next<M, S> {
    pub moves: Vec<(M, S)>,
    pub undisturbed: Undisturbed,
}

/// What happens if nothing disturbs.
pub enum Undisturbed {
    /// The first of the moves.
    First,
    /// Nothing any more: a good end, by its name.
    End(String),
    /// Nothing any more, and that is wrong.
    Stuck(String),
}

/// A move that must not be, if it is one, and why.
pub struct Wrong<M> {
    pub by: Option<M>,
    pub why: String,
}

/// What was found: nothing wrong.
#[derive(Debug)]
pub struct Searched {
    pub states: usize,
    pub transitions: usize,
    /// How many moves the farthest state is away.
    pub depth: usize,
    /// How many states end where.
    pub ends: BTreeMap<String, usize>,
}

/// Something wrong, and how it comes to that.
#[derive(Debug)]
pub struct Counterexample {
    pub path: Vec<String>,
    pub why: String,
}

/// A state by its number, how it was reached first, and what follows undisturbed.
struct Node<S> {
    state: S,
    before: Option<(usize, usize)>,
    depth: usize,
    then: Then,
}

#[derive(Clone)]
enum Then {
    Node(usize),
    End(String),
    Stuck(String),
}

/// Searches everything.
pub fn search<Y: System>(system: &mut Y) -> Result<Searched, Counterexample> {
    let first = system.first();
    let mut numbers: HashMap<_, _, BuildHasherDefault<Quick>> = HashMap::from_iter([(first, 0)]);
    let node = |state, before, depth| Node {
        state,
        before,
        depth,
        then: Then::Stuck("it was not looked at".to_owned()),
    };
    let mut nodes = vec![node(first, None, 0)];
    let mut transitions = 0;
    let mut at = 0;
    while at < nodes.len() {
        let next = match system.expand(nodes[at].state) {
            Ok(next) => next,
            Err(Wrong { by, why }) => {
                let mut path = path_to(system, &nodes, at);
                path.extend(by.map(|by| system.tell(nodes[at].state, by)));
                return Err(Counterexample { path, why });
            }
        };
        transitions += next.moves.len();
        let (before, depth) = (at, nodes[at].depth + 1);
        let mut reached = Vec::with_capacity(next.moves.len());
        for (index, (_, state)) in next.moves.iter().enumerate() {
            let number = *numbers.entry(*state).or_insert(nodes.len());
            if number == nodes.len() {
                nodes.push(node(*state, Some((before, index)), depth));
            }
            reached.push(number);
        }
        nodes[at].then = match next.undisturbed {
            Undisturbed::First => Then::Node(reached[0]),
            Undisturbed::End(name) => Then::End(name),
            Undisturbed::Stuck(why) => Then::Stuck(why),
        };
        at += 1;
    }
    let ends = ends(system, &nodes)?;
    Ok(Searched {
        states: nodes.len(),
        transitions,
        depth: nodes.last().map_or(0, |node| node.depth),
        ends,
    })
}

/// Follows every state undisturbed to its end. Who comes back to where it was has none.
fn ends<Y: System>(
    system: &mut Y,
    nodes: &[Node<Y::State>],
) -> Result<BTreeMap<String, usize>, Counterexample> {
    let mut known: Vec<Option<usize>> = vec![None; nodes.len()];
    let mut counted = BTreeMap::new();
    for start in 0..nodes.len() {
        let mut way = Vec::new();
        let mut at = start;
        let end = loop {
            if let Some(end) = known[at] {
                break end;
            }
            way.push(at);
            match &nodes[at].then {
                Then::Node(next) if way.contains(next) => {
                    let why = "undisturbed it goes round in circles".to_owned();
                    return Err(stuck(system, nodes, start, &way, why));
                }
                Then::Node(next) => at = *next,
                Then::End(_) => break at,
                Then::Stuck(why) => return Err(stuck(system, nodes, start, &way, why.clone())),
            }
        };
        for one in way {
            known[one] = Some(end);
        }
        if let Then::End(name) = &nodes[end].then {
            *counted.entry(name.clone()).or_default() += 1;
        }
    }
    Ok(counted)
}

fn stuck<Y: System>(
    system: &mut Y,
    nodes: &[Node<Y::State>],
    start: usize,
    way: &[usize],
    why: String,
) -> Counterexample {
    let mut path = path_to(system, nodes, start);
    path.push("— and from here on undisturbed —".to_owned());
    for one in way {
        if let Ok(Next {
            moves,
            undisturbed: Undisturbed::First,
        }) = system.expand(nodes[*one].state)
        {
            path.push(system.tell(nodes[*one].state, moves[0].0));
        }
    }
    Counterexample { path, why }
}

/// The moves from the beginning to a state.
fn path_to<Y: System>(system: &mut Y, nodes: &[Node<Y::State>], to: usize) -> Vec<String> {
    let mut path = Vec::new();
    let mut at = to;
    while let Some((before, index)) = nodes[at].before {
        if let Ok(next) = system.expand(nodes[before].state) {
            path.push(system.tell(nodes[before].state, next.moves[index].0));
        }
        at = before;
    }
    path.reverse();
    path
}
