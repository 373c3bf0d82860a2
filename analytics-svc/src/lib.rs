//! Reports on reservations seconds after they happen, and keeps the event bus.
