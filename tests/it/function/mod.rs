//! The built Vercel function behind a bridge like the platform's, over a real Redis, Postgres and bucket.

mod ends;
mod invocations;
mod limits;
mod page;
mod scan;
mod seams;
