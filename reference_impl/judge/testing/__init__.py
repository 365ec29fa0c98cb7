"""What tests and pages use in place of a judge: a server that plays a script, and a small model."""
