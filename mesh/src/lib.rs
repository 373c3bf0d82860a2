//! What every Banyan process is made of: settings, telemetry, ops port, gRPC server and client stacks, shutdown.
