//! What users were told, proved on the built binary.

mod first_light;
