//! Values that come again and again, each kept once and known by its number: comparing two is comparing numbers,
//! and what was worked out for one need not be worked out again.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// The number of a value in its table.
pub type Number = u32;

/// All values of one kind.
pub struct Table<T> {
    numbers: HashMap<Rc<T>, Number>,
    values: Vec<Rc<T>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
            values: Vec::new(),
        }
    }
}

impl<T: Eq + Hash> Table<T> {
    /// The number of the value, which is a new one if it was not there.
    pub fn number(&mut self, value: T) -> Number {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        let number = Number::try_from(self.values.len()).expect("not that many values");
        let value = Rc::new(value);
        self.values.push(Rc::clone(&value));
        self.numbers.insert(value, number);
        number
    }

    /// The value of a number.
    pub fn get(&self, number: Number) -> Rc<T> {
        Rc::clone(&self.values[number as usize])
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }
}

/// A hasher for numbers: there are millions of look-ups, and nobody to be guarded against.
#[derive(Default)]
pub struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(number)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}
