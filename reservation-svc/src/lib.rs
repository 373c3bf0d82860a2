//! Sells hotel nights and cinema seats that are never sold twice.
