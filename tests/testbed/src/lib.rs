//! Amity
