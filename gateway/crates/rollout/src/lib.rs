//! Which side serves a request, decided purely: buckets, stages, write ownership.
